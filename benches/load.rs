//! What it costs to load a large flow: just under 4 MiB, the most that an input file may have, against the bare event stream
//! of the YAML engine over the same text.

#![expect(clippy::expect_used, reason = "a bench that cannot do its work stops")]

mod common;

use std::fmt::Write as _;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use road_runner::input::catalogue::Catalogue;
use road_runner::input::source::{MAX_BYTES, Source};
use road_runner::input::{catalogue, flow, yaml};
use serde_yaml::granit_parser::Parser;

use common::figures::{self, Figure};

const ROUNDS: usize = 15;

fn main() {
    let text = text();
    let adapters = Catalogue::read(Path::new(env!("CARGO_MANIFEST_DIR"))).adapters;
    let size = u32::try_from(text.len()).expect("4 MiB");
    let mut tree = Figure::new("the tree", "ms");
    let mut whole = Figure::new("tree, flow, every check", "ms");
    for _ in 0..ROUNDS {
        let floor = millis(|| assert!(Parser::new_from_str(&text).all(|event| event.is_ok())));
        tree.add(floor, millis(|| drop(black_box(yaml::parse(&text).expect("a document")))));
        whole.add(
            floor,
            millis(|| {
                let source = Source::new("flows/large.yaml", &text);
                let (flow, _) = catalogue::document(&source, |doc, root| flow::read(doc, root, &adapters));
                black_box(flow.expect("a flow"));
            }),
        );
    }
    let mib = f64::from(size) / f64::from(1 << 20);
    let title = format!("loading a flow of {mib:.2} MiB, against its bare events; {ROUNDS} rounds");
    figures::print(&title, &[tree, whole]);
}

/// As many steps as fit.
fn text() -> String {
    let mut text = "name: large\nsteps:\n".to_owned();
    let most = usize::try_from(MAX_BYTES).expect("a size") - 400;
    for number in 0.. {
        if text.len() > most {
            break;
        }
        let _ = write!(
            text,
            "  - name: step-{number}\n    adapter: mem_pattern\n    params: {{ passes: 1 }}\n    timeout: 30s\n    sweep:\n      \
             size_mb: [16, 32]\n      pattern: [walking_ones, checkerboard]\n    repeat: 3\n    pass_rule: {{ at_least: 2 }}\n"
        );
    }
    text
}

fn millis(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64() * 1000.0
}
