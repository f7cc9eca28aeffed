//! What diagnostics write, on the screen: followed, searched, copied; and none of it obeyed by the terminal.

use std::fmt::Write as _;

use super::bench::Rig;
use super::running::{held, start};
use super::{Terminal, wait_until};

/// What a diagnostic says before it passes; it may be held in between, as the usual one.
fn says(rig: &Rig, script: &str) {
    rig.0.program("diags/probe.sh", &super::bench::PROBE.replace("echo OK\n", &format!("{script}\necho OK\n")));
}

/// A character that tells of two that follow each other: what stands between them must be gone or harmless.
const HOSTILE: &[(&str, &str)] = &[
    ("clipboard", r"\033]52;c;aGFja2Vk\007"),
    ("clipboard of C1", r"\302\23552;c;aGFja2Vk\302\234"),
    ("title", r"\033]0;hacked\033\\"),
    ("cursor", r"\033[999;998H"),
    ("erased", r"\033[2J\033[3J"),
    ("left", r"\033[?1049l\033[?25h\033[?1000h"),
    ("reset", r"\033c"),
    ("C1", r"\302\23331m\302\205"),
    ("raw C1", r"\2332J"),
    ("bidi", r"\342\200\256kcah\342\200\254\342\201\246"),
    ("zero", r"\000\000"),
    ("bell", r"\007\007"),
    ("device", r"\033P1;2|hacked\033\\\033_hacked\033\\\033^hacked\033\\"),
    ("report", r"\033[6n\033[c\033Z"),
    ("charset", r"\033(0\016"),
    ("unfinished", r"\033]52;c;aGFja2Vk"),
];

#[test]
fn nothing_that_a_diagnostic_writes_is_obeyed() {
    let rig = Rig::new();
    let mut script = "head -c 10000000 /dev/zero | tr '\\0' x; echo; echo after the long one\n".to_owned();
    for (name, sequence) in HOSTILE {
        let sequence = sequence.replace("\\\\", "\\134");
        writeln!(script, "printf 'from {name} <{sequence}> to its end\\n'").unwrap();
        writeln!(script, "printf 'err {name} <{sequence}> to its end\\n' >&2").unwrap();
    }
    script.push_str("printf 'in \\033[31mred\\033[0m at last\\n'");
    says(&rig, &script);
    let mut terminal = rig.open(&[], (200, 60));
    start(&mut terminal);
    terminal.wait_text("the run has ended: pass (exit 0)");
    terminal.press("6z");
    terminal.wait_text("in red at last");
    for (name, _) in HOSTILE {
        terminal.wait_text(&format!("from {name} <"));
        terminal.wait_text(&format!("err {name} <"));
    }
    // Every way to look at it: its beginning, its middle, sideways, wrapped, in one stream, found.
    for (keys, wanted) in [("g", "xxxxxxxx"), ("l", "xxxxxxxx"), ("w", "xxxxxxxx"), ("s", "xxxx"), ("G", "in red")] {
        terminal.press(keys);
        terminal.wait_text(wanted);
    }
    terminal.press("w/to its end\r");
    terminal.wait_text("/to its end");
    terminal.press("&from\r");
    terminal.wait_gone("in red at last");
    let raw = String::from_utf8(terminal.raw()).expect("no byte that is no text");
    let hostile = ["\x1b]", "\x1b[999", "\x1b[3J", "\x1b[?1049l", "\x1b[?25h", "\x1bc", "\x1bP", "\x1b_", "\x1b^"];
    for hostile in hostile.into_iter().chain(["\x1b[6n", "\x1b[c", "\x1bZ", "\x1b(", "\x07", "\0", "\x0e"]) {
        assert!(!raw.contains(hostile), "{hostile:?}");
    }
    let bidi = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    assert!(!raw.contains(|c: char| bidi(c) || ('\u{80}'..='\u{9f}').contains(&c)));
    terminal.wait_taken();
    terminal.press("q");
    assert_eq!(terminal.left(), 0);
}

/// A log that grows for as long as it is held.
fn growing() -> (Rig, Terminal) {
    let rig = Rig::holding();
    says(&rig, "echo after it was held");
    let text = super::bench::read(rig.0.path("diags/probe.sh"));
    // It counts while it waits.
    let text = text.replacen(
        "sleep 0.02",
        "[ ! -e \"$HOME/more\" ] || { rm \"$HOME/more\"; echo one more line; }; sleep 0.02",
        1,
    );
    rig.0.program("diags/probe.sh", &text.replacen("at=", "echo begun with needle; echo to stderr >&2\nat=", 1));
    let terminal = held(&rig, (120, 36));
    (rig, terminal)
}

#[test]
fn a_live_log_is_followed_and_searched() {
    let (rig, mut terminal) = growing();
    terminal.wait_text("begun with needle");
    terminal.wait_text("FOLLOW");
    terminal.wait_text("2 ln");
    rig.leave("more");
    terminal.wait_text("one more line");
    terminal.press("6/needle\r");
    terminal.wait_text("/needle 1");
    terminal.press("n");
    terminal.wait_text("/needle 1 of 1");
    // It is read and followed all the same.
    rig.leave("more");
    terminal.wait_text("4 ln");
    terminal.press("f");
    terminal.wait_text("FOLLOW");
    rig.leave("go-1000000");
    // The next step's log, without a key.
    terminal.wait_text("6 Log  s01");
    terminal.wait_text("begun with needle");
    rig.leave("go");
    terminal.wait_text("the run has ended: pass (exit 0)");
    terminal.press("q");
    assert_eq!(terminal.left(), 0);
}

#[test]
fn a_copy_goes_to_the_terminal_encoded() {
    let (rig, mut terminal) = growing();
    terminal.wait_text("begun with needle");
    let copied = |terminal: &Terminal, text: &str| {
        let wanted = format!("\x1b]52;c;{text}");
        wait_until(text, || String::from_utf8_lossy(&terminal.raw()).contains(&wanted).then_some(()));
    };
    // `begun with needle`
    terminal.press("6/needle\rn");
    terminal.wait_text("/needle 1 of 1");
    terminal.press("y");
    copied(&terminal, "YmVndW4gd2l0aCBuZWVkbGU=");
    terminal.press("Y");
    terminal.wait_text("copied road_runner runs follow rr-");
    // `road_runner runs follow rr-`
    copied(&terminal, "cm9hZF9ydW5uZXIgcnVucyBmb2xsb3cgcnIt");
    rig.goes_on_to_its_end();
    terminal.press("q");
    assert_eq!(terminal.left(), 0);
}
