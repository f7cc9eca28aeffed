//! Walking over JSON as we write it, without decoding: compact, in UTF-8, without `\\u`. Accepts nothing that is not JSON and
//! refuses some that is, for whoever knows a longer way. Copies nothing and never panics.

/// How deep lists and objects may stand in each other.
const DEEPEST: u32 = 32;

/// A place in a text that is known to be UTF-8.
#[derive(Debug, Clone)]
pub(super) struct Scan<'t> {
    rest: &'t [u8],
}

/// Every byte of a word the same.
const fn all(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

impl<'t> Scan<'t> {
    pub const fn new(text: &'t [u8]) -> Self {
        Self { rest: text }
    }

    /// What is not walked over yet.
    pub const fn rest(&self) -> &'t [u8] {
        self.rest
    }

    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    /// This byte and no other.
    pub fn must(&mut self, byte: u8) -> Option<()> {
        (self.next()? == byte).then_some(())
    }

    /// This byte, if it stands here.
    pub fn eat(&mut self, byte: u8) -> bool {
        let stands = self.rest.first() == Some(&byte);
        if stands {
            self.rest = self.rest.get(1..).unwrap_or_default();
        }
        stands
    }

    fn literal(&mut self, word: &[u8]) -> Option<()> {
        self.rest = self.rest.strip_prefix(word)?;
        Some(())
    }

    /// A string: the text between its quotes, with its escapes as they stand.
    pub fn string(&mut self) -> Option<&'t [u8]> {
        self.must(b'"')?;
        let text = self.rest;
        let mut length = 0;
        loop {
            length += plain(text.get(length..)?);
            match text.get(length)? {
                b'"' => break,
                b'\\' => {
                    let escaped =
                        matches!(text.get(length + 1)?, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't');
                    escaped.then(|| length += 2)?;
                }
                _ => return None,
            }
        }
        self.rest = text.get(length + 1..)?;
        text.get(..length)
    }

    /// A whole number that fits, without a sign.
    pub fn unsigned(&mut self) -> Option<u32> {
        let before = self.rest;
        self.number()?;
        let digits = before.get(..before.len() - self.rest.len())?;
        std::str::from_utf8(digits).ok()?.parse().ok()
    }

    /// Any number.
    fn number(&mut self) -> Option<()> {
        self.eat(b'-');
        if !self.eat(b'0') {
            self.digits()?;
        }
        if self.eat(b'.') {
            self.digits()?;
        }
        if self.eat(b'e') || self.eat(b'E') {
            let _ = self.eat(b'+') || self.eat(b'-');
            self.digits()?;
        }
        Some(())
    }

    fn digits(&mut self) -> Option<()> {
        let count = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.rest = self.rest.get(count..)?;
        (count > 0).then_some(())
    }

    /// Walks over an object; `each` walks over the value of each key, or over nothing and says so.
    pub fn members(&mut self, mut each: impl FnMut(&'t [u8], &mut Self) -> Option<()>) -> Option<()> {
        self.must(b'{')?;
        if self.eat(b'}') {
            return Some(());
        }
        loop {
            self.member(&mut each)?;
            match self.next()? {
                b',' => {}
                b'}' => return Some(()),
                _ => return None,
            }
        }
    }

    /// One key and its value.
    pub fn member(&mut self, each: &mut impl FnMut(&'t [u8], &mut Self) -> Option<()>) -> Option<()> {
        let key = self.string()?;
        self.must(b':')?;
        each(key, self)
    }

    /// Walks over a list.
    pub fn elements(&mut self, mut each: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.must(b'[')?;
        if self.eat(b']') {
            return Some(());
        }
        loop {
            each(self)?;
            match self.next()? {
                b',' => {}
                b']' => return Some(()),
                _ => return None,
            }
        }
    }

    /// Whether `null` stands here; then it is walked over.
    pub fn null(&mut self) -> bool {
        self.literal(b"null").is_some()
    }

    /// Walks over any value.
    pub fn skip(&mut self) -> Option<()> {
        self.skip_within(DEEPEST)
    }

    fn skip_within(&mut self, depth: u32) -> Option<()> {
        match self.rest.first()? {
            b'"' => self.string().map(drop),
            b'{' => {
                let depth = depth.checked_sub(1)?;
                self.members(|_, value| value.skip_within(depth))
            }
            b'[' => {
                let depth = depth.checked_sub(1)?;
                self.elements(|value| value.skip_within(depth))
            }
            b't' => self.literal(b"true"),
            b'f' => self.literal(b"false"),
            b'n' => self.literal(b"null"),
            _ => self.number(),
        }
    }
}

/// How many bytes at the start of a text are neither a quote nor a backslash nor a control character. Eight at a time:
/// a byte of a word is zero, or less than a blank, exactly where the lowest high bit is set.
fn plain(text: &[u8]) -> usize {
    let (words, rest) = text.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let zero = |word: u64| word.wrapping_sub(all(1)) & !word;
        let stops = zero(word ^ all(b'"')) | zero(word ^ all(b'\\')) | (word.wrapping_sub(all(b' ')) & !word);
        let stops = stops & all(0x80);
        if stops != 0 {
            return at * 8 + stops.trailing_zeros() as usize / 8;
        }
    }
    let stop = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..b' ');
    text.len() - rest.len() + rest.iter().position(stop).unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn accepts(text: &str) -> bool {
        let mut scan = Scan::new(text.as_bytes());
        scan.skip().is_some() && scan.rest().is_empty()
    }

    #[test]
    fn what_is_json_and_what_is_not() {
        let check = |text: &str, expected: bool| assert_eq!(accepts(text), expected, "{text}");
        for good in ["0", "-1.5e+7", "null", "\"\"", r#""a\"\\/\n""#, "[]", "{}", r#"{"a":[1,{"b":true}],"c":"ä漢"}"#]
        {
            check(good, true);
        }
        let bad = [
            "", "-", "01", "1.", "1e", "nul", "\"", "\"a", r#""\x""#, "\"\t\"", "[1,]", "[1 2]", "{\"a\"}", "{\"a\":}",
        ];
        for text in bad {
            check(text, false);
        }
        // Refused though it is JSON: the longer way knows it.
        for other in [" 1", "[1, 2]", r#""\u00e4""#] {
            check(other, false);
        }
        check(&format!("{}{}", "[".repeat(32), "]".repeat(32)), true);
        check(&format!("{}{}", "[".repeat(33), "]".repeat(33)), false);
    }

    #[test]
    fn plain_text_ends_where_it_ends() {
        for stop in ["\"", "\\", "\n", "\u{1f}", "\0"] {
            for before in 0..20 {
                let text = format!(
                    "{}{stop}{}",
                    "ä \u{7f}x!".chars().cycle().take(before).collect::<String>(),
                    "y\"".repeat(9)
                );
                assert_eq!(plain(text.as_bytes()), text.find(stop).unwrap(), "{text:?}");
            }
        }
        assert_eq!(plain("äöü, and no end".as_bytes()), "äöü, and no end".len());
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "[ -~äß漢\"\\\\/\n]{0,20}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                proptest::collection::btree_map("[a-z\"]{0,9}", inner, 0..5).prop_map(|map| map.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_we_write_is_walked_over(json in any_json()) {
            prop_assert!(accepts(&json.to_string()));
        }

        #[test]
        fn what_is_walked_over_is_json(json in any_json(), at in any::<prop::sample::Index>(), new in "[\"\\\\{}\\[\\],:0-9eE.+-tfn\n\t]{0,2}", gone in 0_usize..3) {
            let mut text = json.to_string();
            let from = text.floor_char_boundary(at.index(text.len()));
            let to = text.ceil_char_boundary((from + gone).min(text.len()));
            text.replace_range(from..to, &new);
            prop_assert!(!accepts(&text) || serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok(), "{}", text);
        }
    }
}
