//! The tree of values in a JSON text, with the bytes of each. Made for text that was checked; takes any.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Range;

use crate::pointer::Pointer;

/// The number of the document's value, if there is one.
pub(crate) const ROOT: usize = 0;

/// One value; its number is its place in the order of the file, parents first.
#[derive(Debug)]
pub(crate) struct Node {
    /// The enclosing value; the root is its own.
    pub(crate) parent: usize,
    /// How many siblings stand before it.
    pub(crate) ordinal: usize,
    /// The bytes of its key with the quotes; empty for elements and the root.
    pub(crate) key: Range<usize>,
    /// The bytes of the value itself.
    pub(crate) value: Range<usize>,
    /// The number behind its last descendant's.
    after: usize,
}

/// All values of a text.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    nodes: Vec<Node>,
    /// How many values the deepest one is in, and its number.
    deepest: (usize, usize),
    /// The keys that are written with escapes, without them.
    unescaped: BTreeMap<usize, String>,
    /// All numbers by parent, then key, then place: for binary search.
    by_key: Vec<usize>,
}

impl Tree {
    /// Reads the text once from front to back.
    pub(crate) fn scan(text: &str) -> Self {
        let mut scan = Scan {
            text,
            tree: Self::default(),
            open: Vec::new(),
            key: None,
        };
        scan.run();
        let mut tree = scan.tree;
        let mut by_key: Vec<usize> = (0..tree.nodes.len()).collect();
        by_key.sort_by(|left, right| tree.compare(text, *left, *right));
        tree.by_key = by_key;
        tree
    }

    /// Returns a value.
    pub(crate) fn get(&self, node: usize) -> Option<&Node> {
        self.nodes.get(node)
    }

    /// Goes through the members or elements of a value in the order of the file.
    pub(crate) fn children(&self, node: usize) -> impl Iterator<Item = usize> + '_ {
        let after = self.get(node).map_or(node, |node| node.after);
        let first = Some(node + 1).filter(|first| *first < after);
        std::iter::successors(first, move |child| {
            self.get(*child)
                .map(|child| child.after)
                .filter(|next| *next < after)
        })
    }

    /// Returns a member's key, unescaped; `None` for elements and the root.
    pub(crate) fn key<'a>(&'a self, text: &'a str, node: usize) -> Option<&'a str> {
        if let Some(key) = self.unescaped.get(&node) {
            return Some(key);
        }
        let key = text.get(self.get(node)?.key.clone())?;
        key.strip_prefix('"')?.strip_suffix('"')
    }

    /// Returns how many values the deepest one is in, and its number.
    pub(crate) fn deepest(&self) -> (usize, usize) {
        self.deepest
    }

    /// Returns the number behind the last descendant of `node`.
    pub(crate) fn after(&self, node: usize) -> usize {
        self.get(node).map_or(node + 1, |node| node.after)
    }

    /// Returns the pointer of a value.
    pub(crate) fn pointer(&self, text: &str, mut node: usize) -> Pointer {
        let mut steps = Vec::new();
        while let Some(value) = self.get(node).filter(|_| node != ROOT) {
            let key = self.key(text, node).map(ToOwned::to_owned);
            steps.push(key.unwrap_or_else(|| value.ordinal.to_string()));
            node = value.parent;
        }
        steps
            .iter()
            .rev()
            .fold(Pointer::default(), |at, step| at.child(step))
    }

    /// Returns the member or element of `node` that a pointer's segment means: of equal keys the first.
    pub(crate) fn find(&self, text: &str, node: usize, segment: &str) -> Option<usize> {
        let start = self.get(node)?.value.start;
        let from = self
            .by_key
            .partition_point(|other| self.parent_of(*other) < (node, true));
        let to = self
            .by_key
            .partition_point(|other| self.parent_of(*other) <= (node, true));
        let children = self.by_key.get(from..to)?;
        if text.as_bytes().get(start) == Some(&b'[') {
            let index: usize = segment.parse().ok()?;
            return children
                .get(index)
                .copied()
                .filter(|_| index.to_string() == segment);
        }
        let place = children.partition_point(|child| self.key(text, *child) < Some(segment));
        children
            .get(place)
            .copied()
            .filter(|child| self.key(text, *child) == Some(segment))
    }

    /// Returns the members that repeat a key of the same object, each with the first of that key.
    pub(crate) fn duplicates(&self, text: &str) -> Vec<(usize, usize)> {
        let mut duplicates = Vec::new();
        let mut first = ROOT;
        for node in self.by_key.iter().copied() {
            let is_same = self.parent_of(first) == self.parent_of(node)
                && self.key(text, node).is_some()
                && self.key(text, first) == self.key(text, node);
            if !is_same {
                first = node;
            } else if node != first {
                duplicates.push((node, first));
            }
        }
        duplicates
    }

    /// Returns the parent's number; the root is told apart, since it is its own parent.
    fn parent_of(&self, node: usize) -> (usize, bool) {
        (
            self.get(node).map_or(ROOT, |node| node.parent),
            node != ROOT,
        )
    }

    fn compare(&self, text: &str, left: usize, right: usize) -> Ordering {
        let parents = self.parent_of(left).cmp(&self.parent_of(right));
        let keys = || self.key(text, left).cmp(&self.key(text, right));
        parents.then_with(keys).then(left.cmp(&right))
    }
}

struct Scan<'a> {
    text: &'a str,
    tree: Tree,
    /// The containers around the current place, each with the number of its children so far.
    open: Vec<(usize, usize)>,
    /// The key whose value is next.
    key: Option<Range<usize>>,
}

impl Scan<'_> {
    fn run(&mut self) {
        let mut offset = 0;
        while let Some(byte) = self.text.as_bytes().get(offset).copied() {
            offset = match byte {
                b'{' | b'[' => self.begin(offset),
                b'}' | b']' => self.end(offset + 1),
                b'"' => self.string(offset),
                b',' | b':' | b' ' | b'\t' | b'\r' | b'\n' => offset + 1,
                _ => self.word(offset),
            };
            if self.open.is_empty() && !self.tree.nodes.is_empty() {
                break;
            }
        }
        while !self.open.is_empty() {
            self.end(self.text.len());
        }
    }

    fn begin(&mut self, offset: usize) -> usize {
        let number = self.add(offset..offset + 1);
        self.open.push((number, 0));
        offset + 1
    }

    fn end(&mut self, offset: usize) -> usize {
        let after = self.tree.nodes.len();
        let open = self.open.pop();
        if let Some(node) = open.and_then(|(number, _)| self.tree.nodes.get_mut(number)) {
            node.value.end = offset;
            node.after = after;
        }
        self.key = None;
        offset
    }

    fn string(&mut self, offset: usize) -> usize {
        let end = string_end(self.text, offset);
        if self.is_in_object() && self.key.is_none() {
            self.key = Some(offset..end);
        } else {
            self.add(offset..end);
        }
        end
    }

    fn word(&mut self, offset: usize) -> usize {
        let rest = self.text.get(offset..).unwrap_or_default();
        let length = rest
            .find(|c: char| "{}[]\",: \t\r\n".contains(c))
            .unwrap_or(rest.len());
        // At least one byte, so that the scan moves on whatever it meets.
        let end = offset + length.max(1);
        self.add(offset..end);
        end
    }

    fn is_in_object(&self) -> bool {
        let container = self
            .open
            .last()
            .and_then(|(number, _)| self.tree.get(*number));
        container.and_then(|node| self.text.as_bytes().get(node.value.start)) == Some(&b'{')
    }

    fn add(&mut self, value: Range<usize>) -> usize {
        let number = self.tree.nodes.len();
        let (parent, ordinal) = match self.open.last_mut() {
            Some((parent, children)) => {
                *children += 1;
                (*parent, *children - 1)
            }
            None => (ROOT, 0),
        };
        let key = self.key.take().unwrap_or(value.start..value.start);
        let written = self.text.get(key.clone()).unwrap_or_default();
        if written.contains('\\') {
            // A key that can't be read keeps its spelling: it only has to be found again.
            let read = serde_json::from_str(written).unwrap_or_else(|_| written.to_owned());
            self.tree.unescaped.insert(number, read);
        }
        self.tree.deepest = self.tree.deepest.max((self.open.len(), number));
        self.tree.nodes.push(Node {
            parent,
            ordinal,
            key,
            value,
            after: number + 1,
        });
        number
    }
}

/// Returns the offset behind the string that begins at `offset`.
fn string_end(text: &str, offset: usize) -> usize {
    let bytes = text.as_bytes().get(offset + 1..).unwrap_or_default();
    let mut is_escaped = false;
    for (length, byte) in bytes.iter().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return offset + length + 2,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_keys_are_found_in_their_own_object_only() {
        let text = r#"{"a": {"b": 1, "b": 2, "c": 3, "\u0062": 4}, "b": [1, 1], "": 0, "": 1}"#;
        let tree = Tree::scan(text);
        let written = |node: usize| text.get(tree.get(node).unwrap().value.clone()).unwrap();
        let found: Vec<_> = tree
            .duplicates(text)
            .iter()
            .map(|(node, first)| (written(*node), written(*first)))
            .collect();
        assert_eq!(found, [("1", "0"), ("2", "1"), ("4", "1")]);
    }

    #[test]
    fn children_come_in_the_order_of_the_file() {
        let text = r#"{"b": {"x": [1, {}]}, "a": 2}"#;
        let tree = Tree::scan(text);
        let keys: Vec<_> = tree
            .children(ROOT)
            .map(|child| tree.key(text, child))
            .collect();
        assert_eq!(keys, [Some("b"), Some("a")]);
        assert_eq!(tree.find(text, ROOT, "a"), Some(5));
    }
}
