//! Holds the user's file and knows where everything in it stands. What costs is built once, on the first question.

pub(crate) mod tree;

use std::ops::Range;
use std::sync::OnceLock;

use self::tree::Tree;
use crate::pointer::Pointer;

/// The bytes between two checkpoints of the count of characters.
const BLOCK: usize = 1024;

/// What is to be marked: bytes of one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// The bytes in the text.
    pub bytes: Range<usize>,
    /// The line, from 1.
    pub line: usize,
    /// The column of the first character, from 1, counted in Unicode scalar values.
    pub column: usize,
    /// The column behind the last character.
    pub end_column: usize,
}

/// A file as the user named it, with its text.
#[derive(Debug)]
pub struct Source {
    name: String,
    text: String,
    broken_at: Option<usize>,
    lines: OnceLock<Lines>,
    tree: OnceLock<Tree>,
}

#[derive(Debug)]
struct Lines {
    /// The offset of each line's first byte.
    starts: Vec<usize>,
    /// How many characters start before each block.
    characters: Vec<usize>,
}

impl Source {
    /// Takes the file `name`, as it is to be shown; bytes that aren't UTF-8 are kept for the report only.
    pub fn new(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        let (text, broken_at) = match String::from_utf8(bytes.into()) {
            Ok(text) => (text, None),
            Err(error) => {
                let broken_at = error.utf8_error().valid_up_to();
                (
                    String::from_utf8_lossy(error.as_bytes()).into_owned(),
                    Some(broken_at),
                )
            }
        };
        Self {
            name: name.into(),
            text,
            broken_at,
            lines: OnceLock::new(),
            tree: OnceLock::new(),
        }
    }

    /// Returns the name as the user gave it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the text; where bytes aren't UTF-8 it has replacement characters.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the offset of the first byte that isn't UTF-8.
    pub fn broken_at(&self) -> Option<usize> {
        self.broken_at
    }

    /// Returns what to mark for `pointer`: the deepest value on its way that exists, or its key.
    ///
    /// A value of several lines isn't marked whole, but by its key or its opening bracket.
    pub fn span_of(&self, pointer: &Pointer, on_key: bool) -> Span {
        let (node, is_exact) = self.deepest(pointer);
        self.span(self.mark(node, on_key && is_exact))
    }

    /// Says whether a value stands at `pointer`.
    pub fn contains(&self, pointer: &Pointer) -> bool {
        let (node, is_exact) = self.deepest(pointer);
        is_exact && self.tree().get(node).is_some()
    }

    /// Returns every key written in the object at `pointer`, in the order of the file.
    pub fn keys_of(&self, pointer: &Pointer) -> Vec<String> {
        let (node, is_exact) = self.deepest(pointer);
        if !is_exact {
            return Vec::new();
        }
        let tree = self.tree();
        let keys = tree
            .children(node)
            .filter_map(|child| tree.key(&self.text, child));
        keys.map(ToOwned::to_owned).collect()
    }

    /// Returns the span of these bytes, cut at the end of the line they begin in.
    pub fn span(&self, bytes: Range<usize>) -> Span {
        let start = floor(&self.text, bytes.start);
        let (line, line_bytes) = self.line_at(start);
        let end = floor(&self.text, bytes.end).clamp(start, line_bytes.end.max(start));
        let before_line = self.characters_before(line_bytes.start);
        Span {
            line,
            column: self.characters_before(start) - before_line + 1,
            end_column: self.characters_before(end) - before_line + 1,
            bytes: start..end,
        }
    }

    /// Returns the number, from 1, and the bytes of the line around `offset`, without its line break.
    pub fn line_at(&self, offset: usize) -> (usize, Range<usize>) {
        let starts = &self.lines().starts;
        let number = starts.partition_point(|start| *start <= offset).max(1);
        let start = starts.get(number - 1).copied().unwrap_or_default();
        let end = starts.get(number).map_or(self.text.len(), |next| next - 1);
        let line = self.text.get(start..end).unwrap_or_default();
        (
            number,
            start..start + line.strip_suffix('\r').unwrap_or(line).len(),
        )
    }

    /// Returns the offset of the byte `column` (from 1) of line `line` (from 1), as `serde_json` counts.
    pub(crate) fn offset(&self, line: usize, column: usize) -> usize {
        let start = self.lines().starts.get(line.saturating_sub(1)).copied();
        let offset = start.unwrap_or(self.text.len()) + column.saturating_sub(1);
        floor(&self.text, offset)
    }

    /// Returns the tree of values, made on the first call.
    pub(crate) fn tree(&self) -> &Tree {
        self.tree.get_or_init(|| Tree::scan(&self.text))
    }

    /// Returns the bytes to mark for a value.
    pub(crate) fn mark(&self, node: usize, on_key: bool) -> Range<usize> {
        let Some(node) = self.tree().get(node) else {
            return 0..0;
        };
        let value = self.text.get(node.value.clone()).unwrap_or_default();
        let has_key = !node.key.is_empty();
        if has_key && (on_key || value.contains('\n')) {
            node.key.clone()
        } else if value.contains('\n') {
            node.value.start..node.value.start + 1
        } else {
            node.value.clone()
        }
    }

    /// Goes down the pointer as far as values exist, and says whether that was the whole way.
    fn deepest(&self, pointer: &Pointer) -> (usize, bool) {
        let mut node = tree::ROOT;
        for segment in pointer.segments() {
            match self.tree().find(&self.text, node, &segment) {
                Some(child) => node = child,
                None => return (node, false),
            }
        }
        (node, true)
    }

    fn lines(&self) -> &Lines {
        self.lines.get_or_init(|| {
            let breaks = self
                .text
                .bytes()
                .enumerate()
                .filter(|(_, byte)| *byte == b'\n');
            let starts = std::iter::once(0)
                .chain(breaks.map(|(offset, _)| offset + 1))
                .collect();
            let mut total = 0;
            let mut characters = vec![0];
            for block in self.text.as_bytes().chunks(BLOCK) {
                total += count_characters(block);
                characters.push(total);
            }
            Lines { starts, characters }
        })
    }

    fn characters_before(&self, offset: usize) -> usize {
        let block = offset / BLOCK;
        let counted = self
            .lines()
            .characters
            .get(block)
            .copied()
            .unwrap_or_default();
        let rest = self
            .text
            .as_bytes()
            .get(block * BLOCK..offset)
            .unwrap_or_default();
        counted + count_characters(rest)
    }
}

/// Counts the bytes that begin a character.
fn count_characters(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| *byte & 0xC0 != 0x80).count()
}

/// Returns the nearest start of a character at or before `offset`.
fn floor(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEXT: &str = "{\n  \"hosts\": {\n    \"db1\": { \"port\": 5432, \"tags\": [\"ä\", \"b\"] },\n    \"db2\": {\n\t\"a/b\": null\n    }\n  },\n  \"x\\u0079\": [\n    1\n  ]\n}\n";

    fn mark(text: &str, pointer: &str, on_key: bool) -> (String, usize, usize, usize) {
        let source = Source::new("cluster.json", text);
        let span = source.span_of(&Pointer::parse(pointer).unwrap(), on_key);
        (
            text.get(span.bytes).unwrap().to_owned(),
            span.line,
            span.column,
            span.end_column,
        )
    }

    #[test]
    fn a_pointer_finds_the_deepest_value_that_exists() {
        let cases = [
            ("", false, "{", 1, 1),
            ("/hosts/db1/port", false, "5432", 3, 22),
            ("/hosts/db1/port", true, "\"port\"", 3, 14),
            ("/hosts/db1/port/deeper", true, "5432", 3, 22),
            ("/hosts/db1/tags/1", false, "\"b\"", 3, 42),
            ("/hosts/db1/tags/01", false, "[\"ä\", \"b\"]", 3, 36),
            (
                "/hosts/db1",
                false,
                "{ \"port\": 5432, \"tags\": [\"ä\", \"b\"] }",
                3,
                12,
            ),
            ("/hosts/db2", false, "\"db2\"", 4, 5),
            ("/hosts/db2/a~1b", false, "null", 5, 9),
            ("/hosts/db3/port", false, "\"hosts\"", 2, 3),
            ("/xy/0", false, "1", 9, 5),
            ("/xy", false, "\"x\\u0079\"", 8, 3),
            ("/nothing", true, "{", 1, 1),
        ];
        for (pointer, on_key, text, line, column) in cases {
            let found = mark(TEXT, pointer, on_key);
            assert_eq!(
                (found.0.as_str(), found.1, found.2),
                (text, line, column),
                "{pointer}"
            );
            assert_eq!(found.3 - found.2, text.chars().count(), "{pointer}");
        }
    }

    #[test]
    fn keys_are_listed_in_the_order_of_the_file() {
        let source = Source::new("cluster.json", TEXT);
        let keys = |pointer: &str| source.keys_of(&Pointer::parse(pointer).unwrap());
        assert_eq!(keys(""), ["hosts", "xy"]);
        assert_eq!(keys("/hosts"), ["db1", "db2"]);
        assert_eq!(keys("/hosts/db1/tags"), [""; 0]);
        assert_eq!(keys("/hosts/db9"), [""; 0]);
    }

    #[test]
    fn bytes_that_are_no_text_are_located() {
        let source = Source::new("cluster.json", b"{\"a\": \"\xff\"}".to_vec());
        assert_eq!(source.broken_at(), Some(7));
        assert_eq!(source.span(7..8).column, 8);
    }

    #[test]
    fn columns_are_right_on_long_lines() {
        let text = format!("[\"{}\", 17]", "ä".repeat(5000));
        assert_eq!(mark(&text, "/1", false), ("17".to_owned(), 1, 5006, 5008));
    }

    proptest! {
        #[test]
        fn any_text_has_spans(text in "[\\[\\]{}\",:a\\\\ \n\té0]{0,60}", pointer in "(/[a0é]?){0,4}") {
            let source = Source::new("x", text.as_str());
            let span = source.span_of(&Pointer::parse(&pointer).unwrap(), true);
            prop_assert!(text.get(span.bytes).is_some_and(|marked| !marked.contains('\n')));
            source.keys_of(&Pointer::parse(&pointer).unwrap());
        }
    }
}
