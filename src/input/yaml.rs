//! One YAML document as a tree in which every node knows its place and its raw text. Never decides what
//! type a value has: `0.85`, `yes` and `.nan` reach the readers as they were written.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_yaml::budget::BudgetBreach;
use serde_yaml::options::{DuplicateKeyPolicy, MergeKeyPolicy, NonFiniteFloatPolicy};
use serde_yaml::{Error, Location, Options, Spanned};

/// How deep maps and lists may nest; the deepest document we define needs nine.
pub const MAX_DEPTH: usize = 32;
/// How many maps, lists and values one document may hold; 4 MiB of real flow stay well below.
pub const MAX_NODES: usize = 1_000_000;
/// How many nodes aliases may bring in altogether.
pub const MAX_ALIASED: usize = 20_000;
/// How many bytes of text a document may hold once aliases are written out.
const MAX_TEXT: usize = 8 * 1024 * 1024;

/// Where a node stands in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// First byte in the text.
    pub start: u32,
    /// Length in bytes; zero for what has no text of its own.
    pub len: u32,
    /// Line, counted from 1.
    pub line: u32,
    /// Column in characters, counted from 1.
    pub column: u32,
}

impl Span {
    fn of(location: Location) -> Self {
        let span = location.span();
        let narrow = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
        Self {
            start: span.byte_offset().map_or(0, narrow),
            len: span.byte_len().map_or(0, narrow),
            line: narrow(location.line()).max(1),
            column: narrow(location.column()).max(1),
        }
    }

    /// The bytes of `text` that this span covers; empty where it points outside.
    pub fn slice<'s>(&self, text: &'s str) -> &'s str {
        let start = self.start as usize;
        let end = start.saturating_add(self.len as usize);
        text.get(start..end).unwrap_or_default()
    }
}

/// A value with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node<'s> {
    /// Where it stands; for what an alias brought in, where it was defined.
    pub span: Span,
    /// What it is.
    pub kind: Kind<'s>,
}

/// The four things a node can be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind<'s> {
    /// Keys and values in the order written, duplicates and `<<` included.
    Map(Vec<Entry<'s>>),
    /// Values in the order written.
    List(Vec<Node<'s>>),
    /// One value, as written: a plain one is its raw text, a quoted or block one what it stands for.
    Scalar {
        /// The text.
        text: Cow<'s, str>,
        /// Quoted, or a block: never a number, a quantity or a truth value.
        quoted: bool,
    },
    /// Nothing, `null` or `~`.
    Null,
}

/// One key of a map and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry<'s> {
    /// The key, which may be anything YAML allows.
    pub key: Node<'s>,
    /// What stands after it.
    pub value: Node<'s>,
}

/// Why a text is not one document; there is at most one per file, because nothing after it can be trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SyntaxError {
    /// What is wrong.
    pub message: String,
    /// Where, if it has a place.
    pub span: Option<Span>,
    /// What would be right.
    pub help: Option<String>,
}

/// Reads `text` as exactly one document.
///
/// # Errors
/// On a syntax error, an unknown tag, more than one document, none, or one that outgrows the bounds.
pub fn parse(text: &str) -> Result<Node<'_>, SyntaxError> {
    let mut root: Node<'_> = serde_yaml::from_str_with_options(text, options()).map_err(|e| explain(&e))?;
    root.settle(text);
    if root.kind == Kind::Null {
        return Err(SyntaxError {
            message: "the file holds no document".to_owned(),
            span: None,
            help: Some("write at least a `name:`".to_owned()),
        });
    }
    Ok(root)
}

fn options() -> Options {
    serde_yaml::options! {
        budget: serde_yaml::budget! {
            max_depth: MAX_DEPTH,
            flow_nesting_limit: MAX_DEPTH,
            max_nodes: MAX_NODES,
            max_events: 3 * MAX_NODES,
            max_aliases: 1_000,
            max_anchors: 1_000,
            max_recorded_anchor_events: 10 * MAX_ALIASED,
            max_documents: 2,
            max_total_scalar_bytes: MAX_TEXT,
            enforce_alias_anchor_ratio: false,
        },
        alias_limits: serde_yaml::alias_limits! {
            max_total_replayed_events: MAX_ALIASED,
            max_replay_stack_depth: 8,
        },
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        merge_keys: MergeKeyPolicy::AsOrdinary,
        strict_booleans: true,
        reject_unsupported_tags: true,
        non_finite_float_policy: NonFiniteFloatPolicy::AsString,
        emit_comments: false,
        with_snippet: false,
    }
}

impl<'s> Node<'s> {
    /// Gives plain scalars their raw text, whatever type the parser took them for.
    fn settle(&mut self, source: &'s str) {
        match &mut self.kind {
            Kind::Map(entries) => {
                for entry in entries {
                    entry.key.settle(source);
                    entry.value.settle(source);
                }
            }
            Kind::List(items) => items.iter_mut().for_each(|item| item.settle(source)),
            Kind::Scalar { text, quoted } => {
                let raw = self.span.slice(source);
                // Blocks, and plain text over several lines, are what the parser folded them to; never a number.
                *quoted = raw.starts_with(['"', '\'']) || raw.contains('\n');
                if !*quoted {
                    *text = Cow::Borrowed(raw.trim_end());
                }
            }
            Kind::Null => {}
        }
    }
}

impl<'de> Deserialize<'de> for Node<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Kind<'de>>::deserialize(deserializer)?;
        Ok(Self { span: Span::of(spanned.defined), kind: spanned.value })
    }
}

impl<'de> Deserialize<'de> for Kind<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(KindVisitor)
    }
}

struct KindVisitor;

impl KindVisitor {
    /// The text of numbers and truth values is filled in from the source by [`Node::settle`].
    const TYPED: Cow<'static, str> = Cow::Borrowed("");
}

impl<'de> Visitor<'de> for KindVisitor {
    type Value = Kind<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map, a list or a value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Kind::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Kind::Scalar { text: Self::TYPED, quoted: false })
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Kind::Scalar { text: Self::TYPED, quoted: false })
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Kind::Scalar { text: Self::TYPED, quoted: false })
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Kind::Scalar { text: Self::TYPED, quoted: false })
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Kind::Scalar { text: Cow::Owned(text.to_owned()), quoted: false })
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Kind::Scalar { text: Cow::Borrowed(text), quoted: false })
    }

    fn visit_string<E>(self, text: String) -> Result<Self::Value, E> {
        Ok(Kind::Scalar { text: Cow::Owned(text), quoted: false })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Kind::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key()? {
            let value = map.next_value()?;
            entries.push(Entry { key, value });
        }
        Ok(Kind::Map(entries))
    }
}

/// The parser's error in our words where they help, in its own where it knows better.
fn explain(error: &Error) -> SyntaxError {
    let error = error.without_snippet();
    let span = error.location().filter(|l| *l != Location::UNKNOWN).map(Span::of);
    let error = match error {
        Error::AliasError { error, .. } => error.without_snippet(),
        other => other,
    };
    let (message, help) = match error {
        Error::MultipleDocuments { .. } => (
            "more than one document in the file".to_owned(),
            Some("keep one document a file: remove the `---` or move what follows it to a file of its own".to_owned()),
        ),
        Error::Eof { .. } => ("the file holds no document".to_owned(), Some("write at least a `name:`".to_owned())),
        Error::UnsupportedTag { tag, .. } => {
            (format!("unknown tag `{tag}`"), Some("remove the tag: types follow from the keys".to_owned()))
        }
        Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => {
            (format!("aliases bring in more than {MAX_ALIASED} values"), Some("write the values out".to_owned()))
        }
        Error::RecursiveReferencesRequireWeakTypes { .. } => {
            ("an alias inside the very thing it names".to_owned(), Some("write the values out".to_owned()))
        }
        Error::UnknownAnchor { .. } => ("an alias to an anchor that does not exist".to_owned(), None),
        Error::Budget { breach, .. } => over(breach),
        // The scanner has a limit of its own for brackets.
        Error::ExternalMessage { msg, .. } if msg.contains("recursion limit") => {
            over(&BudgetBreach::Depth { depth: MAX_DEPTH })
        }
        Error::ExternalMessage { msg, .. } => (lower_first(msg), None),
        other => (lower_first(&without_place(&other.to_string())), None),
    };
    SyntaxError { message, span, help }
}

fn over(breach: &BudgetBreach) -> (String, Option<String>) {
    let message = match breach {
        BudgetBreach::Depth { .. } => format!("maps and lists nested more than {MAX_DEPTH} deep"),
        BudgetBreach::Nodes { .. } | BudgetBreach::Events { .. } => {
            format!("more than {MAX_NODES} values in one document")
        }
        BudgetBreach::Aliases { .. } | BudgetBreach::Anchors { .. } | BudgetBreach::AliasAnchorRatio { .. } => {
            "more anchors and aliases than any document needs".to_owned()
        }
        BudgetBreach::ScalarBytes { .. } => "aliases bring in more than 8 MiB of text".to_owned(),
        other => format!("the document is too large: {other:?}"),
    };
    (message, None)
}

/// The parser's messages end in a place that the report shows anyway.
fn without_place(message: &str) -> String {
    match message.find(" at line ") {
        Some(at) => message[..at].to_owned(),
        None => message.to_owned(),
    }
}

fn lower_first(message: &str) -> String {
    let mut chars = message.chars();
    match chars.next() {
        Some(first) => first.to_lowercase().chain(chars).collect(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(node: &Node<'_>, out: &mut String, depth: usize) {
        use std::fmt::Write;
        let s = node.span;
        let pad = "  ".repeat(depth);
        let place = format!("{}:{}+{}", s.line, s.column, s.len);
        match &node.kind {
            Kind::Map(entries) => {
                writeln!(out, "{pad}map {place}").unwrap();
                for e in entries {
                    draw(&e.key, out, depth + 1);
                    draw(&e.value, out, depth + 2);
                }
            }
            Kind::List(items) => {
                writeln!(out, "{pad}list {place}").unwrap();
                for item in items {
                    draw(item, out, depth + 1);
                }
            }
            Kind::Scalar { text, quoted } => {
                writeln!(out, "{pad}{text:?}{} {place}", if *quoted { " quoted" } else { "" }).unwrap();
            }
            Kind::Null => writeln!(out, "{pad}null {place}").unwrap(),
        }
    }

    fn tree(text: &str) -> String {
        match parse(text) {
            Ok(node) => {
                let mut out = String::new();
                draw(&node, &mut out, 0);
                out
            }
            Err(e) => {
                let place = e.span.map_or("nowhere".to_owned(), |s| format!("{}:{}", s.line, s.column));
                format!("{e} at {place}; {}", e.help.as_deref().unwrap_or_default())
            }
        }
    }

    #[test]
    fn values_are_seen_as_written() {
        let text = "a: 0.85\nb: yes\nc: .nan\nd: 0x10\ne: 1e400\nf: 007\ng: \"a\\tb\"\nh: 'it''s'\ni: ''\n\
            j: 99999999999999999999999\nk: 1_0 # ten\nl: 'true'\n";
        insta::assert_snapshot!(tree(text), @r#"
        map 1:1+0
          "a" 1:1+1
            "0.85" 1:4+4
          "b" 2:1+1
            "yes" 2:4+3
          "c" 3:1+1
            ".nan" 3:4+4
          "d" 4:1+1
            "0x10" 4:4+4
          "e" 5:1+1
            "1e400" 5:4+5
          "f" 6:1+1
            "007" 6:4+3
          "g" 7:1+1
            "a\tb" quoted 7:4+6
          "h" 8:1+1
            "it's" quoted 8:4+7
          "i" 9:1+1
            "" quoted 9:4+2
          "j" 10:1+1
            "99999999999999999999999" 10:4+23
          "k" 11:1+1
            "1_0" 11:4+3
          "l" 12:1+1
            "true" quoted 12:4+6
        "#);
    }

    #[test]
    fn nothing_is_null_however_written() {
        insta::assert_snapshot!(tree("a:\nb: ~\nc: null\nd: [~, null]\ne: \"null\"\n"), @r#"
        map 1:1+0
          "a" 1:1+1
            null 1:2+0
          "b" 2:1+1
            null 2:4+1
          "c" 3:1+1
            null 3:4+4
          "d" 4:1+1
            list 4:4+1
              null 4:5+1
              null 4:8+4
          "e" 5:1+1
            "null" quoted 5:4+6
        "#);
    }

    #[test]
    fn blocks_aliases_and_odd_keys_keep_their_places() {
        let text = "a: |\n  one\n  two\nb: one\n  two\nc: é\nd: &x [1, {k: v}]\ne: *x\na: 7\n<<: *x\n? [k]\n: v\n!!str f: !!int 5\n";
        insta::assert_snapshot!(tree(text), @r#"
        map 1:1+0
          "a" 1:1+1
            "one\ntwo\n" quoted 2:3+10
          "b" 4:1+1
            "one two" quoted 4:4+9
          "c" 6:1+1
            "é" 6:4+2
          "d" 7:1+1
            list 7:7+1
              "1" 7:8+1
              map 7:11+1
                "k" 7:12+1
                  "v" 7:15+1
          "e" 8:1+1
            list 7:7+1
              "1" 7:8+1
              map 7:11+1
                "k" 7:12+1
                  "v" 7:15+1
          "a" 9:1+1
            "7" 9:4+1
          "<<" 10:1+2
            list 7:7+1
              "1" 7:8+1
              map 7:11+1
                "k" 7:12+1
                  "v" 7:15+1
          list 11:3+1
            "k" 11:4+1
            "v" 12:3+1
          "f" 13:7+1
            "5" 13:16+1
        "#);
    }

    #[test]
    fn one_document_or_none() {
        insta::assert_snapshot!(tree("a: 1\n---\nb: 2\n"), @"more than one document in the file at 3:1; keep one document a file: remove the `---` or move what follows it to a file of its own");
        assert_eq!(tree("\u{feff}name: é # x\n"), tree("name: é # x\n"));
        insta::assert_snapshot!(tree("--- a\n...\n"), @r#""a" 1:5+1"#);
        for empty in ["", "# only\n", "---\n", "null", "\n\n"] {
            assert!(tree(empty).starts_with("the file holds no document"), "{empty:?}");
        }
    }

    #[test]
    fn syntax_errors() {
        insta::assert_snapshot!(tree("a: !foo 5"), @"unknown tag `!foo` at 1:9; remove the tag: types follow from the keys");
        insta::assert_snapshot!(tree("a: [1, 2\nb: 3\n"), @"illegal placement of ':' indicator at 2:2;");
        insta::assert_snapshot!(tree("a: \"unfinished\nb: 1"), @"unclosed quote at 1:4;");
        insta::assert_snapshot!(tree("a: b: c"), @"mapping values are not allowed in this context at 1:5;");
        insta::assert_snapshot!(tree("a: *x"), @"an alias to an anchor that does not exist at 1:4;");
        insta::assert_snapshot!(tree("a: &x [*x]"), @"an alias inside the very thing it names at 1:8; write the values out");
        insta::assert_snapshot!(tree("- a\nb: 1"), @"while parsing a block collection, did not find expected '-' indicator at 2:1;");
        insta::assert_snapshot!(tree("a: \u{1}b"), @r#"unexpected character: `\u{1}' at 1:4;"#);
        insta::assert_snapshot!(tree("a: !!int x"), @"invalid u64 at 1:10;");
        insta::assert_snapshot!(tree("a: 1\n\tb: 2"), @"while scanning a plain scalar, found a tab at 1:4;");
    }

    #[test]
    fn bombs_are_refused_at_once() {
        let started = std::time::Instant::now();
        let nested = (1..30).fold("a0: &a0 [x, x]\n".to_owned(), |text, n| {
            let before = format!("*a{}", n - 1);
            text + &format!("a{n}: &a{n} [{before}, {before}]\n")
        });
        let flat = format!("a: &a [{}]\nb: [{}]\n", "x, ".repeat(1000), "*a, ".repeat(900));
        let long = format!("a: &a {}\nb: [{}]\n", "x".repeat(1 << 20), "*a, ".repeat(900));
        insta::assert_snapshot!(tree(&nested), @"aliases bring in more than 20000 values at 12:18; write the values out");
        insta::assert_snapshot!(tree(&flat), @"aliases bring in more than 20000 values at 2:81; write the values out");
        insta::assert_snapshot!(tree(&long), @"aliases bring in more than 8 MiB of text at 2:29;");
        insta::assert_snapshot!(tree(&"[".repeat(4 << 20)), @"maps and lists nested more than 32 deep at 1:33;");
        insta::assert_snapshot!(tree(&"- ".repeat(2 << 20)), @"maps and lists nested more than 32 deep at 1:65;");
        insta::assert_snapshot!(tree(&"{a: ".repeat(1 << 20)), @"maps and lists nested more than 32 deep at 1:129;");
        insta::assert_snapshot!(tree(&format!("a: [{}]", "1,".repeat(MAX_NODES + 1))), @"more than 1000000 values in one document at 1:1999999;");
        insta::assert_snapshot!(tree(&"---\n".repeat(1 << 20)), @"more than one document in the file at 2:4; keep one document a file: remove the `---` or move what follows it to a file of its own");
        insta::assert_snapshot!(tree(&format!("a: {}1{}", "[".repeat(MAX_DEPTH - 1), "]".repeat(MAX_DEPTH - 1)))
            .lines().count(), @"34");
        assert!(started.elapsed().as_secs() < 20, "a debug build takes {:?}", started.elapsed());
    }
}
