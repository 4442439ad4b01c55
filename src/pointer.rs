//! Says where in the user's file something stands: checks pass an [`At`] down, a report keeps a [`Pointer`].

use std::fmt;

/// A place in the description, kept as a linked list on the stack and made into text only when reported.
#[derive(Clone, Copy, Debug)]
pub struct At<'a> {
    last: Option<(&'a At<'a>, Step<'a>)>,
}

#[derive(Clone, Copy, Debug)]
enum Step<'a> {
    Key(&'a str),
    Index(usize),
}

impl<'a> At<'a> {
    /// The whole document.
    pub const ROOT: At<'static> = At { last: None };

    /// Goes down to the member `key` of an object.
    #[must_use]
    pub fn key(&'a self, key: &'a str) -> At<'a> {
        At {
            last: Some((self, Step::Key(key))),
        }
    }

    /// Goes down to the element `index` of a list.
    #[must_use]
    pub fn index(&'a self, index: usize) -> At<'a> {
        At {
            last: Some((self, Step::Index(index))),
        }
    }

    /// Writes the place down as a JSON pointer.
    pub fn to_pointer(&self) -> Pointer {
        let mut steps = Vec::new();
        let mut at = self;
        while let Some((parent, step)) = &at.last {
            steps.push(*step);
            at = parent;
        }
        let mut pointer = Pointer::default();
        for step in steps.into_iter().rev() {
            match step {
                Step::Key(key) => pointer.push(key),
                Step::Index(index) => pointer.push(&index.to_string()),
            }
        }
        // Many are kept.
        pointer.0.shrink_to_fit();
        pointer
    }
}

/// A JSON pointer as RFC 6901 writes it: empty for the whole document, else `/hosts/db1`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pointer(String);

impl Pointer {
    /// Reads a pointer; `None` if it neither is empty nor starts with a slash, or has a stray `~`.
    pub fn parse(text: &str) -> Option<Self> {
        let starts_well = text.is_empty() || text.starts_with('/');
        let tildes_end_well = text
            .split('~')
            .skip(1)
            .all(|rest| rest.starts_with('0') || rest.starts_with('1'));
        (starts_well && tildes_end_well).then(|| Self(text.to_owned()))
    }

    /// Returns the steps from the root down, unescaped.
    pub fn segments(&self) -> impl DoubleEndedIterator<Item = String> + '_ {
        // The text before the first slash is empty and no step.
        let steps = self.0.strip_prefix('/').map(|rest| rest.split('/'));
        steps
            .into_iter()
            .flatten()
            .map(|step| step.replace("~1", "/").replace("~0", "~"))
    }

    /// Returns the pointer of the enclosing value; `None` for the root.
    pub fn parent(&self) -> Option<Self> {
        self.0
            .rsplit_once('/')
            .map(|(parent, _)| Self(parent.to_owned()))
    }

    /// Says whether this is `ancestor` or stands under it; `/hosts/db10` does not start with `/hosts/db1`.
    pub fn starts_with(&self, ancestor: &Self) -> bool {
        self.0
            .strip_prefix(&ancestor.0)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Returns the pointer of the member or element `segment` of this value.
    #[must_use]
    pub fn child(&self, segment: &str) -> Self {
        let mut child = self.clone();
        child.push(segment);
        child
    }

    /// Returns the pointer as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Says whether this is the whole document.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    fn push(&mut self, segment: &str) {
        self.0.push('/');
        for c in segment.chars() {
            match c {
                '~' => self.0.push_str("~0"),
                '/' => self.0.push_str("~1"),
                other => self.0.push(other),
            }
        }
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_pointer().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pointer(text: &str) -> Pointer {
        Pointer::parse(text).unwrap()
    }

    #[test]
    fn a_place_becomes_a_pointer_with_escapes() {
        assert_eq!(At::ROOT.to_pointer().as_str(), "");
        let clusters = At::ROOT.key("patroni_clusters");
        let app = clusters.key("a/p~p");
        let members = app.key("members");
        assert_eq!(
            members.index(1).to_pointer().as_str(),
            "/patroni_clusters/a~1p~0p/members/1"
        );
        assert_eq!(At::ROOT.key("").to_pointer().as_str(), "/");
    }

    #[test]
    fn segments_are_unescaped() {
        let cases: [(&str, &[&str]); 6] = [
            ("", &[]),
            ("/", &[""]),
            ("/hosts/db1", &["hosts", "db1"]),
            ("/a~1b/~01/~0~1", &["a/b", "~1", "~/"]),
            ("/a//b", &["a", "", "b"]),
            ("/0/1", &["0", "1"]),
        ];
        for (text, expected) in cases {
            let segments: Vec<String> = pointer(text).segments().collect();
            assert_eq!(segments, expected, "{text}");
            let rebuilt = segments
                .iter()
                .fold(Pointer::default(), |at, step| at.child(step));
            assert_eq!(rebuilt.as_str(), text);
        }
    }

    #[test]
    fn what_is_no_pointer_is_refused() {
        for text in ["hosts", "/a~", "/a~2", "a/b", "/~x~0"] {
            assert_eq!(Pointer::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_prefix_ends_at_a_slash() {
        assert!(pointer("/hosts/db1/port").starts_with(&pointer("/hosts/db1")));
        assert!(pointer("/hosts/db1").starts_with(&pointer("/hosts/db1")));
        assert!(pointer("/hosts").starts_with(&pointer("")));
        assert!(!pointer("/hosts/db10").starts_with(&pointer("/hosts/db1")));
        assert!(!pointer("/hosts").starts_with(&pointer("/hosts/db1")));
        assert_eq!(pointer("/hosts/db1").parent(), Some(pointer("/hosts")));
        assert_eq!(pointer("/hosts").parent(), Some(pointer("")));
        assert_eq!(pointer("").parent(), None);
    }
}
