//! The HTML report in a real browser: no error, no request to anywhere, and a table that can be searched by its link.
//! Without Chromium it says what was skipped, unless `ROAD_RUNNER_REQUIRE_TOOLS` asks for it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// A run of the simulated device across its edge, of a unit with a hostile name.
struct Page {
    folder: TempDir,
    browser: PathBuf,
    run: PathBuf,
}

/// What a browser made of a page.
struct Seen {
    /// The document after its script has run.
    document: String,
    /// What the console said.
    console: Vec<String>,
    /// Addresses that the page asked for.
    requests: Vec<String>,
}

fn browser() -> Option<PathBuf> {
    let folders = ["/usr/bin", "/usr/local/bin", "/snap/bin"];
    let found = NAMES.iter().flat_map(|name| folders.map(|folder| Path::new(folder).join(name))).find(|p| p.is_file());
    if found.is_none() {
        crate::tools::skipped("there is no chromium to open the report in");
    }
    found
}

impl Page {
    fn new() -> Option<Self> {
        let browser = browser()?;
        let folder = tempfile::tempdir().unwrap();
        let (workspace, runs) = (folder.path().join("bench"), folder.path().join("runs"));
        // One of its own: the demo moves the regulator of its workspace.
        let init = Command::new(env!("CARGO_BIN_EXE_road_runner")).arg("init").arg(&workspace).output().unwrap();
        assert!(init.status.success(), "{}", String::from_utf8_lossy(&init.stderr));
        let status = Command::new(env!("CARGO_BIN_EXE_road_runner"))
            .args(["run", "--no-tui", "--yes", "-q", "--flow", "shmoo_demo", "--margin", "shmoo_demo", "--unit"])
            .args(["</script><img src=x onerror=alert(1)>\u{202e}", "--workspace"])
            .arg(&workspace)
            .arg("--runs-dir")
            .arg(&runs)
            .env("ROAD_RUNNER_HOST_LOCK", folder.path().join("lock"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert_eq!(status.code(), Some(1), "the simulated unit fails below its edge");
        let run = fs::read_dir(&runs).unwrap().map(|e| e.unwrap().path()).find(|p| p.is_dir()).unwrap();
        Some(Self { folder, browser, run })
    }

    /// Opens a page, `report.html#view=executions`.
    fn open(&self, address: &str) -> Seen {
        let log = self.folder.path().join("net.json");
        let profile = tempfile::tempdir_in(self.folder.path()).unwrap();
        let output: Output = Command::new(&self.browser)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
            .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
            .args([
                "--host-resolver-rules=MAP * ~NOTFOUND",
                "--disable-dev-shm-usage",
                "--enable-logging=stderr",
                "--v=0",
                "--virtual-time-budget=20000",
            ])
            .arg(format!("--log-net-log={}", log.display()))
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("--dump-dom")
            .arg(format!("file://{}/{address}", self.run.display()))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        let console = said.lines().filter(|line| line.contains("CONSOLE")).map(str::to_owned).collect();
        Seen {
            document: String::from_utf8(output.stdout).unwrap(),
            console,
            requests: requests(&fs::read_to_string(log).unwrap()),
        }
    }
}

/// The addresses in a network log that a page asked for; what a browser asks on its own is without an origin.
fn requests(log: &str) -> Vec<String> {
    // A browser that is ended may leave the list open.
    let whole = serde_json::from_str(log)
        .or_else(|_| serde_json::from_str(&format!("{}]}}", log.trim_end().trim_end_matches(','))));
    let log: Value = whole.expect("a network log");
    let events = log["events"].as_array().expect("events");
    let of_page = |event: &&Value| event["params"]["initiator"].as_str().is_some_and(|by| by != "not an origin");
    let addresses = events.iter().filter(of_page).filter_map(|event| event["params"]["url"].as_str());
    addresses.filter(|url| url.contains("://") && !url.starts_with("file://")).map(str::to_owned).collect()
}

/// The value of an attribute of the step table.
fn attribute<'d>(document: &'d str, name: &str) -> Option<&'d str> {
    let (_, section) = document.split_once("<section id=\"steps\"")?;
    let (_, value) = section.split_once('>')?.0.split_once(&format!("{name}=\""))?;
    value.split('"').next()
}

#[test]
fn the_report_opens_without_an_error_or_a_request() {
    let Some(page) = Page::new() else { return };
    let check = |fragment: &str, view: &str, shown: usize| {
        let seen = page.open(&format!("report.html{fragment}"));
        assert_eq!(seen.console, Vec::<String>::new(), "{fragment}");
        assert_eq!(seen.requests, Vec::<String>::new(), "{fragment}");
        assert!(seen.document.contains("data-ready=\"1\""), "{fragment}: the script did not reach its end");
        assert!(!seen.document.contains("<img"), "{fragment}: an element out of the unit's name");
        assert_eq!(attribute(&seen.document, "data-view"), Some(view), "{fragment}");
        assert_eq!(attribute(&seen.document, "data-shown"), Some(shown.to_string().as_str()), "{fragment}");
    };
    let csv = fs::read_to_string(page.run.join("export.csv")).unwrap();
    let count = |verdicts: &[&str]| {
        let is_one = |line: &&str| line.split(',').any(|cell| verdicts.contains(&cell));
        csv.lines().skip(1).filter(is_one).count()
    };
    let failed = count(&["fail", "timeout", "crashed"]);
    assert!(failed > 10, "{failed}");
    check("", "subruns", 108);
    check("#view=executions", "executions", count(&["pass", "fail", "timeout"]));
    check("#view=executions&fails=1", "executions", failed);
    check("#view=executions&subrun=s017", "executions", 3);
    check("#view=executions&q=no-such-thing", "executions", 0);
    check("#view=__proto__&cell=%E0%A4%A", "subruns", 108);
}

#[test]
fn a_page_that_errs_or_asks_is_found_out() {
    let Some(page) = Page::new() else { return };
    let text = "<!doctype html><img src=\"http://example.invalid/x.png\"><script>nothing.there()</script>";
    fs::write(page.run.join("bad.html"), text).unwrap();
    let seen = page.open("bad.html");
    assert_eq!(seen.requests, ["http://example.invalid/x.png"]);
    assert!(seen.console.iter().any(|line| line.contains("nothing is not defined")), "{:?}", seen.console);
}
