//! The confirmation key by key: it begins on Abort, passes over what was typed ahead, takes letters as text in the
//! serial's field, and starts nothing unless all is as it was looked at.

use std::fmt::Write as _;

use super::*;
use crate::domain::chord::Keys;
use crate::tui::message::Msg;
use crate::tui::testing::{now, previewed, proposed};
use crate::tui::update::update;

/// Keys pressed so many milliseconds after the dialog opened, and what came of each.
fn check(on_a_limit: u32, unit: Option<&str>, keys: &[&str], after: i64) -> String {
    let mut model = previewed((80, 24), &[]);
    model.dialog = Some(open(proposed(on_a_limit, unit), now()));
    let mut out = String::new();
    for key in keys {
        let mut effects = vec![];
        let sequence: Keys = key.parse().unwrap();
        for chord in sequence.chords() {
            let at = Timestamp::from_millis(now().millis() + after).unwrap();
            effects.extend(update(&mut model, Msg::Key(chord), at));
        }
        let state = match &model.dialog {
            Some(Dialog::Confirm(confirm)) => format!("{:?} `{}`", confirm.focus, confirm.serial.text()),
            _ => "closed".to_owned(),
        };
        let started = effects.iter().find_map(|effect| match effect {
            Effect::Start(_, launch) => Some(format!(" STARTS with unit {:?}", launch.unit)),
            Effect::Edit(path) => Some(format!(" edits {}", path.display())),
            _ => None,
        });
        let says = model.notice.take().map(|notice| format!(" says {}", notice.text)).unwrap_or_default();
        writeln!(out, "{key}: {state}{}{says}", started.unwrap_or_default()).unwrap();
    }
    out
}

#[test]
fn enter_aborts_until_somebody_moves() {
    insta::assert_snapshot!(check(0, None, &["Enter"], 1000), @"Enter: closed says declined; nothing was started");
    insta::assert_snapshot!(check(0, None, &["Tab", "Tab", "Enter"], 1000), @r"
    Tab: Edit ``
    Tab: Run ``
    Enter: closed STARTS with unit None
    ");
    insta::assert_snapshot!(check(0, None, &["l", "Enter"], 1000), @r"
    l: Edit ``
    Enter: closed edits /ws/margins/v.yaml
    ");
}

#[test]
fn every_way_out_starts_nothing() {
    for key in ["Esc", "n", "ctrl-c"] {
        assert!(check(0, None, &[key], 1000).contains("closed says declined; nothing was started"), "{key}");
    }
}

#[test]
fn what_was_typed_ahead_means_nothing() {
    insta::assert_snapshot!(check(0, None, &["Tab", "Tab", "Enter", "Esc"], 399), @r"
    Tab: Abort ``
    Tab: Abort ``
    Enter: Abort ``
    Esc: Abort ``
    ");
}

#[test]
fn a_point_on_a_limit_needs_the_serial_typed() {
    insta::assert_snapshot!(
        check(1, None, &["Tab", "Tab", "Tab", "Enter", "S", "n", "1", "q", "Enter", "Tab", "Enter"], 1000),
        @r#"
    Tab: Serial ``
    Tab: Edit ``
    Tab: Run ``
    Enter: Serial `` says a point on a limit needs the unit's serial: type it
    S: Serial `S`
    n: Serial `Sn`
    1: Serial `Sn1`
    q: Serial `Sn1q`
    Enter: Edit `Sn1q`
    Tab: Run `Sn1q`
    Enter: closed STARTS with unit Some("Sn1q")
    "#
    );
}

#[test]
fn the_serial_must_be_that_of_the_unit_that_was_named() {
    insta::assert_snapshot!(
        check(1, Some("SN1"), &["Tab", "S", "N", "2", "Tab", "Tab", "Enter", "Backspace", "1", "Enter", "Tab", "Enter"], 1000),
        @r#"
    Tab: Serial ``
    S: Serial `S`
    N: Serial `SN`
    2: Serial `SN2`
    Tab: Edit `SN2`
    Tab: Run `SN2`
    Enter: Serial `SN2` says that is not the unit that was named
    Backspace: Serial `SN`
    1: Serial `SN1`
    Enter: Edit `SN1`
    Tab: Run `SN1`
    Enter: closed STARTS with unit Some("SN1")
    "#
    );
}

#[test]
fn a_file_that_changes_meanwhile_disarms_it() {
    let mut model = previewed((80, 24), &[]);
    model.dialog = Some(open(proposed(0, None), now()));
    let at = Timestamp::from_millis(now().millis() + 1000).unwrap();
    drop(update(&mut model, Msg::Changed(vec!["policy/safety.yaml".to_owned()]), at));
    let mut effects = vec![];
    for key in ["Tab", "Tab", "Enter"] {
        for chord in key.parse::<Keys>().unwrap().chords() {
            effects.extend(update(&mut model, Msg::Key(chord), at));
        }
    }
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Start(..))));
    assert!(matches!(&model.dialog, Some(Dialog::Confirm(confirm)) if confirm.changed.is_some()));
}

#[test]
fn a_mouse_confirms_nothing() {
    let mut model = previewed((80, 24), &[]);
    model.dialog = Some(open(proposed(0, None), now()));
    let at = Timestamp::from_millis(now().millis() + 1000).unwrap();
    for row in 0..24 {
        for column in (0..80).step_by(3) {
            let effects = update(&mut model, Msg::Click { column, row }, at);
            assert!(!effects.iter().any(|effect| matches!(effect, Effect::Start(..))));
        }
    }
    assert!(matches!(&model.dialog, Some(Dialog::Confirm(confirm)) if confirm.focus == Focus::Abort));
}

#[test]
fn a_serial_is_that_of_one_sweep() {
    let mut model = previewed((80, 24), &[]);
    model.dialog = Some(open(proposed(1, None), now()));
    let at = Timestamp::from_millis(now().millis() + 1000).unwrap();
    let mut unit = None;
    for key in ["Tab", "S", "Tab", "Tab", "Enter"] {
        for chord in key.parse::<Keys>().unwrap().chords() {
            for effect in update(&mut model, Msg::Key(chord), at) {
                if let Effect::Start(_, launch) = effect {
                    unit = launch.unit;
                }
            }
        }
    }
    assert_eq!((unit.as_deref(), model.choice.unit), (Some("S"), None), "the next one is typed anew");
}
