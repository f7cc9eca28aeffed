//! What it costs to show a log of 5 GB (or as many bytes as `LOG_BENCH_BYTES` says): opened at its end, paged, searched
//! and counted, against plain reads of the same bytes in the same round; how long a request waits while all of it is
//! counted and searched; and whether memory grows with it. Each round is a process of its own, and leaves the peak of its
//! memory. Pages that stand in the cache are read from there, for the floor as for what is measured.

#![expect(clippy::expect_used, reason = "a bench that cannot do its work stops")]

mod common;

use std::fs::File;
use std::hint::black_box;
use std::io::{BufWriter, Read as _, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use road_runner::domain::theme::Depth;
use road_runner::store::log_find::Direction;
use road_runner::store::log_merge::Position;
use road_runner::store::log_pattern::Pattern;
use road_runner::store::log_reader::{Anchor, Finding, LogFiles, LogReader, Streams, WindowRequest};
use road_runner::store::log_samples::Stream;
use road_runner::tui::log_thread::{self, LogNews, LogRequest};

use common::figures::{self, Figure};
use common::process;

const ROUNDS: usize = 3;
/// Rows of the pane.
const ROWS: usize = 50;
/// Pages, and requests while there is other work.
const PAGES: u32 = 200;
/// Bytes of a piece of work, as the thread has them.
const PIECE: u64 = 1 << 20;
/// Stands once in the log, a little before its end.
const NEEDLE: &str = "Unique Needle 4711";

/// What a child measures: how it is called and in which unit.
const FIGURES: [(&str, &str); 9] = [
    ("opened, first window, against the last 64 KiB", "ms"),
    ("a page up, against its bytes", "us"),
    ("a page down, against its bytes", "us"),
    ("to the top, against the first 64 KiB", "us"),
    ("search for a line near the end, in the case given", "s"),
    ("the same in any case", "s"),
    ("filter for it, from the end to the top", "s"),
    ("all lines counted", "s"),
    ("longest wait for a window while counted and searched, against an idle one", "ms"),
];

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, child, folder] = arguments.as_slice()
        && child == "--reader"
    {
        return reader(Path::new(folder));
    }
    let size = std::env::var("LOG_BENCH_BYTES").ok().and_then(|text| text.parse().ok()).unwrap_or(5 << 30);
    let temporary = || tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let (large, small) = (temporary(), temporary());
    write(large.path(), size);
    write(small.path(), 1 << 20);
    let mut figures: Vec<Figure> = FIGURES.iter().map(|(what, unit)| Figure::new(what, unit)).collect();
    let mut peak = Figure::new("peak memory, against a log of 1 MiB", "MiB");
    let mut rate = Figure::new("search for a line near the end, in the case given", "MB/s");
    for _ in 0..ROUNDS {
        let (_, little) = measured(small.path());
        let (values, all) = measured(large.path());
        for (figure, (floor, value)) in figures.iter_mut().zip(&values) {
            figure.add(*floor, *value);
        }
        let (floor, seconds) = values[4];
        let megabytes = megabytes(size);
        rate.add(megabytes / floor, megabytes / seconds);
        peak.add(little, all);
    }
    figures.extend([rate, peak]);
    figures::print(&format!("a log of {:.0} MB; {ROUNDS} rounds", megabytes(size)), &figures);
}

fn megabytes(bytes: u64) -> f64 {
    f64::from(u32::try_from(bytes / 1_000_000).expect("less than 4 PB"))
}

/// Lines as a memory test writes them, and the index that the engine would have left.
fn write(folder: &Path, size: u64) {
    let mut block = vec![];
    let mut line = 0_u64;
    while block.len() < 8 << 20 {
        let tail = "=".repeat(usize::try_from(line * 7919 % 60).expect("small"));
        writeln!(block, "pass {line}/9999 addr {:#014x} rd 11.2 GB/s wr 10.8 GB/s {tail}", line * 0x1_0000)
            .expect("room");
        line += 1;
    }
    let mut log = BufWriter::new(File::create(folder.join("out")).expect("a file"));
    let mut index = BufWriter::new(File::create(folder.join("logs.idx")).expect("a file"));
    let mut written = 0;
    let sample = |index: &mut BufWriter<File>, written: u64| {
        writeln!(index, "0 {} {written} 0", 1_700_000_000_000 + written / 10_000).expect("a line");
    };
    while written < size {
        let rest = usize::try_from(size - written).unwrap_or(usize::MAX);
        let piece = &block[..rest.min(block.len())];
        for part in piece.chunks(50_000) {
            log.write_all(part).expect("room");
            written += part.len() as u64;
            sample(&mut index, written);
        }
    }
    let last = [format!("\n{NEEDLE}\n").as_bytes(), &block[..4096]].concat();
    log.write_all(&last).expect("room");
    written += last.len() as u64;
    sample(&mut index, written);
    File::create(folder.join("err")).expect("a file");
    log.into_inner().expect("room").sync_all().expect("room");
}

/// Floors and figures of one round, and its peak of memory.
fn measured(folder: &Path) -> (Vec<(f64, f64)>, f64) {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.arg("--reader").arg(folder);
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output().expect("it runs");
    assert!(output.status.success(), "{}", output.status);
    let text = String::from_utf8(output.stdout).expect("text");
    let numbers: Vec<f64> = text.split_whitespace().map(|number| number.parse().expect("a number")).collect();
    let pairs = numbers.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
    (pairs, numbers[numbers.len() - 1])
}

fn files(folder: &Path) -> LogFiles {
    LogFiles { stdout: folder.join("out"), stderr: folder.join("err"), index: folder.join("logs.idx"), execution: 0 }
}

fn request(anchor: Anchor, shift: i32) -> WindowRequest {
    WindowRequest { anchor, shift, above: 2 * ROWS, below: 2 * ROWS }
}

/// Seconds that something takes.
fn timed(what: impl FnOnce()) -> f64 {
    let start = Instant::now();
    what();
    start.elapsed().as_secs_f64()
}

fn reader(folder: &Path) {
    let path = folder.join("out");
    // A round's search and its floor stand next to each other: the machine has other things to do.
    let whole = || timed(|| read_all(&path));
    let mut pairs: Vec<(f64, f64)> = vec![];
    let mut open = None;
    let opened = timed(|| {
        let mut reader = LogReader::open(files(folder), Streams::Both);
        assert!(reader.window(&request(Anchor::Tail, 0)).lines.len() == 2 * ROWS);
        open = Some(reader);
    });
    let mut reader = open.expect("it was opened");
    pairs.push((read_at(&path, None) * 1e3, opened * 1e3));
    // Order and times are as the index says; it is read in the background.
    while reader.work(PIECE) && !reader.window(&request(Anchor::Tail, 0)).lines.is_empty() {
        if !reader.window(&request(Anchor::Tail, 0)).is_partial {
            break;
        }
    }
    for direction in [-1, 1] {
        let middle = Position { stream: Stream::Stdout, offset: std::fs::metadata(&path).expect("a log").len() / 2 };
        let (mut at, mut floor) = (middle, 0.0);
        let paged = timed(|| {
            for _ in 0..PAGES {
                let window = reader.window(&request(Anchor::At(at), direction * 50));
                at = window.lines[window.anchor.min(window.lines.len() - 1)].position;
            }
        });
        for page in 0..PAGES {
            floor += read_at(&path, Some(middle.offset / 2 + u64::from(page) * 5_000));
        }
        pairs.push((floor / f64::from(PAGES) * 1e6, paged / f64::from(PAGES) * 1e6));
    }
    let top = timed(|| assert!(reader.window(&request(Anchor::Top, 0)).is_top));
    pairs.push((read_at(&path, Some(0)) * 1e6, top * 1e6));
    // The cache is as warm for the first floor as for what follows.
    whole();
    for pattern in [NEEDLE.to_owned(), NEEDLE.to_lowercase()] {
        let floor = whole();
        reader.set_search(Pattern::new(&pattern));
        reader.find(Direction::Down, None, None, true);
        let searched = timed(|| while reader.find_on(PIECE) == Finding::More {});
        pairs.push((floor, searched));
    }
    reader.set_search(None);
    let floor = whole();
    let filtered = timed(|| {
        reader.set_filter(Pattern::new(NEEDLE));
        while reader.window(&request(Anchor::Tail, 0)).is_partial {
            reader.work(PIECE);
        }
    });
    assert_eq!(reader.window(&request(Anchor::Tail, 0)).lines.len(), 1);
    pairs.push((floor, filtered));
    drop(reader);
    let floor = whole();
    let mut reader = LogReader::open(files(folder), Streams::Both);
    let counted = timed(|| while reader.work(PIECE) {});
    assert!(reader.counts(None).lines.is_exact);
    drop(reader);
    pairs.push((floor, counted));
    pairs.push(waits(folder));
    for (floor, value) in pairs {
        println!("{floor} {value}");
    }
    println!("{}", process::own_peak_mib());
}

/// Milliseconds that a window is waited for: the median of an idle thread, and the longest of a busy one.
fn waits(folder: &Path) -> (f64, f64) {
    let (into, news) = mpsc::channel();
    let thread = log_thread::start(Depth::True, move |reply| drop(into.send(reply.what))).expect("a thread");
    let send = |request| thread.send(request).expect("it listens");
    let wait = |serial: u64| {
        let middle = Position { stream: Stream::Stdout, offset: 2_000_000 + serial % 2 * 1000 };
        let window = LogRequest::Window { serial, request: request(Anchor::At(middle), 0) };
        timed(|| {
            send(window);
            while !matches!(news.recv(), Ok(LogNews::Window { serial: answered, .. }) if answered == serial) {}
        }) * 1e3
    };
    let show = LogRequest::Show { id: 1, files: files(folder), streams: Streams::Both, is_live: false };
    send(show.clone());
    wait(1);
    let is_counted = |counts: &LogNews| matches!(counts, LogNews::Counts(counts) if counts.lines.is_exact);
    while !is_counted(&news.recv().expect("counts")) {}
    let mut idle: Vec<f64> = (2..100).map(wait).collect();
    idle.sort_by(f64::total_cmp);
    send(show);
    send(LogRequest::Search(Pattern::new("no such line")));
    let find = |serial| LogRequest::Find { serial, direction: Direction::Down, only: None, from: None, included: true };
    send(find(1));
    let busy = (0..u64::from(PAGES)).map(|serial| {
        std::thread::sleep(Duration::from_millis(5));
        wait(1000 + serial)
    });
    (idle[idle.len() / 2], busy.fold(0.0, f64::max))
}

/// A plain read of the whole log, in pieces.
fn read_all(path: &Path) {
    let mut file = File::open(path).expect("a log");
    let mut buffer = vec![0; 1 << 20];
    while file.read(&mut buffer).expect("readable") > 0 {
        black_box(&buffer);
    }
}

/// Seconds of a plain read of 64 KiB, from the end when there is no place.
fn read_at(path: &Path, place: Option<u64>) -> f64 {
    let mut buffer = vec![0; 64 * 1024];
    timed(|| {
        let file = File::open(path).expect("a log");
        let size = file.metadata().expect("a size").len();
        let place = place.unwrap_or(size.saturating_sub(buffer.len() as u64));
        black_box(file.read_at(&mut buffer, place).expect("readable"));
    })
}
