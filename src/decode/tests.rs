//! Tests of decoding on a small description.

#![expect(dead_code, reason = "the types are read, not used")]

use std::net::Ipv4Addr;

use proptest::prelude::*;
use serde::Deserialize;

use super::*;
use crate::pointer::At;
use crate::report::short;
use crate::shorthand::Shorthand;
use crate::unique_map::UniqueMap;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Small {
    version: u32,
    #[serde(default)]
    hosts: UniqueMap<Host>,
    #[serde(default)]
    clusters: UniqueMap<Cluster>,
    #[serde(default)]
    extra: serde_json::Value,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Host {
    address: Ipv4Addr,
    port: Option<u16>,
    #[serde(default)]
    range: (u16, u16),
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Cluster {
    members: Vec<Shorthand<Member>>,
    #[serde(default)]
    mode: Mode,
    start: Option<Start>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Mode {
    #[default]
    Off,
    On,
    Quorum,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Start {
    Fresh,
    Restore { path: String },
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Member {
    host: Name,
    ip: Option<Ipv4Addr>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Jobs {
    version: u32,
    jobs: UniqueMap<Job>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Job {
    /// What is run:
    /// a program.
    command: Vec<String>,
    commands: Option<u8>,
    user: String,
    exec: Exec,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Exec {
    Here,
    Remote {
        /// Where it runs.
        host: String,
        port: u16,
    },
}

impl From<String> for Member {
    fn from(host: String) -> Self {
        Self {
            host: Name(host),
            ip: None,
        }
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
struct Name(String);

impl TryFrom<String> for Name {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let is_legal = text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if is_legal {
            Ok(Self(text))
        } else {
            Err("a name has letters and digits only")
        }
    }
}

fn read(text: &str) -> (Source, Decoded<Small>) {
    let source = Source::new("c.json", text);
    let decoded = decode(&source);
    (source, decoded)
}

fn lines(text: &str) -> Vec<String> {
    let (source, decoded) = read(text);
    short::render(&decoded.report, &source)
        .lines()
        .map(ToOwned::to_owned)
        .collect()
}

#[test]
fn a_good_file_has_no_report() {
    let (_, decoded) = read(
        r#"{"version": 1, "hosts": {"db1": {"address": "192.0.2.1", "range": [1, 2]}},
            "clusters": {"app": {"members": ["db1", {"host": "db2"}], "mode": "on",
            "start": {"restore": {"path": "/x"}}}, "b": {"members": [], "start": "fresh"}}}"#,
    );
    assert!(decoded.report.is_empty());
    assert_eq!(
        decoded.value.unwrap().clusters.get("app").unwrap().members[1]
            .host
            .0,
        "db2"
    );
}

#[test]
fn every_mistake_is_found_at_its_place() {
    let text = r#"{
  "version": "1",
  "hosts": {
    "db1": { "address": "192.0.2.300", "prot": 1, "port": 70000 },
    "db2": { "address": "192.0.2.2", "port": -1, "range": [1] },
    "db3": {
      "port": 1
    },
    "db4": 5,
    "db2": { "address": "192.0.2.9" },
    "db5": { "adress": "192.0.2.5" }
  },
  "clusters": {
    "app": {
      "members": ["db1", { "host": "db-2", "ipp": "192.0.2.1" }, 7, { "ip": "192.0.2.1" }],
      "mode": "quorom",
      "start": { "restore": { "paht": "/x" } }
    },
    "b": { "mode": 5, "members": {}, "start": { "restored": {} } }
  },
  "hosst": {}
}"#;
    let expected = [
        "2:14: error[wrong-type]: `version` must be a whole number from 0 to 4294967295, not the string `1`",
        "4:25: error[malformed-value]: `address` is no IPv4 address",
        "4:40: error[unknown-field]: `db1` has no field `prot`",
        "4:59: error[out-of-range]: `port` must be a whole number from 0 to 65535, not 70000",
        "5:46: error[out-of-range]: `port` must be a whole number from 0 to 65535, not -1",
        "5:59: error[wrong-type]: `range` must be a list of 2, not of 1",
        "6:5: error[missing-field]: `db3` lacks the field `address`",
        "9:12: error[wrong-type]: `db4` must be an object, not 5",
        "10:5: error[duplicate-key]: the key `db2` stands twice in one object",
        "11:14: error[unknown-field]: `db5` has no field `adress`",
        "15:36: error[malformed-value]: `host` is malformed: a name has letters and digits only",
        "15:44: error[unknown-field]: an element of `members` has no field `ipp`",
        "15:66: error[wrong-type]: an element of `members` must be a string or an object, not 7",
        "15:69: error[missing-field]: an element of `members` lacks the field `host`",
        "16:15: error[unknown-variant]: `mode` can't be `quorom`",
        "17:31: error[unknown-field]: `restore` has no field `paht`",
        "19:20: error[wrong-type]: `mode` must be `off`, `on` or `quorum`, not `5`",
        "19:34: error[wrong-type]: `members` must be a list, not an object",
        "19:49: error[unknown-variant]: `start` can't be `restored`",
        "21:3: error[unknown-field]: the file has no field `hosst`",
    ];
    let found = lines(text);
    let found: Vec<_> = found
        .iter()
        .map(|line| line.strip_prefix("c.json:").unwrap())
        .collect();
    assert_eq!(found, expected, "{found:#?}");
}

#[test]
fn a_list_of_its_values_is_no_object() {
    let text = r#"{
  "version": 1,
  "hosts": {
    "db1": ["192.0.2.1", null, [1, 2]]
  },
  "clusters": {
    "a": [[], "on", null],
    "b": { "members": [["db1"]], "start": { "restore": ["/x"] } }
  }
}"#;
    let expected = [
        "4:12: error[wrong-type]: `db1` must be an object, not a list",
        "7:10: error[wrong-type]: `a` must be an object, not a list",
        "8:24: error[wrong-type]: an element of `members` must be a string or an object, not a list",
        "8:56: error[wrong-type]: `restore` must be an object, not a list",
    ];
    assert_eq!(lines(text), expected.map(|line| format!("c.json:{line}")));
    let expected = ["c.json:1:1: error[wrong-type]: the file must be an object, not a list"];
    assert_eq!(lines("[1]"), expected);
}

#[test]
fn all_missing_fields_are_told_with_their_meaning() {
    let text = r#"{ "version": 1, "jobs": {
  "a": {},
  "b": { "comand": [], "user": 5 },
  "c": { "commend": ["x"], "usr": "x", "commands": 1 },
  "d": { "exec": { "remote": {} } },
  "e": { "exec": { "remote": { "host": 5 } } }
} }"#;
    let source = Source::new("c.json", text);
    let decoded = decode::<Jobs>(&source);
    let said = decoded.report.iter().map(|found| {
        let help = found.help.as_deref().unwrap_or_default();
        format!("{}: {}; {help}", found.pointer, found.message)
    });
    let expected = [
        "/jobs/a: `a` lacks the field `command`; add `command`: What is run: a program.",
        "/jobs/a: `a` lacks the field `user`; ",
        "/jobs/a: `a` lacks the field `exec`; ",
        "/jobs/b/comand: `b` has no field `comand`; did you mean `command`?",
        "/jobs/b/user: `user` must be a string, not 5; ",
        "/jobs/b: `b` lacks the field `exec`; ",
        "/jobs/c/commend: `c` has no field `commend`; did you mean `command`?",
        "/jobs/c/usr: `c` has no field `usr`; did you mean `user`?",
        "/jobs/c: `c` lacks the field `exec`; ",
        "/jobs/d/exec/remote: `remote` lacks the field `host`; add `host`: Where it runs.",
        "/jobs/d/exec/remote: `remote` lacks the field `port`; ",
        "/jobs/d: `d` lacks the field `command`; add `command`: What is run: a program.",
        "/jobs/d: `d` lacks the field `user`; ",
        "/jobs/e/exec/remote/host: `host` must be a string, not 5; ",
        "/jobs/e/exec/remote: `remote` lacks the field `port`; ",
        "/jobs/e: `e` lacks the field `command`; add `command`: What is run: a program.",
        "/jobs/e: `e` lacks the field `user`; ",
    ];
    assert_eq!(said.collect::<Vec<_>>(), expected);
}

#[test]
fn what_could_be_read_is_kept_and_indices_are_put_right() {
    let (source, decoded) = read(
        r#"{"version": 1, "hosts": {"db1": {"address": "192.0.2.1"}, "db2": {"address": "no"}},
            "clusters": {"app": {"members": ["a", 7, "b", {}, "c"]}}}"#,
    );
    let value = decoded.value.as_ref().unwrap();
    assert_eq!(value.hosts.keys().collect::<Vec<_>>(), ["db1"]);
    assert_eq!(
        source.keys_of(&Pointer::parse("/hosts").unwrap()),
        ["db1", "db2"]
    );
    let hosts: Vec<_> = value
        .clusters
        .get("app")
        .unwrap()
        .members
        .iter()
        .map(|m| m.host.0.as_str())
        .collect();
    assert_eq!(hosts, ["a", "b", "c"]);

    let clusters = At::ROOT.key("clusters");
    let app = clusters.key("app");
    let members = app.key("members");
    let mut later = Report::default();
    later.push(Diagnostic::new(
        Code::UnknownField,
        members.index(2),
        "about `c`",
    ));
    later.push(Diagnostic::new(
        Code::UnknownField,
        members,
        "rests on what failed",
    ));
    later.push(Diagnostic::new(
        Code::UnknownField,
        app,
        "rests on what failed",
    ));
    let settled = decoded.settle(later);
    let pointers: Vec<_> = settled.iter().map(|found| found.pointer.as_str()).collect();
    assert_eq!(pointers, ["/clusters/app/members/4"]);
}

#[test]
fn a_typo_lists_what_is_allowed_and_guesses() {
    let (_, decoded) = read(r#"{"version": 1, "hosst": {}}"#);
    let found = decoded.report.iter().next().unwrap();
    assert_eq!(found.allowed, ["version", "hosts", "clusters", "extra"]);
    assert_eq!(found.help.as_deref(), Some("did you mean `hosts`?"));
}

const NO_JSON: [(&str, &str); 25] = [
    ("", "1:1: error[syntax]: the file is empty"),
    (" \n", "1:1: error[syntax]: the file is empty"),
    (
        "\u{feff}{}",
        "1:1: error[syntax]: the file starts with a byte order mark, which JSON doesn't allow",
    ),
    (
        "{\"a\": 1,}",
        "1:8: error[syntax]: JSON allows no comma behind the last entry",
    ),
    (
        "{\"a\": [1,\n]}",
        "1:9: error[syntax]: JSON allows no comma behind the last entry",
    ),
    (
        "{\n  // c\n  \"a\": 1}",
        "2:3: error[syntax]: JSON has no comments",
    ),
    (
        "{\"a\": 1 /* c */}",
        "1:9: error[syntax]: JSON has no comments",
    ),
    (
        "{\"a\": # c\n1}",
        "1:7: error[syntax]: JSON has no comments",
    ),
    (
        "{'a': 1}",
        "1:2: error[syntax]: JSON wants strings in double quotes",
    ),
    (
        "{\"a\": 'b'}",
        "1:7: error[syntax]: JSON wants strings in double quotes",
    ),
    (
        "{a: 1}",
        "1:2: error[syntax]: JSON wants every key in double quotes",
    ),
    (
        "{\"a\": 1\n \"b\": 2}",
        "1:7: error[syntax]: a comma is missing behind this entry",
    ),
    (
        "[1 2]",
        "1:2: error[syntax]: a comma is missing behind this entry",
    ),
    (
        "{\"a\" 1}",
        "1:6: error[syntax]: a `:` is missing behind the key",
    ),
    (
        "{\"a\": True}",
        "1:7: error[syntax]: `True` is no JSON value",
    ),
    (
        "{\"a\": None}",
        "1:7: error[syntax]: `None` is no JSON value",
    ),
    (
        "{\"a\": 01}",
        "1:7: error[syntax]: JSON doesn't write numbers like this",
    ),
    (
        "{\"a\": 1.}",
        "1:7: error[syntax]: JSON doesn't write numbers like this",
    ),
    (
        "{\"a\": \"b\nc\"}",
        "1:9: error[syntax]: a string can't hold a line break or control character",
    ),
    (
        "{\"a\": \"\\q\"}",
        "1:9: error[syntax]: JSON has no such escape",
    ),
    (
        "{\"a\": [1}",
        "1:9: error[syntax]: this bracket closes nothing that is open",
    ),
    ("{\"a\": }", "1:7: error[syntax]: a value is missing here"),
    (
        "{} x",
        "1:4: error[syntax]: something stands behind the end of the document",
    ),
    (
        "{\"a\": {\n",
        "1:7: error[syntax]: the file ends in the middle of a value",
    ),
    (
        "{\"a\": \"b",
        "1:8: error[syntax]: the file ends in the middle of a value",
    ),
];

#[test]
fn what_is_no_json_is_told_in_its_words() {
    for (text, expected) in NO_JSON {
        assert_eq!(lines(text), [format!("c.json:{expected}")], "{text}");
    }
}

#[test]
fn a_truncated_file_names_what_is_open() {
    let (source, decoded) = read("{\"a\": [\n  1,\n");
    let note = &decoded.report.iter().next().unwrap().notes[0];
    assert_eq!(note.message, "this `[` is never closed");
    assert_eq!(source.span(note.span.clone().unwrap()).column, 7);
}

#[test]
fn depth_is_bounded() {
    for depth in [128, 100_000] {
        let deep = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let text = format!("{{\"version\": \"x\", \"extra\": {deep}}}");
        let found = lines(&text);
        assert_eq!(found.len(), 1);
        assert!(
            found[0].ends_with("error[syntax]: values are nested too deeply, more than 126 levels")
        );
    }
}

#[test]
fn values_no_type_can_hold_are_refused() {
    let cases = [
        (
            r#"{"version": 1e999}"#,
            "1:13: error[out-of-range]: `version` must be a whole number from 0 to 4294967295, not 1e999",
        ),
        (
            r#"{"version": 1.5}"#,
            "1:13: error[wrong-type]: `version` must be a whole number from 0 to 4294967295, not 1.5",
        ),
        (
            r#"{"version": 1, "extra": "\ud800"}"#,
            "1:25: error[malformed-value]: `extra` is malformed: an escape in it stands for no character",
        ),
        (
            "5",
            "1:1: error[wrong-type]: the file must be an object, not 5",
        ),
        (
            "{}",
            "1:1: error[missing-field]: the file lacks the field `version`",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(lines(text), [format!("c.json:{expected}")], "{text}");
    }
}

#[test]
fn many_mistakes_in_a_large_file_end_soon() {
    use std::fmt::Write as _;
    let mut text = "{\"version\": 1, \"hosts\": {".to_owned();
    for number in 0..20_000 {
        let port = if number % 10 == 0 { "\"x\"" } else { "1" };
        let comma = if number == 0 { "" } else { "," };
        write!(
            text,
            "{comma}\n\"h{number}\": {{\"address\": \"192.0.2.1\", \"port\": {port}}}"
        )
        .unwrap();
    }
    text.push_str("}}");
    assert_eq!(lines(&text).len(), MOST_MISTAKES);
}

fn check_laws(text: &[u8]) -> Result<(), TestCaseError> {
    let source = Source::new("c.json", text);
    let decoded = decode::<Small>(&source);
    prop_assert!(decoded.report.has_errors() || decoded.value.is_some());
    check_readers_agree(&source)?;
    for found in &decoded.report {
        let parent = found.pointer.parent().unwrap_or_default();
        prop_assert!(
            found.pointer.is_root() || source.contains(&found.pointer) || source.contains(&parent),
            "{found:?}"
        );
        prop_assert!(
            source
                .text()
                .get(source.span_of(&found.pointer, true).bytes)
                .is_some()
        );
    }
    short::render(&decoded.report, &source);
    crate::report::json::render(&decoded.report, &source);
    let look = crate::report::human::Look {
        tail: "",
        is_coloured: true,
        width: 80,
    };
    crate::report::human::render(&decoded.report, &source, look);
    Ok(())
}

/// What the reader of good files takes, the one that searches for mistakes finds none in, and the reverse.
fn check_readers_agree(source: &Source) -> Result<(), TestCaseError> {
    let is_json = serde_json::from_str::<IgnoredAny>(source.text()).is_ok();
    // `extra` is a plain map, which takes equal keys.
    let has_duplicates = || !source.tree().duplicates(source.text()).is_empty();
    if source.broken_at().is_some() || !is_json || has_duplicates() {
        return Ok(());
    }
    let mut salvage = Salvage::new(source);
    let salvaged = salvage.run::<Small>();
    match read_text::<Small>(source.text()) {
        Ok(value) => {
            prop_assert!(salvage.report.is_empty(), "{:?}", salvage.report);
            prop_assert_eq!(format!("{:?}", Some(value)), format!("{salvaged:?}"));
        }
        Err(error) => prop_assert!(salvage.report.has_errors(), "{error}"),
    }
    Ok(())
}

const GOOD: &str = r#"{"version": 1, "hosts": {"db1": {"address": "192.0.2.1", "port": 5, "range": [1, 2]},
  "dä2": {"address": "192.0.2.2"}}, "clusters": {"app": {"members": ["db1", {"host": "db2", "ip": "192.0.2.1"}],
  "mode": "on", "start": {"restore": {"path": "/x"}}}}, "extra": [null, true, 1.5e3, "\u00e4\n"]}"#;

proptest! {
    #[test]
    fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        check_laws(&bytes)?;
    }

    #[test]
    fn mutated_files_are_answered(
        edits in proptest::collection::vec((0..GOOD.len(), 0usize..3, "[\\[\\]{}\",:a1é\\\\ \n'/-]|null|\"x\":1,"), 1..6)
    ) {
        let mut bytes = GOOD.as_bytes().to_vec();
        for (place, length, text) in edits {
            let start = place.min(bytes.len());
            let end = (start + length).min(bytes.len());
            bytes.splice(start..end, text.bytes());
        }
        check_laws(&bytes)?;
    }

    #[test]
    fn values_of_other_types_are_answered(
        holes in proptest::collection::vec((any::<prop::sample::Index>(), "null|5|-70000|\"x\"|\\[\\]|\\{\\}|\\[1,\\{\\}\\]|\\{\"on\":1\\}"), 1..5)
    ) {
        let mut text = GOOD.to_owned();
        for (index, value) in holes {
            let tree = tree::Tree::scan(&text);
            let node = tree.get(index.index(tree.after(tree::ROOT))).unwrap().value.clone();
            text.replace_range(node, &value);
        }
        check_laws(text.as_bytes())?;
    }
}
