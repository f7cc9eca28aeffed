//! The thread that reads logs for the screen: it takes requests, answers the latest window first, and counts and searches
//! in between, in pieces of a few milliseconds. It wakes up ten times a second while a log is live and work is done, and
//! not at all for one that has ended. Never draws, never writes, and ends when nobody can ask any more.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, TryRecvError};
use std::thread;
use std::time::{Duration, Instant};

use super::ansi::Shown;
use crate::domain::theme::Depth;
use crate::store::log_find::Direction;
use crate::store::log_merge::Position;
use crate::store::log_pattern::Pattern;
use crate::store::log_reader::{
    Anchor, Counts, Finding, Line, LineKind, LogFiles, LogReader, Streams, Window, WindowRequest,
};
use crate::store::log_samples::Stream;

/// Between two looks at a live log.
const POLL: Duration = Duration::from_millis(100);
/// Between two reports of counts that go on.
const REPORT: Duration = Duration::from_millis(100);
/// A piece of work that took longer is followed by a smaller one.
const LONG: Duration = Duration::from_millis(2);
/// Bytes of a piece of work, at least and at most.
const PIECE: (u64, u64) = (64 * 1024, 8 << 20);

/// What the screen wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogRequest {
    /// Another log, of which later answers carry this number. Forgets filter, search and window.
    Show {
        /// The number.
        id: u64,
        /// Where it is.
        files: LogFiles,
        /// Which streams of it.
        streams: Streams,
        /// It is being written.
        is_live: bool,
    },
    /// No log.
    Hide,
    /// Whether it is being written.
    Live(bool),
    /// Other streams of it.
    Streams(Streams),
    /// Only lines that show this.
    Filter(Option<Pattern>),
    /// What to count, and what [`LogRequest::Find`] looks for.
    Search(Option<Pattern>),
    /// These lines, now and whenever they change.
    Window {
        /// Comes back with the answer.
        serial: u64,
        /// Which.
        request: WindowRequest,
    },
    /// The next hit, or the next line of one stream; see [`LogReader::find`].
    Find {
        /// Comes back with the answer.
        serial: u64,
        /// Where to.
        direction: Direction,
        /// Any line of this stream instead of a hit.
        only: Option<Stream>,
        /// From where.
        from: Option<Position>,
        /// That line counts.
        included: bool,
    },
    /// Whether to count new lines, from now on.
    Mark(bool),
}

/// A line as it is drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownLine {
    /// Where it begins.
    pub position: Position,
    /// The byte behind its last.
    pub end: u64,
    /// What it is.
    pub kind: LineKind,
    /// When it was written, milliseconds since the epoch.
    pub unix_ms: Option<i64>,
    /// Its text.
    pub shown: Shown,
}

/// Lines as they are drawn; see [`Window`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ShownWindow {
    /// From above to below.
    pub lines: Vec<Arc<ShownLine>>,
    /// How many of them are above the anchor.
    pub anchor: usize,
    /// There is nothing above.
    pub is_top: bool,
    /// There is nothing below.
    pub is_end: bool,
    /// The search for them goes on.
    pub is_partial: bool,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogReply {
    /// Of which log.
    pub id: u64,
    /// What.
    pub what: LogNews,
}

/// What is new.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogNews {
    /// Lines.
    Window {
        /// Of the request.
        serial: u64,
        /// The lines.
        window: ShownWindow,
    },
    /// Numbers.
    Counts(Counts),
    /// What was found, if anything.
    Found {
        /// Of the request.
        serial: u64,
        /// Where.
        place: Option<Position>,
    },
    /// The log was replaced: what was found stands here now.
    Moved(Position),
}

/// Starts the thread. It ends when the sender is dropped. Errors: no thread can be had.
pub fn start(depth: Depth, reply: impl Fn(LogReply) + Send + 'static) -> io::Result<Sender<LogRequest>> {
    let (sender, receiver) = mpsc::channel();
    thread::Builder::new().name("logs".to_owned()).spawn(move || run(&receiver, Worker::new(depth, reply)))?;
    Ok(sender)
}

fn run<F: Fn(LogReply)>(requests: &Receiver<LogRequest>, mut worker: Worker<F>) {
    loop {
        let received = match worker.turn() {
            Next::Now => requests.try_recv().map_err(|error| error == TryRecvError::Disconnected),
            Next::After(time) => requests.recv_timeout(time).map_err(|error| error == RecvTimeoutError::Disconnected),
            Next::Asked => requests.recv().map_err(|_| true),
        };
        match received {
            Ok(request) => {
                worker.take(request);
                for request in requests.try_iter() {
                    worker.take(request);
                }
            }
            Err(true) => return,
            Err(false) => {}
        }
    }
}

/// When there is something to do again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Now,
    After(Duration),
    Asked,
}

/// What the thread does, one piece at a time.
pub(super) struct Worker<F> {
    depth: Depth,
    reply: F,
    id: u64,
    log: Option<Open>,
    piece: u64,
}

/// The log that is shown.
struct Open {
    reader: LogReader,
    is_live: bool,
    polled: Instant,
    wanted: Option<(u64, WindowRequest)>,
    /// The window is to be looked at again.
    is_stale: bool,
    sent: Option<(u64, ShownWindow)>,
    finding: Option<u64>,
    cursor: Option<Position>,
    counts: Option<Counts>,
    reported: Instant,
    is_busy: bool,
}

impl<F: Fn(LogReply)> Worker<F> {
    pub(super) fn new(depth: Depth, reply: F) -> Self {
        Self { depth, reply, id: 0, log: None, piece: PIECE.0 }
    }

    pub(super) fn take(&mut self, request: LogRequest) {
        if let LogRequest::Show { id, files, streams, is_live } = request {
            self.id = id;
            let now = Instant::now();
            self.log = Some(Open {
                reader: LogReader::open(files, streams),
                is_live,
                polled: now,
                wanted: None,
                is_stale: false,
                sent: None,
                finding: None,
                cursor: None,
                counts: None,
                reported: now,
                is_busy: true,
            });
            return;
        }
        let Some(log) = &mut self.log else { return };
        match request {
            LogRequest::Show { .. } => {}
            LogRequest::Hide => {
                self.log = None;
                return;
            }
            LogRequest::Live(is_live) => {
                log.is_live = is_live;
                // What was written last, and a log that was cut at the end.
                log.look(&mut |news| (self.reply)(LogReply { id: self.id, what: news }));
            }
            LogRequest::Streams(streams) => log.reader.set_streams(streams),
            LogRequest::Filter(filter) => log.reader.set_filter(filter),
            LogRequest::Search(search) => {
                log.reader.set_search(search);
                (log.cursor, log.finding) = (None, None);
            }
            LogRequest::Window { serial, request } => log.wanted = Some((serial, request)),
            LogRequest::Find { serial, direction, only, from, included } => {
                log.reader.find(direction, only, from, included);
                log.finding = Some(serial);
            }
            LogRequest::Mark(true) => log.reader.mark(),
            LogRequest::Mark(false) => log.reader.unmark(),
        }
        (log.is_stale, log.is_busy) = (true, true);
    }

    /// Does the most urgent thing.
    pub(super) fn turn(&mut self) -> Next {
        let id = self.id;
        let Some(log) = &mut self.log else { return Next::Asked };
        let mut send = |what| (self.reply)(LogReply { id, what });
        if log.is_live && log.polled.elapsed() >= POLL {
            log.look(&mut send);
        }
        if log.is_stale {
            log.is_stale = false;
            log.answer(self.depth, &mut send);
        }
        if log.is_busy {
            let begin = Instant::now();
            log.is_busy = log.work(self.piece, &mut send);
            self.piece = match begin.elapsed() {
                took if took > LONG => self.piece / 2,
                took if took < LONG / 3 => self.piece * 2,
                _ => self.piece,
            };
            self.piece = self.piece.clamp(PIECE.0, PIECE.1);
        }
        let is_due = !log.is_busy || log.counts.is_none() || log.reported.elapsed() >= REPORT;
        if is_due {
            log.report(self.depth, &mut send);
        }
        match (log.is_busy || log.is_stale, log.is_live) {
            (true, _) => Next::Now,
            (false, true) => Next::After(POLL.saturating_sub(log.polled.elapsed())),
            (false, false) => Next::Asked,
        }
    }
}

impl Open {
    /// Looks at the files.
    fn look(&mut self, send: &mut impl FnMut(LogNews)) {
        self.polled = Instant::now();
        let polled = self.reader.poll();
        if polled.is_replaced {
            if let Some((_, WindowRequest { anchor: Anchor::At(position), .. })) = &mut self.wanted {
                *position = self.reader.moved(*position);
            }
            if let Some(cursor) = &mut self.cursor {
                *cursor = self.reader.moved(*cursor);
                send(LogNews::Moved(*cursor));
            }
            // Lines of another file must not be taken for those that are known.
            if let Some((_, window)) = &mut self.sent {
                window.lines.clear();
            }
        }
        if polled.has_changed {
            (self.is_stale, self.is_busy) = (true, true);
        }
    }

    /// Sends the lines that are wanted, if they are not those that were sent.
    fn answer(&mut self, depth: Depth, send: &mut impl FnMut(LogNews)) {
        let Some((serial, request)) = self.wanted else { return };
        let window = self.reader.window(&request);
        let window = self.shown(window, depth);
        if self.sent.as_ref().is_none_or(|(other, sent)| *other != serial || *sent != window) {
            send(LogNews::Window { serial, window: window.clone() });
            self.sent = Some((serial, window));
        }
    }

    /// Lines as they are drawn; those that were sent before are not read again.
    fn shown(&self, window: Window, depth: Depth) -> ShownWindow {
        let known = self.sent.iter().flat_map(|(_, sent)| &sent.lines).map(|line| (line.position, line));
        let known: HashMap<Position, &Arc<ShownLine>> = known.collect();
        let line = |line: Line| {
            let same = |known: &&&Arc<ShownLine>| {
                (known.end, known.kind, known.unix_ms) == (line.end, line.kind, line.unix_ms)
            };
            match known.get(&line.position).filter(same) {
                Some(known) => Arc::clone(known),
                None => Arc::new(shown(&line, depth)),
            }
        };
        let Window { lines, anchor, is_top, is_end, is_partial } = window;
        ShownWindow { lines: lines.into_iter().map(line).collect(), anchor, is_top, is_end, is_partial }
    }

    /// One piece of work. `true` while there is more.
    fn work(&mut self, piece: u64, send: &mut impl FnMut(LogNews)) -> bool {
        if let Some(serial) = self.finding {
            let place = match self.reader.find_on(piece) {
                Finding::More => return true,
                Finding::At(position) => Some(position),
                Finding::Nothing => None,
            };
            self.cursor = place.or(self.cursor);
            self.finding = None;
            send(LogNews::Found { serial, place });
        }
        self.reader.work(piece)
    }

    /// Sends what was counted, and what was found of a window so far.
    fn report(&mut self, depth: Depth, send: &mut impl FnMut(LogNews)) {
        if self.sent.as_ref().is_some_and(|(_, sent)| sent.is_partial) {
            self.answer(depth, send);
        }
        let counts = self.reader.counts(self.cursor);
        if self.counts.as_ref() != Some(&counts) {
            send(LogNews::Counts(counts.clone()));
            self.counts = Some(counts);
        }
        self.reported = Instant::now();
    }
}

fn shown(line: &Line, depth: Depth) -> ShownLine {
    let shown = match line.kind {
        LineKind::Dropped(bytes) => Shown::plain(format!("[{bytes} bytes dropped here]")),
        LineKind::Text { is_cut, .. } => {
            let mut text = Shown::of(&line.text, depth);
            if is_cut {
                text.append(" [cut here]");
            }
            text
        }
    };
    ShownLine { position: line.position, end: line.end, kind: line.kind, unix_ms: line.unix_ms, shown }
}

#[cfg(test)]
mod tests;
