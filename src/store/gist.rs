//! Lines of a sub-run's journal read as far as the fold needs them: nothing is copied, everything else is walked over.
//! A line must be JSON with the fields that the fold needs; what stands in the others is believed. Any line that is not quite
//! as we write it is left to the decoder, so that this is never more than a shorter way.

use std::borrow::Cow;

use super::journal;
use super::scan::Scan;
use crate::domain::gist::Gist;
use crate::domain::time::Timestamp;
use crate::domain::verdict::{Effect, Effects, Verdict};

/// The gist of a line; `None` where it is to be decoded in full.
pub(super) fn read(line: &[u8]) -> Option<(u64, Timestamp, Gist<'_>)> {
    if !line.is_ascii() {
        std::str::from_utf8(line).ok()?;
    }
    let (event, seq, at, rest) = journal::quick_head(line)?;
    let gist = match event {
        "step_started" => step_started(rest)?,
        "step_finished" => step_finished(rest)?,
        "step_spawned" => step_spawned(rest)?,
        "subrun_closed" => subrun_closed(rest)?,
        _ => return None,
    };
    Some((seq, at, gist))
}

fn step_started(rest: &[u8]) -> Option<Gist<'_>> {
    let (mut index, mut adapter, mut applied) = (None, None, None);
    fields(rest, |key, value| match key {
        b"index" => once(&mut index, value.unsigned()?),
        b"adapter" => once(&mut adapter, plain(value)?.into()),
        b"applied" => once(&mut applied, nobody(value)?),
        _ => value.skip(),
    })?;
    Some(Gist::StepStarted { index: index?, adapter: adapter?, nobody: applied? })
}

/// The fields that nobody moves; mostly none, and then nothing is kept.
fn nobody<'l>(value: &mut Scan<'l>) -> Option<Vec<Cow<'l, str>>> {
    let mut all = vec![];
    value.members(|field, by| {
        match by.string()? {
            b"none" => all.push(std::str::from_utf8(field).ok().filter(|field| !field.contains('\\'))?.into()),
            b"adapter" | b"controller" => {}
            _ => return None,
        }
        Some(())
    })?;
    Some(all)
}

fn step_spawned(rest: &[u8]) -> Option<Gist<'_>> {
    let (mut index, mut pid) = (None, None);
    fields(rest, |key, value| match key {
        b"index" => once(&mut index, value.unsigned()?),
        b"pid" => once(&mut pid, value.unsigned()?),
        _ => value.skip(),
    })?;
    index.and(pid).map(|_| Gist::Nothing)
}

fn step_finished(rest: &[u8]) -> Option<Gist<'_>> {
    let (mut index, mut verdict, mut effects, mut spoke) = (None, None, None, None);
    fields(rest, |key, value| match key {
        b"index" => once(&mut index, value.unsigned()?),
        b"verdict" => once(&mut verdict, self::verdict(value)?),
        b"effects" => once(&mut effects, self::effects(value)?),
        b"exit_code" => {
            let null = value.null();
            if !null {
                value.eat(b'-');
                value.unsigned().filter(|code| *code <= i32::MAX.unsigned_abs())?;
            }
            once(&mut spoke, !null)
        }
        _ => value.skip(),
    })?;
    let effects = Cow::Owned(effects?);
    Some(Gist::StepFinished { index: index?, verdict: verdict?, effects, spoke: spoke.unwrap_or(false) })
}

fn subrun_closed(rest: &[u8]) -> Option<Gist<'_>> {
    let (mut verdict, mut reason) = (None, None);
    fields(rest, |key, value| match key {
        b"verdict" => once(&mut verdict, self::verdict(value)?),
        b"reason" if value.null() => Some(()),
        b"reason" => once(&mut reason, plain(value)?.into()),
        // Rare: left to the decoder.
        b"effects" => None,
        _ => value.skip(),
    })?;
    Some(Gist::SubrunClosed { verdict: verdict?, reason, effects: Cow::Owned(Effects::new()) })
}

/// Every field behind the head, up to the end of the line.
fn fields<'l>(rest: &'l [u8], mut each: impl FnMut(&'l [u8], &mut Scan<'l>) -> Option<()>) -> Option<()> {
    let mut scan = Scan::new(rest);
    while scan.eat(b',') {
        scan.member(&mut each)?;
    }
    scan.must(b'}')?;
    matches!(scan.rest(), b"" | b"\n").then_some(())
}

/// A field stands once.
fn once<T>(slot: &mut Option<T>, value: T) -> Option<()> {
    slot.replace(value).is_none().then_some(())
}

/// A text without escapes.
fn plain<'l>(value: &mut Scan<'l>) -> Option<&'l str> {
    let text = std::str::from_utf8(value.string()?).ok()?;
    (!text.contains('\\')).then_some(text)
}

fn verdict(value: &mut Scan<'_>) -> Option<Verdict> {
    let word = value.string()?;
    Verdict::ALL.into_iter().find(|verdict| verdict.as_str().as_bytes() == word)
}

fn effects(value: &mut Scan<'_>) -> Option<Effects> {
    let mut all = Effects::new();
    value.elements(|value| {
        let word = value.string()?;
        all.insert(Effect::ALL.into_iter().find(|effect| effect.as_str().as_bytes() == word)?);
        Some(())
    })?;
    Some(all)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::event::{Recorded, RunEvent};
    use crate::domain::kit;
    use crate::domain::kit::World;
    use crate::store::journal::{decode, encode};
    use crate::store::test_events::{event, step_finished, step_spawned, step_started};

    fn line(recorded: &Recorded) -> Vec<u8> {
        let mut line = vec![];
        encode(recorded, &mut line).unwrap();
        line
    }

    /// A line is read in the short way, and says the same as in the long one.
    fn check(recorded: &Recorded) {
        let line = line(recorded);
        let (seq, at, gist) = read(&line).unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&line)));
        assert_eq!((seq, at, gist), (recorded.seq, recorded.at, Gist::of(&recorded.event)));
    }

    #[test]
    fn the_usual_lines_are_read_in_the_short_way() {
        check(&step_started(7, 3));
        check(&step_spawned(8, 3));
        check(&step_finished(9, 3));
        check(&event(10, "subrun_closed", r#""verdict":"pass""#));
        check(&event(10, "subrun_closed", r#""verdict":"aborted","reason":"übel""#));
        for recorded in kit::recorded(kit::story(&World::grid(2, 2).plan().into(), &[vec![Verdict::Fail]])) {
            if !matches!(recorded.event, RunEvent::SubrunOpened(_))
                && recorded.event.journal() != crate::domain::event::Journal::Run
            {
                check(&recorded);
            }
        }
    }

    #[test]
    fn what_is_not_quite_usual_is_left_to_the_decoder() {
        let usual = String::from_utf8(line(&step_finished(9, 3))).unwrap();
        assert!(read(usual.as_bytes()).is_some());
        let check = |from: &str, to: &str| {
            assert!(usual.contains(from), "{from}");
            assert_eq!(read(usual.replacen(from, to, 1).as_bytes()), None, "{to}");
        };
        check("\"index\":3", "\"index\":-3");
        check("\"index\":3", "\"index\": 3");
        check("\"index\":3", "\"index\":4294967296");
        check("\"index\":3", "\"index\":3,\"index\":3");
        check("\"index\":3,", "");
        check("\"effects\":[],", "");
        check("\"effects\":[]", "\"effects\":[\"new\"]");
        check("\"verdict\":\"pass\"", "\"verdict\":\"new\"");
        check("\"exit_code\":0", "\"exit_code\":2147483648");
        check("\"exit_code\":0", "\"exit_code\":0.5");
        check("step_finished", "step_finisht");
        check("\"error\":null}", "\"error\":null");
        check("\"error\":null}", "\"error\":null}}");
        check("\"error\":null}", "\"error\":nul}");
        let mut bytes = usual.into_bytes();
        let place = bytes.len() - 20;
        bytes[place] = 0xff;
        assert_eq!(read(&bytes), None, "not UTF-8");
    }

    #[test]
    fn what_the_fold_does_not_need_is_believed() {
        let text = String::from_utf8(line(&step_finished(9, 3))).unwrap().replacen(
            "\"duration_ms\":1000",
            "\"duration_ms\":[]",
            1,
        );
        assert!(decode(text.as_bytes()).is_err() && read(text.as_bytes()).is_some());
    }

    fn any_line() -> impl Strategy<Value = Recorded> {
        let effects = proptest::collection::btree_set(proptest::sample::select(Effect::ALL.to_vec()), 0..3);
        let verdict = || proptest::sample::select(Verdict::ALL.to_vec());
        let reason = proptest::option::of("[ -~ä\u{7f}]{0,12}");
        let finished = (0_u32..9, verdict(), effects, proptest::option::of(any::<i32>()), reason.clone());
        let finished = finished.prop_map(|(index, verdict, effects, exit_code, reason)| {
            let usual = kit::finished(index, verdict);
            RunEvent::from(Box::new(crate::domain::event::StepFinished { effects, reason, exit_code, ..usual }))
        });
        let closed = (verdict(), reason).prop_map(|(verdict, reason)| {
            crate::domain::event::SubrunClosed { verdict, reason, effects: Effects::new() }.into()
        });
        let plan = World::grid(2, 2).plan();
        let started = (0_u32..4).prop_map(move |sub_run| kit::step_started(&plan, sub_run, 0, 1));
        let event = prop_oneof![finished, closed, started];
        (any::<u64>(), 0_i64..1 << 42, event).prop_map(|(seq, at, event)| Recorded { seq, at: kit::moment(at), event })
    }

    proptest! {
        #[test]
        fn the_short_way_never_says_otherwise(recorded in any_line()) {
            let line = line(&recorded);
            // Escapes in a reason go the long way.
            let escapes = matches!(recorded.event, RunEvent::SubrunClosed(_)) && line.contains(&b'\\');
            match read(&line) {
                Some((seq, at, gist)) => prop_assert_eq!((seq, at, gist), (recorded.seq, recorded.at, Gist::of(&recorded.event))),
                None => prop_assert!(escapes, "{}", String::from_utf8_lossy(&line)),
            }
        }

        #[test]
        fn nor_of_a_line_that_was_damaged(recorded in any_line(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut line = line(&recorded);
            line.pop();
            let place = at.index(line.len());
            line[place] = byte;
            if let Some((seq, at, gist)) = read(&line) {
                let text = std::str::from_utf8(&line).unwrap();
                prop_assert!(serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok(), "{text}");
                if let Ok(decoded) = decode(&line) {
                    let decoded = decoded.unwrap();
                    prop_assert_eq!((seq, at, gist), (decoded.seq, decoded.at, Gist::of(&decoded.event)), "{}", text);
                }
            }
        }
    }
}
