//! The pane with the worker of the thread behind it, turn by turn: what is drawn and what the frame says.

use std::cell::RefCell;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::rc::Rc;

use proptest::prelude::*;
use ratatui::style::Color;

use super::*;
use crate::domain::sanitize::is_hostile;
use crate::domain::theme::{Colour, Depth, Ground, Paint, Theme};
use crate::tui::log_thread::{Next, Worker};

type Replies = Rc<RefCell<Vec<LogReply>>>;

struct Bench {
    folder: tempfile::TempDir,
    pane: LogPane,
    worker: Worker<Box<dyn Fn(LogReply)>>,
    replies: Replies,
    size: (u16, u16),
}

fn palette() -> Palette {
    let ink = |index| Paint { fg: Some(Colour::Ansi(index)), ..Paint::default() };
    let theme = Theme::new("test", None, Ground::Dark, |slot| match slot {
        Slot::Stderr => ink(3),
        Slot::Match => Paint { bg: Some(Colour::Ansi(4)), ..Paint::default() },
        _ => Paint::default(),
    });
    Palette::new(&theme, Depth::Ansi)
}

impl Bench {
    fn new(columns: u16, rows: u16) -> Self {
        let replies = Replies::default();
        let into = Rc::clone(&replies);
        let reply: Box<dyn Fn(LogReply)> = Box::new(move |reply| into.borrow_mut().push(reply));
        let worker = Worker::new(Depth::Ansi, reply);
        let pane = LogPane::new(3600);
        let folder = tempfile::tempdir().unwrap();
        let mut bench = Self { folder, pane, worker, replies, size: (columns, rows) };
        let requests = bench.pane.resize(columns, rows);
        bench.serve(requests);
        bench
    }

    fn append(&self, name: &str, text: &[u8]) {
        let path = self.folder.path().join(name);
        OpenOptions::new().append(true).create(true).open(path).unwrap().write_all(text).unwrap();
    }

    fn files(&self) -> LogFiles {
        let file = |name: &str| self.folder.path().join(name);
        LogFiles { stdout: file("out"), stderr: file("err"), index: file("logs.idx"), execution: 1 }
    }

    fn show(&mut self, is_live: bool) {
        let files = self.files();
        let requests = self.pane.show(Some(("s17/01_mem-march".to_owned(), files, is_live)));
        self.serve(requests);
    }

    fn act(&mut self, act: LogAct) {
        let requests = self.pane.act(act);
        self.serve(requests);
    }

    /// Until nobody has anything more to say.
    fn serve(&mut self, requests: Vec<LogRequest>) {
        for request in requests {
            self.worker.take(request);
        }
        loop {
            while self.worker.turn() == Next::Now {}
            let replies = self.replies.take();
            if replies.is_empty() {
                return;
            }
            let more: Vec<_> = replies.into_iter().flat_map(|reply| self.pane.receive(reply)).collect();
            for request in more {
                self.worker.take(request);
            }
        }
    }

    /// The log has grown: a look at once, without waiting for the next.
    fn look(&mut self) {
        self.serve(vec![LogRequest::Live(true)]);
    }

    fn buffer(&self) -> Buffer {
        let mut buf = Buffer::empty(Rect::new(0, 0, self.size.0, self.size.1));
        self.pane.view(buf.area, &mut buf, &palette(), true);
        buf
    }

    fn drawn(&self) -> String {
        let buf = self.buffer();
        let row = |y| (0..self.size.0).map(|x| buf[(x, y)].symbol()).collect::<String>().trim_end().to_owned();
        let rows: Vec<String> = (0..self.size.1).map(row).collect();
        let said = [self.pane.title(), self.pane.status(), self.pane.search_status()];
        [rows.join("\n"), said.join(" | ").trim_end().to_owned()].join("\n")
    }
}

/// The log of the documentation: both streams with their times.
fn memory_march(columns: u16, rows: u16) -> Bench {
    let bench = Bench::new(columns, rows);
    let (mut out, mut err) = (0, 0);
    for n in 1..=9 {
        let line = format!("pass {n}/9 addr 0x{:x}000000 rd 11.2 GB/s\n", 0x1e8 + n);
        out += line.len();
        bench.append("out", line.as_bytes());
        bench.append("logs.idx", format!("1 {} {out} {err}\n", 1_700_000_000_000_i64 + n * 1005).as_bytes());
        if n % 3 == 0 {
            let line = format!("WARN ecc ce={n} \x1b[31mdimm\x1b[0m=B1\n");
            err += line.len();
            bench.append("err", line.as_bytes());
            bench.append("logs.idx", format!("1 {} {out} {err}\n", 1_700_000_000_000_i64 + n * 1005 + 7).as_bytes());
        }
    }
    bench
}

#[test]
fn opens_at_the_tail_with_times_and_streams() {
    let mut bench = memory_march(80, 5);
    bench.show(true);
    insta::assert_snapshot!(bench.drawn(), @r"
    23:13:26.037 e WARN ecc ce=6 dimm=B1
    23:13:27.035 o pass 7/9 addr 0x1ef000000 rd 11.2 GB/s
    23:13:28.040 o pass 8/9 addr 0x1f0000000 rd 11.2 GB/s
    23:13:29.045 o pass 9/9 addr 0x1f1000000 rd 11.2 GB/s
    23:13:29.052 e WARN ecc ce=9 dimm=B1
    s17/01_mem-march stdout+stderr | FOLLOW wrap time 12 ln 0 dropped |
    ");
    bench.act(LogAct::Time);
    bench.act(LogAct::Streams);
    insta::assert_snapshot!(bench.drawn(), @r"
    pass 5/9 addr 0x1ed000000 rd 11.2 GB/s
    pass 6/9 addr 0x1ee000000 rd 11.2 GB/s
    pass 7/9 addr 0x1ef000000 rd 11.2 GB/s
    pass 8/9 addr 0x1f0000000 rd 11.2 GB/s
    pass 9/9 addr 0x1f1000000 rd 11.2 GB/s
    s17/01_mem-march stdout | FOLLOW wrap 9 ln 0 dropped |
    ");
    bench.act(LogAct::Streams);
    insta::assert_snapshot!(bench.drawn(), @r"
    WARN ecc ce=3 dimm=B1
    WARN ecc ce=6 dimm=B1
    WARN ecc ce=9 dimm=B1


    s17/01_mem-march stderr | FOLLOW wrap 3 ln 0 dropped |
    ");
}

#[test]
fn scrolling_up_stops_following_and_counts_what_is_new() {
    let mut bench = memory_march(60, 3);
    bench.show(true);
    bench.act(LogAct::Up(2));
    insta::assert_snapshot!(bench.drawn(), @r"
    23:13:26 e WARN ecc ce=6 dimm=B1
    23:13:27 o pass 7/9 addr 0x1ef000000 rd 11.2 GB/s
    23:13:28 o pass 8/9 addr 0x1f0000000 rd 11.2 GB/s
    s17/01_mem-march stdout+stderr | wrap time 12 ln |
    ");
    let before = bench.drawn();
    bench.append("out", b"new\nnewer\n");
    bench.append("logs.idx", b"1 1700000020000 500 99\n");
    bench.look();
    insta::assert_snapshot!(bench.drawn(), @r"
    23:13:26 e WARN ecc ce=6 dimm=B1
    23:13:27 o pass 7/9 addr 0x1ef000000 rd 11.2 GB/s
    23:13:28 o pass 8/9 addr 0x1f0000000 rd 11.2 GB/s
    s17/01_mem-march stdout+stderr | 2 new wrap time 14 ln |
    ");
    assert_eq!(bench.drawn().lines().next(), before.lines().next());
    bench.act(LogAct::Follow);
    insta::assert_snapshot!(bench.drawn(), @r"
    23:13:29 e WARN ecc ce=9 dimm=B1
    23:13:40 o new
    23:13:40 o newer
    s17/01_mem-march stdout+stderr | FOLLOW wrap time 14 ln |
    ");
    bench.act(LogAct::Top);
    insta::assert_snapshot!(bench.drawn(), @r"
    23:13:21 o pass 1/9 addr 0x1e9000000 rd 11.2 GB/s
    23:13:22 o pass 2/9 addr 0x1ea000000 rd 11.2 GB/s
    23:13:23 o pass 3/9 addr 0x1eb000000 rd 11.2 GB/s
    s17/01_mem-march stdout+stderr | wrap time 14 ln |
    ");
    bench.act(LogAct::Bottom);
    bench.append("out", b"newest\n");
    bench.look();
    insta::assert_snapshot!(bench.drawn(), @r"
    23:13:29 e WARN ecc ce=9 dimm=B1
    23:13:40 o new
    23:13:40 o newer
    s17/01_mem-march stdout+stderr | 1 new wrap time 15 ln |
    ");
}

#[test]
fn what_is_searched_is_found_and_counted() {
    let mut bench = memory_march(60, 3);
    bench.show(false);
    bench.act(LogAct::Search("ECC".to_owned()));
    bench.act(LogAct::Search("ecc".to_owned()));
    // Of a log that has ended the last hit is shown at once.
    assert_eq!(bench.pane.yank().as_deref(), Some("WARN ecc ce=9 dimm=B1"));
    bench.act(LogAct::PreviousHit);
    insta::assert_snapshot!(bench.drawn(), @r"
    23:13:26 o pass 6/9 addr 0x1ee000000 rd 11.2 GB/s
    23:13:26 e WARN ecc ce=6 dimm=B1
    23:13:27 o pass 7/9 addr 0x1ef000000 rd 11.2 GB/s
    s17/01_mem-march stdout+stderr | wrap time 12 ln | /ecc 2 of 3
    ");
    assert_eq!(bench.pane.yank().as_deref(), Some("WARN ecc ce=6 dimm=B1"));
    let buf = bench.buffer();
    let y = (0..3).find(|y| buf[(11, *y)].symbol() == "W").unwrap();
    let style = |x: u16| (buf[(x, y)].fg, buf[(x, y)].bg);
    assert_eq!((style(11), style(16)), ((Color::Yellow, Color::Reset), (Color::Yellow, Color::Blue)));
    assert_eq!(style(25), (Color::Red, Color::Reset));
    bench.act(LogAct::NextHit);
    bench.act(LogAct::NextHit);
    insta::assert_snapshot!(bench.drawn(), @r"
    23:13:28 o pass 8/9 addr 0x1f0000000 rd 11.2 GB/s
    23:13:29 o pass 9/9 addr 0x1f1000000 rd 11.2 GB/s
    23:13:29 e WARN ecc ce=9 dimm=B1
    s17/01_mem-march stdout+stderr | wrap time 12 ln | /ecc 3 of 3 no more in this direction
    ");
    bench.act(LogAct::Top);
    bench.act(LogAct::NextStderr);
    insta::assert_snapshot!(bench.drawn(), @r"
    23:13:23 o pass 3/9 addr 0x1eb000000 rd 11.2 GB/s
    23:13:23 e WARN ecc ce=3 dimm=B1
    23:13:24 o pass 4/9 addr 0x1ec000000 rd 11.2 GB/s
    s17/01_mem-march stdout+stderr | wrap time 12 ln | /ecc 1 of 3
    ");
    bench.act(LogAct::Search(String::new()));
    bench.act(LogAct::NextHit);
    bench.act(LogAct::Filter("ce=[36]".to_owned()));
    insta::assert_snapshot!(bench.drawn(), @r"
    23:13:23 e WARN ecc ce=3 dimm=B1
    23:13:26 e WARN ecc ce=6 dimm=B1

    s17/01_mem-march stdout+stderr | wrap time 12 ln | &ce=[36]
    ");
}

#[test]
fn long_lines_wrap_or_are_cut_at_the_edge() {
    let mut bench = Bench::new(20, 3);
    bench.append("out", "first\n漢字 0123456789 abcdefghij klmnopqrst\nlast\n".as_bytes());
    bench.show(false);
    bench.act(LogAct::Time);
    bench.act(LogAct::Streams);
    insta::assert_snapshot!(bench.drawn(), @r"
    漢 字  0123456789 abcd
    efghij klmnopqrst
    last
    s17/01_mem-march stdout | wrap 3 ln |
    ");
    bench.act(LogAct::Up(1));
    insta::assert_snapshot!(bench.drawn(), @r"
    first
    漢 字  0123456789 abcd
    efghij klmnopqrst
    s17/01_mem-march stdout | wrap 3 ln |
    ");
    bench.act(LogAct::Wrap);
    insta::assert_snapshot!(bench.drawn(), @r"
    first
    漢 字  0123456789 abc>
    last
    s17/01_mem-march stdout | 3 ln |
    ");
    bench.act(LogAct::Right(9));
    insta::assert_snapshot!(bench.drawn(), @r"
    <
    <56789 abcdefghij k>
    <
    s17/01_mem-march stdout | 3 ln |
    ");
}

#[test]
fn what_is_missing_or_no_log_is_said() {
    let mut bench = Bench::new(40, 2);
    bench.show(true);
    insta::assert_snapshot!(bench.drawn(), @r"


    s17/01_mem-march stdout+stderr | FOLLOW wrap time 0 ln |
    ");
    fs::create_dir(bench.folder.path().join("out")).unwrap();
    bench.look();
    insta::assert_snapshot!(bench.drawn(), @r"


    s17/01_mem-march stdout+stderr | cannot be read: not a regular file |
    ");
    let requests = bench.pane.show(None);
    assert_eq!(requests, [LogRequest::Hide]);
    assert_eq!(bench.pane.act(LogAct::Top), []);
}

#[test]
fn the_same_log_keeps_its_place() {
    let mut bench = memory_march(60, 3);
    bench.show(true);
    bench.act(LogAct::Top);
    let before = bench.drawn();
    let files = bench.files();
    let again = bench.pane.show(Some(("s17/01_mem-march".to_owned(), files, false)));
    assert_eq!(again, [LogRequest::Live(false)]);
    bench.serve(again);
    assert_eq!(bench.drawn(), before);
}

fn acts() -> impl Strategy<Value = Vec<LogAct>> {
    let act = prop_oneof![
        (1..9_u16).prop_map(LogAct::Up),
        (1..9_u16).prop_map(LogAct::Down),
        (1..9_u16).prop_map(LogAct::Right),
        prop::sample::select(vec![
            LogAct::Top,
            LogAct::Bottom,
            LogAct::PageUp,
            LogAct::PageDown,
            LogAct::Follow,
            LogAct::Wrap,
            LogAct::Time,
            LogAct::Streams,
            LogAct::NextHit,
            LogAct::PreviousHit,
            LogAct::NextStderr,
            LogAct::PreviousStderr,
        ]),
        "[a-c]?".prop_map(LogAct::Search),
        "[a-c]?".prop_map(LogAct::Filter),
    ];
    prop::collection::vec(act, 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn whatever_is_done_nothing_hostile_is_drawn_and_nothing_outside(
        out in prop::collection::vec(prop_oneof![any::<u8>(), Just(b'\n'), Just(b'a'), Just(0x1b), Just(b'[')], 0..300),
        err in prop::collection::vec(prop_oneof![any::<u8>(), Just(b'\n'), Just(b'b')], 0..100),
        acts in acts(),
        columns in 0..40_u16,
        rows in 0..8_u16,
    ) {
        let mut bench = Bench::new(columns, rows);
        bench.append("out", &out);
        bench.append("err", &err);
        bench.show(false);
        for act in acts {
            bench.act(act);
            let outside = Rect::new(0, 0, columns + 2, rows + 2);
            let mut buf = Buffer::filled(outside, ratatui::buffer::Cell::new("~"));
            bench.pane.view(Rect::new(1, 1, columns, rows), &mut buf, &palette(), true);
            for y in 0..outside.height {
                for x in 0..outside.width {
                    let symbol = buf[(x, y)].symbol();
                    prop_assert!(!symbol.chars().any(is_hostile));
                    let is_inside = (1..=columns).contains(&x) && (1..=rows).contains(&y);
                    prop_assert!(is_inside || symbol == "~");
                }
            }
            prop_assert!(!bench.drawn().replace('\n', "").chars().any(is_hostile));
        }
    }

    #[test]
    fn down_and_up_are_inverse(lengths in prop::collection::vec(0..60_usize, 30..60), steps in prop::collection::vec(1..9_u16, 1..6), wraps in any::<bool>()) {
        let mut bench = Bench::new(30, 5);
        let text: Vec<String> = lengths.iter().enumerate().map(|(n, length)| format!("{n} {}\n", "x".repeat(*length))).collect();
        bench.append("out", text.concat().as_bytes());
        bench.show(false);
        if !wraps {
            bench.act(LogAct::Wrap);
        }
        bench.act(LogAct::Top);
        bench.act(LogAct::Down(5));
        let before = bench.drawn();
        let mut shown = vec![before.clone()];
        for step in &steps[..steps.len().min(2)] {
            bench.act(LogAct::Down(*step));
            shown.push(bench.drawn());
        }
        for step in steps[..steps.len().min(2)].iter().rev() {
            prop_assert_eq!(bench.drawn(), shown.pop().unwrap());
            bench.act(LogAct::Up(*step));
        }
        prop_assert_eq!(bench.drawn(), before);
    }
}
