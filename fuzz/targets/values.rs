//! Targets that read small values: quantities, names, moments, and the texts by which a machine describes itself.

use std::io::Write as _;

use road_runner::domain::chord::Keys;
use road_runner::domain::evidence::{Logged, Observation};
use road_runner::domain::host::{HostFacts, KernelVersion};
use road_runner::domain::margin::FieldKey;
use road_runner::domain::name::Name;
use road_runner::domain::param::Decimal;
use road_runner::domain::policy::ParamKey;
use road_runner::domain::sanitize;
use road_runner::domain::sweep::Range;
use road_runner::domain::theme::Colour;
use road_runner::domain::time::{self, Timestamp};
use road_runner::domain::units::{Bytes, Kilohertz, Microvolts, Millidegrees, Millis, Quantity, parse_signed};
use road_runner::host::command::Limits;
use road_runner::host::evidence::counters::Counters;
use road_runner::host::evidence::kernel_log::KernelLog;
use road_runner::host::facts::{self, Firmware, Texts};
use road_runner::host::roots::{self, Roots};
use road_runner::host::source::Source;
use road_runner::host::sysinfo::Snapshot;
use road_runner::host::telemetry::{Reading, Sampler};
use road_runner::host::{collect, drift, process, sensors};
use road_runner::store::run_id::RunId;

use super::{files, is_fit_to_show, unpack};

/// Whatever is read from a line of text: prints, and is read back as itself.
pub fn quantity(data: &[u8]) {
    numbers(data);
    let Ok(text) = std::str::from_utf8(data) else { return };
    unit::<Microvolts>(text);
    unit::<Kilohertz>(text);
    unit::<Millis>(text);
    unit::<Bytes>(text);
    unit::<Millidegrees>(text);
    if let Some(decimal) = Decimal::parse(text) {
        assert_eq!(Decimal::parse(&decimal.to_string()), Some(decimal));
        assert!(decimal.to_f64().is_finite() && decimal.scale() <= Decimal::MAX_SCALE);
    }
    if let Some(at) = Timestamp::parse(text) {
        assert_eq!(Timestamp::parse(&at.to_string()), Some(at), "{at}");
        assert_eq!((at.since(at), Timestamp::from_millis(at.millis())), (0, Some(at)));
    }
    if let Ok(id) = RunId::parse(text) {
        assert_eq!(id.to_string(), text);
        assert!(!text.contains(['/', '\0']) && !text.starts_with('.'));
    }
    if let Ok(name) = Name::new(text) {
        assert_eq!(name.as_str(), text);
        assert!(is_fit_to_show(text) && !text.contains(['/', '.', ' ']));
    }
    prints::<FieldKey>(text);
    if let Ok(key) = ParamKey::try_from(text.to_owned()) {
        assert!(ParamKey::try_from(key.to_string()).is_ok_and(|again| again == key), "{key}");
    }
    prints::<KernelVersion>(text);
    prints::<Keys>(text);
    let _ = Colour::parse(text);
    if let Some(release) = KernelVersion::of_release(text) {
        assert!(release.at_least(&release) && release.at_most(&release));
    }
    shown(text);
}

fn prints<T: std::str::FromStr + std::fmt::Display + PartialEq>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        let shown = value.to_string();
        assert!(shown.parse::<T>().is_ok_and(|again| again == value), "{text:?} prints {shown:?}");
    }
}

fn unit<Q: Quantity + std::fmt::Debug>(text: &str) {
    match Q::parse(text) {
        Ok(quantity) => {
            assert!(quantity.base() <= Q::MAX);
            assert_eq!(Q::parse(&quantity.to_string()), Ok(quantity), "{text:?}");
            assert_eq!(parse_signed::<Q>(text), Ok(i64::try_from(quantity.base()).unwrap()));
        }
        Err(error) => assert!(error.to_string().len() < 400, "{error}"),
    }
    if let Ok(base) = parse_signed::<Q>(text) {
        assert!(base.unsigned_abs() <= Q::MAX);
    }
}

/// What is shown of a text holds nothing hostile, and JSON keeps its meaning.
fn shown(text: &str) {
    for shown in [sanitize::text(text), sanitize::line(text), sanitize::escaped(text), sanitize::shell_word(text)] {
        assert!(is_fit_to_show(&shown), "{shown:?}");
    }
    for line in [sanitize::line(text), sanitize::escaped(text)] {
        assert!(!line.contains(['\n', '\t']), "{line:?}");
    }
    let json = serde_json::to_string(text).unwrap();
    let fit = sanitize::json(&json);
    assert!(is_fit_to_show(&fit));
    assert_eq!(serde_json::from_str::<String>(&fit).unwrap(), text);
}

/// The first 24 bytes as a range, the first eight as a length of time.
fn numbers(data: &[u8]) {
    let number = |at: usize| data.get(at..at + 8).map(|bytes| i64::from_le_bytes(bytes.try_into().unwrap()));
    let Some(from) = number(0) else { return };
    let millis = from.unsigned_abs();
    for text in [time::span(millis), time::clock(millis), time::short_clock(millis), time::hours_and_minutes(millis)] {
        assert!(text.is_ascii() && !text.is_empty());
    }
    assert_eq!(Millis::parse(&Millis(millis).to_string()).is_ok(), millis <= Millis::MAX);
    let (Some(to), Some(step)) = (number(8), number(16)) else { return };
    let Ok(range) = Range::new(from, to, step) else { return };
    let (length, last) = (range.len(), range.at(range.len() - 1));
    assert_eq!(range.at(0), Some(from));
    // The longest of all ranges has one more value than can be counted.
    if length < u64::MAX {
        assert_eq!(range.at(length), None);
        let last = last.unwrap();
        assert!((from.min(to)..=from.max(to)).contains(&last));
        assert!(last.abs_diff(to) < step.unsigned_abs(), "{range:?} stops at {last}");
    }
}

/// `lscpu`, `uname -a`, `meminfo`, `cpuinfo` and what the firmware says, as files of one input.
pub fn facts(data: &[u8]) {
    let files = files(data, "all");
    let text = |name: &str| {
        let file = files.iter().find(|(path, _)| *path == name || *path == "all")?;
        Some(String::from_utf8_lossy(file.1).into_owned())
    };
    let lines = |name: &str| text(name).map(|text| text.lines().map(str::to_owned).collect()).unwrap_or_default();
    let firmware: Vec<String> = lines("firmware");
    let said = |line: usize| firmware.get(line).cloned();
    let texts = Texts {
        lscpu: text("lscpu"),
        uname: text("uname"),
        meminfo: text("meminfo"),
        cpuinfo: text("cpuinfo"),
        core_lists: lines("core_lists"),
        firmware: Firmware {
            system_vendor: said(0),
            product: said(1),
            board_vendor: said(2),
            board_name: said(3),
            tree_model: said(4),
            tree_hypervisor: said(5),
            hypervisor_type: said(6),
        },
    };
    let facts = facts::assemble(&texts);
    assert_eq!(facts, facts::assemble(&texts));
    assert!([facts.cores, facts.logical_cpus, facts.sockets].into_iter().flatten().all(|count| count > 0), "{facts:?}");
    let json = serde_json::to_string(&facts).unwrap();
    assert_eq!(serde_json::from_str::<HostFacts>(&json).unwrap(), facts);
    assert!(drift::between_facts(&facts, &facts).is_empty());
    if let Some(stat) = text("stat").as_deref().and_then(process::parse_stat) {
        assert!(!stat.state.is_whitespace());
    }
}

/// A machine as files below `sys/`, `proc/` and `etc/`: everything that is read of one.
pub fn host(data: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    unpack(folder.path(), &files(data, "proc/stat"));
    let roots = Roots::under(folder.path());
    let counters = Counters::find(&roots);
    let look = counters.look();
    for observation in counters.between(&look, &counters.look()).values() {
        if let Observation::Counted(counted) = observation {
            assert_eq!(counted.delta, 0, "{counted:?}");
        }
    }
    let mut sampler = Sampler::new(roots.clone());
    drop(sampler.sample());
    let telemetry = sampler.sample();
    if let Some(clocks) = telemetry.frequencies.value() {
        assert!(
            clocks.min_khz <= clocks.mean_khz && clocks.mean_khz <= clocks.max_khz || clocks.max_khz > u64::MAX / 2
        );
    }
    let readings = [&telemetry.temperatures, &telemetry.fans, &telemetry.power, &telemetry.voltages];
    for Reading { chip, label, .. } in readings.into_iter().filter_map(Source::value).flatten() {
        assert!(is_fit_to_show(chip) && is_fit_to_show(label));
    }
    drop(sensors::temperatures(&roots));
    drop(sensors::governors(&roots));
    drop((roots::boot_id(&roots), roots::hostname(&roots), roots::uptime_ms(&roots)));
    drop(process::stat(&roots, 1));
    assert_eq!(collect::host_facts(&roots), collect::host_facts(&roots));
    let snapshot = Snapshot::take(&roots, &[], Limits::default());
    let json = serde_json::to_string(&snapshot).unwrap();
    assert_eq!(serde_json::from_str::<Snapshot>(&json).unwrap(), snapshot);
    assert!(drift::between(&snapshot, &snapshot).is_empty());
}

/// Lines of the kernel log: what is kept is little and fit to show, and it does not matter in how many pieces they come.
pub fn kernel_log(data: &[u8]) {
    // A record of the kernel's is never longer; beyond that, lines are given up.
    let data = data.get(..8000).unwrap_or(data);
    let whole = looks(&[data]);
    let (first, second) = data.split_at(data.len() / 2);
    assert_eq!(looks(&[first, second]), whole);
    assert!(whole.lines.len() <= 8);
    assert!(whole.lines.iter().all(|line| line.len() <= 300 && is_fit_to_show(line) && !line.contains('\n')));
}

/// What is logged when these pieces come one after the other, the last with the end of its line.
fn looks(pieces: &[&[u8]]) -> Logged {
    thread_local! {
        static LOG: std::cell::RefCell<Option<(tempfile::NamedTempFile, KernelLog)>> = const { std::cell::RefCell::new(None) };
    }
    LOG.with_borrow_mut(|log| {
        let (file, log) = log.get_or_insert_with(|| {
            let file = tempfile::NamedTempFile::new().unwrap();
            let log = KernelLog::open(file.path()).unwrap();
            (file, log)
        });
        let mut sum = Logged::default();
        for (at, piece) in (1..).zip(pieces) {
            file.write_all(piece).unwrap();
            if at == pieces.len() {
                file.write_all(b"\n").unwrap();
            }
            let Observation::Logged(logged) = log.look() else { panic!("the log cannot be read") };
            sum.corrected += logged.corrected;
            sum.uncorrected += logged.uncorrected;
            sum.throttle += logged.throttle;
            sum.note += logged.note;
            sum.lines.extend(logged.lines);
        }
        sum.lines.truncate(8);
        sum
    })
}
