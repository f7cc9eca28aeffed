//! What the thread answers, and when it does not; the worker alone, turn by turn, and the thread around it.

use std::cell::RefCell;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::rc::Rc;

use super::*;

fn files(folder: &Path) -> LogFiles {
    LogFiles { stdout: folder.join("out"), stderr: folder.join("err"), index: folder.join("logs.idx"), execution: 0 }
}

fn append(path: &Path, text: &str) {
    OpenOptions::new().append(true).create(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

fn tail() -> LogRequest {
    let request = WindowRequest { anchor: Anchor::Tail, shift: 0, above: 3, below: 0 };
    LogRequest::Window { serial: 1, request }
}

fn texts(window: &ShownWindow) -> Vec<&str> {
    window.lines.iter().map(|line| line.shown.text.as_str()).collect()
}

#[test]
fn nothing_is_said_twice_and_a_log_that_has_ended_rests() {
    let folder = tempfile::tempdir().unwrap();
    append(&folder.path().join("out"), &"line\n".repeat(200_000));
    let said = Rc::new(RefCell::new(vec![]));
    let into = Rc::clone(&said);
    let mut worker = Worker::new(Depth::Ansi, move |reply: LogReply| into.borrow_mut().push(reply.what));
    let files = files(folder.path());
    worker.take(LogRequest::Show { id: 1, files, streams: Streams::Both, is_live: false });
    worker.take(tail());
    assert_eq!(worker.turn(), Next::Now);
    assert!(matches!(&said.borrow()[0], LogNews::Window { window, .. } if texts(window) == ["line"; 3]));
    while worker.turn() == Next::Now {}
    let last = said.borrow().last().cloned();
    assert!(matches!(last, Some(LogNews::Counts(counts)) if counts.lines.number == 200_000 && counts.lines.is_exact));
    let count = said.borrow().len();
    assert_eq!(said.borrow().iter().filter(|news| matches!(news, LogNews::Window { .. })).count(), 1);
    assert_eq!(worker.turn(), Next::Asked);
    worker.take(tail());
    while worker.turn() == Next::Now {}
    assert_eq!((worker.turn(), said.borrow().len()), (Next::Asked, count));
    worker.take(LogRequest::Live(true));
    while worker.turn() == Next::Now {}
    assert!(matches!(worker.turn(), Next::After(time) if time <= POLL));
    assert_eq!(said.borrow().len(), count);
    worker.take(LogRequest::Hide);
    assert_eq!(worker.turn(), Next::Asked);
}

#[test]
fn a_thread_answers_follows_and_ends() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    append(&out, "one\n\x1b[31mtwo\x1b[0m\n");
    let (into, said) = mpsc::channel();
    let requests = start(Depth::Ansi, move |reply| drop(into.send(reply.what))).unwrap();
    let wait = |wanted: &dyn Fn(&LogNews) -> bool| {
        while !wanted(&said.recv_timeout(Duration::from_secs(20)).unwrap()) {}
    };
    let is_window = |expected: &'static [&'static str]| move |news: &LogNews| matches!(news, LogNews::Window { window, .. } if texts(window) == expected);
    let show = LogRequest::Show { id: 1, files: files(folder.path()), streams: Streams::Both, is_live: true };
    requests.send(show).unwrap();
    requests.send(tail()).unwrap();
    wait(&is_window(&["one", "two"]));
    append(&out, "three\n");
    wait(&is_window(&["one", "two", "three"]));
    requests.send(LogRequest::Filter(Pattern::new("t"))).unwrap();
    wait(&is_window(&["two", "three"]));
    requests.send(LogRequest::Search(Pattern::new("e$"))).unwrap();
    wait(&|news| matches!(news, LogNews::Counts(counts) if counts.hits.is_some_and(|hits| hits.number == 1)));
    let find = |serial| LogRequest::Find { serial, direction: Direction::Down, only: None, from: None, included: true };
    requests.send(find(7)).unwrap();
    let place = Some(Position { stream: Stream::Stdout, offset: 17 });
    wait(&|news| *news == LogNews::Found { serial: 7, place });
    fs::write(&out, "anew, t\n").unwrap();
    wait(&is_window(&["anew, t"]));
    drop(requests);
    while said.recv_timeout(Duration::from_secs(20)) != Err(RecvTimeoutError::Disconnected) {}
}
