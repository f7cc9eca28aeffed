//! The picture in the README: the real application in a pseudo-terminal, on the sample workspace, in the middle of the
//! shmoo demo, drawn cell by cell. `.ci/picture` makes it anew; what is checked here is that it shows this application.

use std::fmt::Write as _;
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use portable_pty::{CommandBuilder, PtySize, native_pty_system};

const COLUMNS: u16 = 120;
const ROWS: u16 = 36;
/// Pixels of a cell.
const WIDTH: f64 = 8.4;
const HEIGHT: f64 = 18.0;
const GROUND: &str = "#16181d";
const INK: &str = "#d6d9e0";

#[test]
fn the_picture_of_the_screen_shows_this_application() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/screen.svg");
    if std::env::var_os("ROAD_RUNNER_PICTURE").is_some() {
        fs::write(&path, picture()).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap();
    for wanted in ["1 Flows", "2 Margins", "3 Runs", "4 Shmoo", "5 Steps", "6 Log", "edge", "RUN", "sim.voltage"] {
        assert!(found.contains(wanted), "docs/screen.svg does not show `{wanted}`: .ci/picture makes it anew");
    }
    assert!(found.starts_with("<svg") && found.trim_end().ends_with("</svg>"));
}

/// Runs the demo and draws the screen once two thirds of it are done.
fn picture() -> String {
    let folder = tempfile::tempdir().unwrap();
    let workspace = folder.path().join("bench");
    let init = std::process::Command::new(env!("CARGO_BIN_EXE_road_runner"))
        .arg("init")
        .arg(&workspace)
        .stdout(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(init.success());
    let size = PtySize { rows: ROWS, cols: COLUMNS, pixel_width: 0, pixel_height: 0 };
    let pair = native_pty_system().openpty(size).unwrap();
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_road_runner"));
    command.args(["run", "--yes", "--flow", "shmoo_demo", "--margin", "shmoo_demo", "--unit", "SN123456"]);
    command.args(["--theme", "dark"]);
    command.cwd(&workspace);
    command.env_clear();
    for (key, value) in
        [("TERM", "xterm-256color"), ("COLORTERM", "truecolor"), ("PATH", "/usr/bin:/bin"), ("HOME", "/")]
    {
        command.env(key, value);
    }
    command.env("ROAD_RUNNER_HOST_LOCK", folder.path().join("lock"));
    let mut child = pair.slave.spawn_command(command).unwrap();
    drop(pair.slave);
    let mut reader = pair.master.try_clone_reader().unwrap();
    let mut writer = pair.master.take_writer().unwrap();
    let shared = Arc::new((
        Mutex::new(vt100::Parser::new(ROWS.try_into().unwrap(), COLUMNS.try_into().unwrap(), 0)),
        Condvar::new(),
    ));
    let feed = Arc::clone(&shared);
    std::thread::spawn(move || {
        let mut buffer = vec![0; 65536];
        while let Ok(count @ 1..) = reader.read(&mut buffer) {
            feed.0.lock().unwrap().process(&buffer[..count]);
            feed.1.notify_all();
        }
    });
    let wait = |wanted: &dyn Fn(&str) -> bool| {
        let parser = shared.0.lock().unwrap();
        let limit = Duration::from_secs(120);
        let waited = shared.1.wait_timeout_while(parser, limit, |p| !wanted(&p.screen().contents())).unwrap();
        assert!(!waited.1.timed_out(), "{}", waited.0.screen().contents());
        draw(waited.0.screen())
    };
    wait(&|screen| screen.contains("RUN "));
    writer.write_all(b"4").unwrap();
    let svg = wait(&|screen| ["81/108", "82/108", "83/108", "84/108", "85/108"].iter().any(|at| screen.contains(at)));
    wait(&|screen| screen.contains("108/108") && screen.contains("past run"));
    writer.write_all(b"q").unwrap();
    child.wait().unwrap();
    svg
}

/// The cells of a screen as an image.
fn draw(screen: &vt100::Screen) -> String {
    let (width, height) = (f64::from(COLUMNS) * WIDTH + 16.0, f64::from(ROWS) * HEIGHT + 16.0);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.0} \
         {height:.0}\" role=\"img\" aria-label=\"The application in the middle of a sweep\">\n<rect width=\"100%\" \
         height=\"100%\" rx=\"6\" fill=\"{GROUND}\"/>\n<g font-family=\"ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, \
         monospace\" font-size=\"14\" xml:space=\"preserve\">\n"
    );
    for row in 0..ROWS {
        let mut column = 0;
        while column < COLUMNS {
            let Some(first) = screen.cell(row, column) else { break };
            let look = Look::of(first);
            let begin = column;
            let mut text = String::new();
            while let Some(cell) = screen.cell(row, column).filter(|cell| Look::of(cell) == look) {
                text.push_str(if cell.has_contents() { cell.contents() } else { " " });
                column += 1;
                if column == COLUMNS {
                    break;
                }
            }
            span(&mut out, row, begin, column - begin, &text, &look);
        }
    }
    out.push_str("</g>\n</svg>\n");
    out
}

/// Cells of one look next to each other.
fn span(out: &mut String, row: u16, column: u16, cells: u16, text: &str, look: &Look) {
    let (x, y) = (8.0 + f64::from(column) * WIDTH, 8.0 + f64::from(row) * HEIGHT);
    let length = f64::from(cells) * WIDTH;
    if look.ground != GROUND {
        writeln!(
            out,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{length:.1}\" height=\"{HEIGHT}\" fill=\"{}\"/>",
            look.ground
        )
        .unwrap();
    }
    if text.trim().is_empty() {
        return;
    }
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let weight = if look.bold { " font-weight=\"bold\"" } else { "" };
    writeln!(
        out,
        "<text x=\"{x:.1}\" y=\"{:.1}\" textLength=\"{length:.1}\" fill=\"{}\"{weight}>{escaped}</text>",
        y + 13.5,
        look.ink
    )
    .unwrap();
}

/// How a cell looks.
#[derive(PartialEq, Eq)]
struct Look {
    ink: String,
    ground: String,
    bold: bool,
}

impl Look {
    fn of(cell: &vt100::Cell) -> Self {
        let (mut ink, mut ground) = (colour(cell.fgcolor(), INK), colour(cell.bgcolor(), GROUND));
        if cell.inverse() {
            std::mem::swap(&mut ink, &mut ground);
        }
        Self { ink, ground, bold: cell.bold() }
    }
}

fn colour(colour: vt100::Color, own: &str) -> String {
    match colour {
        vt100::Color::Rgb(red, green, blue) => format!("#{red:02x}{green:02x}{blue:02x}"),
        _ => own.to_owned(),
    }
}
