//! One YAML document as a tree in which every node knows its place and its raw text. Never decides what
//! type a value has: `0.85`, `yes` and `.nan` reach the readers as they were written.
//!
//! Built from the parser's events rather than through serde, which is four times as slow and loses the style.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_yaml::granit_parser as events;

use events::{Event, Parser, ScalarStyle, StructureStyle, Tag};

/// How deep maps and lists may nest; the deepest document we define needs nine.
pub const MAX_DEPTH: usize = 32;
/// How many maps, lists and values one document may hold; 4 MiB of real flow stay well below.
pub const MAX_NODES: usize = 1_000_000;
/// How many nodes aliases may bring in altogether, and how many anchors may hold.
pub const MAX_ALIASED: usize = 20_000;
/// How many bytes of text aliases may bring in altogether.
const MAX_ALIASED_TEXT: usize = 4 * 1024 * 1024;

/// Where a node stands in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// First byte in the text.
    pub start: u32,
    /// Length in bytes, brackets and quotes included; zero for a block and for nothing.
    pub len: u32,
    /// Line, counted from 1.
    pub line: u32,
    /// Column in characters, counted from 1.
    pub column: u32,
}

impl Span {
    fn at(marker: &events::Marker) -> Self {
        Self {
            start: narrow(marker.byte_offset().unwrap_or(0)),
            len: 0,
            line: narrow(marker.line()).max(1),
            column: narrow(marker.col()).saturating_add(1),
        }
    }

    fn of(span: &events::Span) -> Self {
        Self::at(&span.start).up_to(&span.end)
    }

    fn up_to(self, end: &events::Marker) -> Self {
        Self { len: narrow(end.byte_offset().unwrap_or(0)).saturating_sub(self.start), ..self }
    }

    /// The bytes of `text` that this span covers; empty where it points outside.
    pub fn slice<'s>(&self, text: &'s str) -> &'s str {
        let start = self.start as usize;
        let end = start.saturating_add(self.len as usize);
        text.get(start..end).unwrap_or_default()
    }
}

fn narrow(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
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
        /// Quoted, or over several lines: never a number or a truth value.
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

impl SyntaxError {
    fn new(span: Span, message: impl Into<String>) -> Self {
        Self { message: message.into(), span: Some(span), help: None }
    }

    fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }
}

/// Reads `text` as exactly one document.
///
/// # Errors
/// On a syntax error, an unknown tag, more than one document, none, or one that outgrows the bounds.
pub fn parse(text: &str) -> Result<Node<'_>, SyntaxError> {
    lines_end_as_shown(text)?;
    let mut options = events::Options::default();
    options.emit_comments = false;
    // One more than allowed, so that our own count is what refuses.
    options.flow_nesting_limit = MAX_DEPTH + 1;
    options.block_nesting_limit = MAX_DEPTH + 1;
    let mut tree = Tree::default();
    for event in Parser::new_from_str_with_options(text, options) {
        match event {
            Ok((event, span)) => tree.take(event, &span)?,
            Err(error) => return Err(explain(&error, text)),
        }
    }
    match tree.root {
        Some(root) if root.kind != Kind::Null => Ok(root),
        _ => Err(SyntaxError {
            message: "the file holds no document".to_owned(),
            span: None,
            help: Some("write at least a `name:`".to_owned()),
        }),
    }
}

/// To YAML a carriage return alone ends a line, to nearly everything that shows a file it does not: places would lie, and
/// what stands before one could be hidden by what stands behind.
fn lines_end_as_shown(text: &str) -> Result<(), SyntaxError> {
    let is_alone = |at: &usize| !text.get(at + 1..).is_some_and(|rest| rest.starts_with('\n'));
    let Some(at) = memchr::memchr_iter(b'\r', text.as_bytes()).find(is_alone) else { return Ok(()) };
    let before = text.get(..at).unwrap_or_default();
    let line = before.rsplit('\n').next().unwrap_or_default();
    let span = Span {
        start: narrow(at),
        len: 1,
        line: narrow(before.matches('\n').count()).saturating_add(1),
        column: narrow(line.trim_start_matches('\u{feff}').chars().count()).saturating_add(1),
    };
    let error = SyntaxError::new(span, "a carriage return that ends no line");
    Err(error.help("save the file with lines that end in a line feed, with or without a carriage return before it"))
}

/// A map or list that is still open.
struct Open<'s> {
    span: Span,
    flow: bool,
    anchor: usize,
    kind: Kind<'s>,
    /// The key whose value is awaited.
    key: Option<Node<'s>>,
}

/// The tree as far as it was read.
#[derive(Default)]
struct Tree<'s> {
    root: Option<Node<'s>>,
    open: Vec<Open<'s>>,
    documents: usize,
    nodes: usize,
    anchors: BTreeMap<usize, Node<'s>>,
    anchored: Weight,
    aliased: Weight,
}

impl<'s> Tree<'s> {
    fn take(&mut self, event: Event<'s>, span: &events::Span) -> Result<(), SyntaxError> {
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(SyntaxError::new(Span::of(span), "more than one document in the file").help(
                        "keep one document a file: remove the `---` or move what follows it to a file of its own",
                    ));
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                let node = scalar(text, style, tag.as_deref(), span)?;
                self.place(node, anchor)?;
            }
            Event::SequenceStart(style, anchor, tag) => {
                self.begin(Kind::List(vec![]), style, anchor, tag.as_deref(), span)?;
            }
            Event::MappingStart(style, anchor, tag) => {
                self.begin(Kind::Map(vec![]), style, anchor, tag.as_deref(), span)?;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(mut open) = self.open.pop() {
                    // Room for four would double what small maps, which documents are made of, take.
                    match &mut open.kind {
                        Kind::Map(entries) => entries.shrink_to_fit(),
                        Kind::List(items) => items.shrink_to_fit(),
                        Kind::Scalar { .. } | Kind::Null => {}
                    }
                    let span = if open.flow { open.span.up_to(&span.end) } else { open.span };
                    self.place(Node { span, kind: open.kind }, open.anchor)?;
                }
            }
            Event::Alias(anchor) => self.alias(anchor, Span::of(span))?,
            _ => {}
        }
        Ok(())
    }

    fn begin(
        &mut self,
        kind: Kind<'s>,
        style: StructureStyle,
        anchor: usize,
        tag: Option<&Tag>,
        span: &events::Span,
    ) -> Result<(), SyntaxError> {
        let known = if matches!(kind, Kind::Map(_)) { "map" } else { "seq" };
        check_tag(tag, &[known], span)?;
        if self.open.len() == MAX_DEPTH {
            return Err(too_deep(Span::at(&span.start)));
        }
        let flow = style == StructureStyle::Flow;
        self.open.push(Open { span: Span::at(&span.start), flow, anchor, kind, key: None });
        Ok(())
    }

    /// Puts a finished node where it belongs.
    fn place(&mut self, node: Node<'s>, anchor: usize) -> Result<(), SyntaxError> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(SyntaxError::new(node.span, format!("more than {MAX_NODES} values in one document")));
        }
        if anchor > 0 {
            let weight = Weight::of(&node);
            self.anchored.add(weight);
            if self.anchored.nodes > MAX_ALIASED {
                return Err(SyntaxError::new(node.span, format!("anchors hold more than {MAX_ALIASED} values")));
            }
            self.anchors.insert(anchor, node.clone());
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match (&mut open.kind, open.key.take()) {
            (Kind::Map(entries), Some(key)) => entries.push(Entry { key, value: node }),
            (Kind::Map(_), None) => open.key = Some(node),
            (Kind::List(items), _) => items.push(node),
            (Kind::Scalar { .. } | Kind::Null, _) => {}
        }
        Ok(())
    }

    /// Brings in a copy of what the anchor holds, within bounds that no bomb fits.
    fn alias(&mut self, anchor: usize, span: Span) -> Result<(), SyntaxError> {
        let written_out = "write the values out";
        let Some(node) = self.anchors.get(&anchor).cloned() else {
            return Err(SyntaxError::new(span, "an alias inside the very thing it names").help(written_out));
        };
        let weight = Weight::of(&node);
        self.aliased.add(weight);
        if self.aliased.nodes > MAX_ALIASED {
            let message = format!("aliases bring in more than {MAX_ALIASED} values");
            return Err(SyntaxError::new(span, message).help(written_out));
        }
        if self.aliased.bytes > MAX_ALIASED_TEXT {
            return Err(SyntaxError::new(span, "aliases bring in more than 4 MiB of text").help(written_out));
        }
        if self.open.len() + weight.depth > MAX_DEPTH {
            return Err(too_deep(span));
        }
        self.place(node, 0)
    }
}

/// What a copy of a node costs.
#[derive(Debug, Clone, Copy, Default)]
struct Weight {
    nodes: usize,
    bytes: usize,
    depth: usize,
}

impl Weight {
    fn of(node: &Node<'_>) -> Self {
        let mut sum = Self { nodes: 1, bytes: 0, depth: 0 };
        let mut inside = |node: &Node<'_>| {
            let inner = Self::of(node);
            sum.add(inner);
            sum.depth = sum.depth.max(inner.depth + 1);
        };
        match &node.kind {
            Kind::Map(entries) => entries.iter().for_each(|entry| {
                inside(&entry.key);
                inside(&entry.value);
            }),
            Kind::List(items) => items.iter().for_each(inside),
            Kind::Scalar { text, .. } => sum.bytes = text.len(),
            Kind::Null => {}
        }
        sum
    }

    fn add(&mut self, other: Self) {
        self.nodes = self.nodes.saturating_add(other.nodes);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}

fn scalar<'s>(
    text: Cow<'s, str>,
    style: ScalarStyle,
    tag: Option<&Tag>,
    span: &events::Span,
) -> Result<Node<'s>, SyntaxError> {
    check_tag(tag, &["str", "int", "float", "bool", "null"], span)?;
    let plain = style == ScalarStyle::Plain;
    let forced = tag.is_some_and(|tag| tag.core_suffix() == Some("str"));
    let lines = span.end.line() != span.start.line();
    let kind = match text.as_ref() {
        "" | "~" | "null" | "Null" | "NULL" if plain && !forced => Kind::Null,
        _ => Kind::Scalar { text, quoted: !plain || forced || lines },
    };
    Ok(Node { span: Span::of(span), kind })
}

fn check_tag(tag: Option<&Tag>, known: &[&str], span: &events::Span) -> Result<(), SyntaxError> {
    let Some(tag) = tag else { return Ok(()) };
    if tag.core_suffix().is_some_and(|suffix| known.contains(&suffix)) {
        return Ok(());
    }
    let at = span.tag_start.as_ref().map_or_else(|| Span::of(span), Span::at);
    let name = format!("{}{}", tag.original_handle(), tag.suffix());
    Err(SyntaxError::new(at, format!("unknown tag {}", super::problem::quote(&name)))
        .help("remove the tag: types follow from the keys"))
}

fn too_deep(span: Span) -> SyntaxError {
    SyntaxError::new(span, format!("maps and lists nested more than {MAX_DEPTH} deep"))
}

/// The parser's error: its own words, in the manner of ours.
fn explain(error: &events::ScanError, text: &str) -> SyntaxError {
    let span = Span::at(error.marker());
    let info = error.info();
    // The scanner looks ahead of the events, so that its own limit may speak before our count.
    if info.contains("recursion limit") {
        return too_deep(span);
    }
    let mut chars = info.chars();
    let first = chars.next().map(|c| c.to_lowercase().to_string()).unwrap_or_default();
    let error = SyntaxError::new(span, format!("{first}{}", chars.as_str()));
    let line = text.lines().nth(span.line as usize - 1).unwrap_or_default();
    let behind = line.split_once(" #").and_then(|(_, behind)| behind.chars().next());
    if info.contains("character: `@'") {
        return error.help("put what begins with `@` in quotes");
    }
    if info.contains("unclosed bracket") && behind.is_some_and(char::is_alphanumeric) {
        return error.help(COMMENT);
    }
    error
}

/// What helps whoever wrote a colour without quotes.
pub const COMMENT: &str = "behind ` #` all is comment: put it in quotes";

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
            list 4:4+9
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
            list 7:7+11
              "1" 7:8+1
              map 7:11+6
                "k" 7:12+1
                  "v" 7:15+1
          "e" 8:1+1
            list 7:7+11
              "1" 7:8+1
              map 7:11+6
                "k" 7:12+1
                  "v" 7:15+1
          "a" 9:1+1
            "7" 9:4+1
          "<<" 10:1+2
            list 7:7+11
              "1" 7:8+1
              map 7:11+6
                "k" 7:12+1
                  "v" 7:15+1
          list 11:3+3
            "k" 11:4+1
            "v" 12:3+1
          "f" quoted 13:7+1
            "5" 13:16+1
        "#);
    }

    #[test]
    fn one_document_or_none() {
        insta::assert_snapshot!(tree("a: 1\n---\nb: 2\n"), @"more than one document in the file at 2:1; keep one document a file: remove the `---` or move what follows it to a file of its own");
        assert_eq!(tree("\u{feff}name: é # x\n"), tree("name: é # x\n"));
        insta::assert_snapshot!(tree("--- a\n...\n"), @r#""a" 1:5+1"#);
        for empty in ["", "# only\n", "---\n", "null", "\n\n"] {
            assert!(tree(empty).starts_with("the file holds no document"), "{empty:?}");
        }
    }

    #[test]
    fn syntax_errors() {
        insta::assert_snapshot!(tree("a: !foo 5"), @"unknown tag `!foo` at 1:4; remove the tag: types follow from the keys");
        insta::assert_snapshot!(tree("a: [1, 2\nb: 3\n"), @"illegal placement of ':' indicator at 2:2;");
        insta::assert_snapshot!(tree("a: \"unfinished\nb: 1"), @"unclosed quote at 1:4;");
        insta::assert_snapshot!(tree("a: b: c"), @"mapping values are not allowed in this context at 1:5;");
        insta::assert_snapshot!(tree("a: *x"), @"while parsing node, found unknown anchor at 1:4;");
        insta::assert_snapshot!(tree("a: &x [*x]"), @"an alias inside the very thing it names at 1:8; write the values out");
        insta::assert_snapshot!(tree("- a\nb: 1"), @"while parsing a block collection, did not find expected '-' indicator at 2:1;");
        insta::assert_snapshot!(tree("a: \u{1}b"), @r#"unexpected character: `\u{1}' at 1:4;"#);
        insta::assert_snapshot!(tree("a: !!int x"), @r#"
        map 1:1+0
          "a" 1:1+1
            "x" 1:10+1
        "#);
        insta::assert_snapshot!(tree("\u{feff}a: 1\r\nb: \u{e9}\rc: 3\n"), @"a carriage return that ends no line at 2:5; save the file with lines that end in a line feed, with or without a carriage return before it");
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
        insta::assert_snapshot!(tree(&nested), @"aliases bring in more than 20000 values at 13:12; write the values out");
        insta::assert_snapshot!(tree(&flat), @"aliases bring in more than 20000 values at 2:81; write the values out");
        insta::assert_snapshot!(tree(&long), @"aliases bring in more than 4 MiB of text at 2:21; write the values out");
        insta::assert_snapshot!(tree(&"[".repeat(4 << 20)), @"maps and lists nested more than 32 deep at 1:34;");
        insta::assert_snapshot!(tree(&"- ".repeat(2 << 20)), @"maps and lists nested more than 32 deep at 1:65;");
        insta::assert_snapshot!(tree(&"{a: ".repeat(1 << 20)), @"maps and lists nested more than 32 deep at 1:133;");
        insta::assert_snapshot!(tree(&format!("a: [{}]", "1,".repeat(MAX_NODES + 1))), @"more than 1000000 values in one document at 1:2000003;");
        insta::assert_snapshot!(tree(&"---\n".repeat(1 << 20)), @"more than one document in the file at 2:1; keep one document a file: remove the `---` or move what follows it to a file of its own");
        insta::assert_snapshot!(tree(&format!("a: {}1{}", "[".repeat(MAX_DEPTH - 1), "]".repeat(MAX_DEPTH - 1)))
            .lines().count(), @"34");
        assert!(started.elapsed().as_secs() < 20, "a debug build takes {:?}", started.elapsed());
    }
}
