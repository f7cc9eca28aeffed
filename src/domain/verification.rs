//! What can be found wrong with a stored run, whether that is damage, and how to mend it. Only words: the looking is done
//! elsewhere.

use serde::{Serialize, Serializer};
use serde_json::Value;

/// What is the matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// It cannot be read, or is not what it should be by itself.
    Damaged,
    /// It should be there and is not.
    Missing,
    /// It contradicts the journals.
    Disagrees,
    /// It is not what it was when the run ended.
    Changed,
    /// It was not there when the run ended.
    New,
    /// A later version of this program wrote it.
    Newer,
    /// A journal ends in the middle of a line, or in zeros.
    TornTail,
    /// The runner died; the run can be resumed.
    Interrupted,
    /// Its record could not be written to the end.
    CutShort,
    /// There is nothing to tell by what its files were when it ended.
    Unsealed,
    /// A killed command left it behind.
    LeftOver,
    /// Rails that the run moved are not known to be home.
    RailsAway,
    /// A process that the dead runner left.
    Process,
}

impl Kind {
    /// Whether something of the record is lost or not to be trusted. All else is worth knowing and leaves the record whole.
    pub const fn is_damage(self) -> bool {
        matches!(self, Self::Damaged | Self::Missing | Self::Disagrees | Self::Changed | Self::New)
    }
}

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What is the matter.
    pub kind: Kind,
    /// The file, relative to the run's directory, with a line where there is one (`events.ldjson:3`); untrusted. Empty where
    /// it is no file.
    pub file: String,
    /// What is wrong, in words; untrusted.
    pub what: String,
    /// How to mend it.
    pub mend: String,
}

impl Serialize for Finding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct as _;
        let mut fields = serializer.serialize_struct("Finding", 5)?;
        fields.serialize_field("kind", &self.kind)?;
        fields.serialize_field("damage", &self.kind.is_damage())?;
        fields.serialize_field("file", &self.file)?;
        fields.serialize_field("what", &self.what)?;
        fields.serialize_field("mend", &self.mend)?;
        fields.end()
    }
}

impl Finding {
    /// With what helps in such a case.
    pub fn new(kind: Kind, run_id: &str, file: impl Into<String>, what: impl Into<String>) -> Self {
        let file = file.into();
        let mend = mend(kind, run_id, &file);
        Self { kind, file, what: what.into(), mend }
    }

    /// The file without the line.
    pub fn path(&self) -> &str {
        path(&self.file)
    }
}

/// `events.ldjson:3` without the line.
pub fn path(file: &str) -> &str {
    match file.rsplit_once(':') {
        Some((path, line)) if !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_digit()) => path,
        _ => file,
    }
}

fn mend(kind: Kind, run_id: &str, file: &str) -> String {
    let copy = "put a copy of it back; there is no other way to have it again";
    match (kind, path(file)) {
        (Kind::Damaged | Kind::Missing | Kind::Changed, "report.md" | "report.html") => {
            format!("`road_runner report --run-id {run_id}` makes it again")
        }
        (Kind::Damaged | Kind::Missing | Kind::Changed, "export.csv") => {
            format!("`road_runner export --run {run_id} --format csv` makes it again")
        }
        (Kind::Damaged | Kind::Missing | Kind::Changed, "export.json") => {
            format!("`road_runner export --run {run_id} --format json` makes it again")
        }
        (Kind::Damaged, "hashes.json") => {
            "put a copy of it back; without one nothing tells whether the files are what they were".to_owned()
        }
        (Kind::Damaged | Kind::Missing | Kind::Disagrees, name) if name.ends_with("summary.json") => {
            "put a copy of it back; what it said stands in the journals, and `road_runner runs show` reads them"
                .to_owned()
        }
        (Kind::Damaged, name) if name.ends_with(".ldjson") => {
            "put a copy of it back; until then it is read up to that line".to_owned()
        }
        (Kind::Damaged | Kind::Missing | Kind::Changed | Kind::Disagrees, _) => copy.to_owned(),
        (Kind::New, _) => "move it out of the run's directory".to_owned(),
        (Kind::Newer, _) => "use the road_runner that made it, or a newer one".to_owned(),
        (Kind::TornTail, _) => "nothing is lost that was complete: readers stop before it".to_owned(),
        (Kind::Interrupted, _) => format!(
            "`road_runner resume {run_id}` goes on with it, `road_runner clean --older-than 0 --force` deletes all such runs"
        ),
        (Kind::CutShort, _) => {
            format!("what it recorded before is whole; `road_runner rerun {run_id} --subruns ..` measures the rest")
        }
        (Kind::Unsealed, _) => {
            "nothing to do: journals and summaries were held against each other all the same".to_owned()
        }
        (Kind::LeftOver, _) => "delete it; nobody reads it".to_owned(),
        (Kind::RailsAway, _) => "`road_runner rails restore` brings them home".to_owned(),
        (Kind::Process, _) => "the next `road_runner run` or `resume` here ends it".to_owned(),
    }
}

/// At most so many differences of one document are spelled out.
const SPELLED_OUT: usize = 8;
/// At most so many characters of a value.
const VALUE: usize = 60;

/// How `stored` differs from `expected`, a phrase each: `counts.pass is 3, the journals say 2`.
pub fn differences(stored: &Value, expected: &Value) -> Vec<String> {
    let mut found = Found::default();
    found.compare("", stored, expected);
    found.phrases()
}

/// Differences of a document, of which only the first are kept.
#[derive(Debug, Default)]
pub struct Found {
    first: Vec<String>,
    all: usize,
}

impl Found {
    /// Adds how a part of the document differs; `at` is where it is.
    pub fn compare(&mut self, at: &str, stored: &Value, expected: &Value) {
        let below = |key: &str| if at.is_empty() { key.to_owned() } else { format!("{at}.{key}") };
        match (stored, expected) {
            (stored, expected) if stored == expected => {}
            (Value::Object(stored), Value::Object(expected)) => {
                let only_stored = stored.keys().filter(|key| !expected.contains_key(*key));
                for key in expected.keys().chain(only_stored) {
                    let of = |map: &serde_json::Map<String, Value>| map.get(key).cloned().unwrap_or_default();
                    self.compare(&below(key), &of(stored), &of(expected));
                }
            }
            (Value::Array(stored), Value::Array(expected)) if stored.len() == expected.len() => {
                for (number, (stored, expected)) in stored.iter().zip(expected).enumerate() {
                    self.compare(&format!("{at}[{number}]"), stored, expected);
                }
            }
            (Value::Array(stored), Value::Array(expected)) => {
                self.add(|| format!("{at} has {}, the journals have {}", stored.len(), expected.len()));
            }
            (stored, expected) => {
                self.add(|| format!("{at} is {}, the journals say {}", shown(stored), shown(expected)));
            }
        }
    }

    /// Adds a difference.
    pub fn add(&mut self, phrase: impl FnOnce() -> String) {
        self.all += 1;
        if self.first.len() < SPELLED_OUT {
            self.first.push(phrase());
        }
    }

    /// The first of them, and how many more there are.
    pub fn phrases(self) -> Vec<String> {
        let Self { mut first, all } = self;
        let more = all - first.len();
        if more > 0 {
            first.push(format!("and {more} more differences"));
        }
        first
    }
}

fn shown(value: &Value) -> String {
    let text = match value {
        Value::Null => "nothing".to_owned(),
        Value::String(text) => text.clone(),
        value => value.to_string(),
    };
    match text.char_indices().nth(VALUE) {
        Some((end, _)) => format!("{}..", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(stored: &Value, expected: &Value, phrases: &[&str]) {
        assert_eq!(differences(stored, expected), phrases);
    }

    #[test]
    fn what_differs_is_named_by_its_place() {
        let expected = json!({ "counts": { "pass": 2 }, "end": null, "steps": [{ "verdict": "pass" }] });
        check(&expected.clone(), &expected, &[]);
        let stored = json!({ "counts": { "pass": 3 }, "end": "now", "steps": [{ "verdict": "fail" }] });
        check(
            &stored,
            &expected,
            &[
                "counts.pass is 3, the journals say 2",
                "end is now, the journals say nothing",
                "steps[0].verdict is fail, the journals say pass",
            ],
        );
        check(&json!({ "steps": [] }), &json!({ "steps": [1] }), &["steps has 0, the journals have 1"]);
        check(&json!({ "more": 1 }), &json!({}), &["more is 1, the journals say nothing"]);
        check(&json!({}), &json!({ "less": [1] }), &["less is nothing, the journals say [1]"]);
        let long = format!("{}..", "ä".repeat(VALUE));
        check(&json!("ä".repeat(99)), &json!("x"), &[&format!(" is {long}, the journals say x")]);
    }

    #[test]
    fn many_differences_are_counted() {
        let list = |from: usize| json!((from..from + 20).collect::<Vec<_>>());
        let found = differences(&list(0), &list(1));
        assert_eq!((found.len(), &*found[8]), (9, "and 12 more differences"));
    }

    #[test]
    fn the_line_is_no_part_of_the_path() {
        let check = |file: &str, expected: &str| assert_eq!(path(file), expected);
        check("events.ldjson:3", "events.ldjson");
        check("events.ldjson", "events.ldjson");
        check("artifacts/a:b", "artifacts/a:b");
        check("artifacts/a:", "artifacts/a:");
    }

    #[test]
    fn how_to_mend_names_a_command_where_there_is_one() {
        let check = |kind, file: &str, expected: &str| {
            let finding = Finding::new(kind, "rr-x", file, "");
            assert!(finding.mend.contains(expected), "{kind:?} {file}: {}", finding.mend);
        };
        check(Kind::Changed, "report.html", "road_runner report --run-id rr-x");
        check(Kind::Missing, "export.csv", "road_runner export --run rr-x --format csv");
        check(Kind::Interrupted, "summary.json", "road_runner resume rr-x");
        check(Kind::RailsAway, "rails.json", "road_runner rails restore");
        check(Kind::Damaged, "events.ldjson:3", "read up to that line");
        check(Kind::Changed, "subruns/x/stdout/0.log", "a copy");
        assert_eq!(
            serde_json::to_value(Finding::new(Kind::TornTail, "rr-x", "a", "b")).unwrap(),
            json!({ "kind": "torn_tail", "damage": false, "file": "a", "what": "b",
                    "mend": "nothing is lost that was complete: readers stop before it" })
        );
    }
}
