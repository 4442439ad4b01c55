//! The laws, over descriptions made by changing the example and the cases.
//!
//! Here: order that means nothing changes no byte; what is added moves nothing, and a lock is a fixed
//! point; paths are sound; pointers of diagnostics stand. Elsewhere: encodings are read back
//! (`src/format/unit/tests.rs`, `src/format/yaml.rs`), written trees and killed runs
//! (`src/write/tests.rs` and below), a mistake leaves the disk alone (`cli.rs`). `PROPTEST_RNG_SEED=random-number cargo test properties` tries others.

use std::collections::BTreeSet;
use std::fs;

use cops_gen::decode::{Decoded, decode};
use cops_gen::description::Description;
use cops_gen::lock::Lock;
use cops_gen::pointer::Pointer;
use cops_gen::report::{Code, Diagnostic, Severity, human, json, short};
use cops_gen::source::Source;
use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestCaseError, TestError, TestRunner};
use serde_json::{Value, json};

use crate::support::{path, read};
use crate::trees::{
    Rendered, cases, check_files, differences, files_of, read_lock, render, reordered,
};

/// Lists whose order has no meaning, by the key they stand under.
const SETS: [&str; 18] = [
    "after",
    "backup_replicas",
    "blocklist",
    "capabilities",
    "client_groups",
    "devices",
    "egress",
    "groups",
    "inbound",
    "lighthouses",
    "outbound",
    "patroni_api_groups",
    "publish",
    "secrets",
    "sources",
    "trusted_epochs",
    "uses",
    "volumes",
];

/// Texts that some format or other would choke on.
const UGLY: [&str; 24] = [
    "",
    " ",
    "\n",
    "\t x ",
    "a\r\nb",
    "'",
    "\"",
    "\\",
    "$HOME ${A} $$",
    "%h %%",
    "{{ a }} {% b %}",
    "; # x",
    "[Service]\nExecStart=/bin/false",
    "- a: b",
    "!!str &a *b",
    "é ☃ 👩‍👩‍👧",
    "\u{85}\u{2028}\u{feff}",
    "\u{1}\u{7f}",
    "\u{0}",
    "../../etc/passwd",
    "a,b=c:d",
    "-1",
    "255.255.255.255/33",
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
];

/// Choices that proptest made, one after the other; all zeros when they are used up.
struct Dice(std::vec::IntoIter<u32>);

impl Dice {
    fn pick(&mut self, count: usize) -> usize {
        self.0.next().unwrap_or(0) as usize % count.max(1)
    }
}

/// Runs a property over one of the descriptions and dice, always from the same seed unless
/// another is given.
fn for_all(cases: u32, property: impl Fn(&Base, &mut Dice) -> Result<(), TestCaseError>) {
    let mut config = ProptestConfig {
        cases,
        failure_persistence: None,
        max_shrink_iters: 100,
        ..ProptestConfig::default()
    };
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(20);
    }
    let bases = bases();
    let dice = (
        0..bases.len(),
        prop::collection::vec(any::<u32>(), 400..=400),
    );
    let run = TestRunner::new(config).run(&dice, |(index, dice)| {
        property(&bases[index], &mut Dice(dice.into_iter()))
    });
    let fault = run.err().map(|error| match error {
        TestError::Abort(reason) => reason.to_string(),
        TestError::Fail(reason, (index, _)) => format!("{}: {reason}", bases[index].name),
    });
    assert!(fault.is_none(), "{}", fault.unwrap_or_default());
}

/// A description that renders, and the lock that it keeps.
struct Base {
    name: String,
    value: Value,
    lock: Lock,
}

fn bases() -> Vec<Base> {
    let mut directories = cases();
    directories.push(path("tests/example"));
    let base = |directory: std::path::PathBuf| Base {
        name: directory.display().to_string(),
        value: serde_json::from_str(&read(&directory.join("cluster.json"))).unwrap(),
        lock: read_lock(&read(&directory.join("cluster.lock.json"))),
    };
    directories.into_iter().map(base).collect()
}

/// Renders a value. What comes out must be sound, and so must be what is said.
fn checked(value: &Value, lock: &Lock) -> Result<Rendered, TestCaseError> {
    let rendered = render(&serde_json::to_string_pretty(value).unwrap(), lock);
    for (host, bundle) in rendered.bundles.iter().flatten() {
        if let Err(fault) = check_files(bundle) {
            return Err(TestCaseError::fail(format!("host {host}: {fault}")));
        }
    }
    check_report(&rendered)?;
    Ok(rendered)
}

/// Checks that every pointer leads to something, and that every form can be written.
fn check_report(rendered: &Rendered) -> Result<(), TestCaseError> {
    let source = &rendered.source;
    for diagnostic in &rendered.report {
        let notes = diagnostic.notes.iter().map(|note| &note.pointer);
        for pointer in notes.chain([&diagnostic.pointer]) {
            let is_root = pointer.segments().next().is_none();
            let stands = is_root || source.contains(pointer) || source.contains(&parent(pointer));
            prop_assert!(stands, "{}: nothing at {pointer}", diagnostic.code);
        }
    }
    let look = human::Look {
        tail: "",
        is_coloured: false,
        width: 80,
    };
    let lines = short::render(&rendered.report, source);
    prop_assert!(!lines.contains('\u{1b}'), "a control character: {lines}");
    let text = human::render(&rendered.report, source, look);
    prop_assert!(!text.contains('\u{1b}'), "a control character: {text}");
    for line in json::render(&rendered.report, source).lines() {
        prop_assert!(serde_json::from_str::<Value>(line).is_ok(), "{line}");
    }
    Ok(())
}

fn parent(pointer: &Pointer) -> Pointer {
    let text = pointer.to_string();
    let parent = text.rsplit_once('/').map_or("", |(parent, _)| parent);
    Pointer::parse(parent).unwrap()
}

fn errors(rendered: &Rendered) -> String {
    let errors = rendered.report.iter();
    let errors = errors.filter(|it| it.severity == Severity::Error);
    let lines = errors.map(|it| format!("{} at {}: {}", it.code, it.pointer, it.message));
    lines.collect::<Vec<_>>().join("\n")
}

/// Shuffles the lists whose order has no meaning.
fn shuffle_sets(value: &mut Value, key: &str, dice: &mut Dice) {
    match value {
        Value::Object(map) => {
            for (key, value) in map.iter_mut() {
                shuffle_sets(value, key, dice);
            }
        }
        Value::Array(list) => {
            for value in list.iter_mut() {
                shuffle_sets(value, "", dice);
            }
            if SETS.contains(&key) {
                for end in (1..list.len()).rev() {
                    list.swap(end, dice.pick(end + 1));
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn order_without_meaning_changes_no_byte() {
    for_all(40, |base, dice| {
        let plain = checked(&base.value, &base.lock)?;
        let mut value = reordered(&base.value, &mut |count| dice.pick(count));
        shuffle_sets(&mut value, "", dice);
        let shuffled = checked(&value, &base.lock)?;
        prop_assert_eq!(&plain.lock, &shuffled.lock, "{}", base.name);
        let (plain, shuffled) = (plain.bundles.unwrap(), shuffled.bundles);
        prop_assert!(
            shuffled.is_some(),
            "{}",
            errors(&checked(&value, &base.lock)?)
        );
        for (host, bundle) in shuffled.unwrap() {
            let texts = differences(&host, &files_of(&plain[&host]), &files_of(&bundle));
            prop_assert!(texts.is_empty(), "{}", texts.join("\n"));
            prop_assert!(
                plain[&host].units == bundle.units,
                "{host}: the units' table"
            );
        }
        Ok(())
    });
}

/// Adds a host or a pod, as small as it can be.
fn grow(value: &mut Value, step: usize, dice: &mut Dice) {
    let networks: Vec<String> = keys(value, "networks");
    let network = networks[dice.pick(networks.len())].clone();
    let hosts = keys(value, "hosts");
    let host = hosts[dice.pick(hosts.len())].clone();
    // First, last and between: no place in the order of names may matter.
    let name = ["aa", "mm", "zz"][dice.pick(3)];
    let name = format!("{name}-{step}");
    if dice.pick(2) == 0 {
        value["hosts"][&name] =
            json!({ "address": format!("203.0.113.{}", step + 1), "endpoints": { network: {} } });
    } else {
        value["pods"][&name] = json!({ "host": host, "network": network,
            "containers": { "main": { "image": "registry.example.com/x:1" } } });
    }
}

fn keys(value: &Value, section: &str) -> Vec<String> {
    let map = value.get(section).and_then(Value::as_object);
    map.map_or_else(Vec::new, |map| map.keys().cloned().collect())
}

#[test]
fn what_is_added_moves_nothing_that_was_there() {
    for_all(40, |base, dice| {
        let mut value = base.value.clone();
        let mut lock = base.lock.clone();
        for step in 0..=dice.pick(4) {
            grow(&mut value, step, dice);
            let grown = checked(&value, &lock)?;
            prop_assert!(grown.bundles.is_some(), "{}: {}", base.name, errors(&grown));
            for (network, entries) in &lock.networks {
                for (hostname, entry) in entries {
                    prop_assert_eq!(grown.lock.entry(network, hostname), Some(entry));
                }
            }
            let again = checked(&value, &grown.lock)?;
            prop_assert_eq!(&again.lock, &grown.lock, "the lock is no fixed point");
            let read_back = read_lock(&grown.lock.to_text());
            prop_assert_eq!(&read_back, &grown.lock);
            prop_assert_eq!(again.bundles, grown.bundles);
            lock = grown.lock;
        }
        Ok(())
    });
}

#[test]
fn a_lock_is_complete_whatever_it_starts_from() {
    for_all(30, |base, dice| {
        let mut lock = base.lock.clone();
        for (_, entries) in lock.networks.iter_mut() {
            entries.retain(|_, _| dice.pick(2) == 0);
        }
        let first = checked(&base.value, &lock)?;
        prop_assert!(first.bundles.is_some(), "{}: {}", base.name, errors(&first));
        for (network, entries) in &lock.networks {
            for (hostname, entry) in entries {
                prop_assert_eq!(first.lock.entry(network, hostname), Some(entry));
            }
        }
        let second = checked(&base.value, &first.lock)?;
        prop_assert_eq!(second.lock, first.lock);
        Ok(())
    });
}

/// Lists the places of a value.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let at = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
                places(value, &at, found);
                found.push(at);
            }
        }
        Value::Array(list) => {
            for (index, value) in list.iter().enumerate() {
                let at = format!("{at}/{index}");
                places(value, &at, found);
                found.push(at);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn ugly(dice: &mut Dice) -> String {
    let count = 1 + dice.pick(2);
    (0..count).map(|_| UGLY[dice.pick(UGLY.len())]).collect()
}

/// Breaks one place of a description.
fn mutate(value: &mut Value, dice: &mut Dice) {
    let mut found = Vec::new();
    places(value, "", &mut found);
    if found.is_empty() {
        return;
    }
    let at = found[dice.pick(found.len())].clone();
    let other = found[dice.pick(found.len())].clone();
    let (parent, key) = at.rsplit_once('/').unwrap();
    let key = key.replace("~1", "/").replace("~0", "~");
    let moved = value.pointer(&other).cloned().unwrap();
    let new = match dice.pick(12) {
        0 => Value::Null,
        1 => json!(true),
        2 => json!([]),
        3 => json!({}),
        4 => json!([0, 1, -1, 65535, 65536, 4_294_967_295_i64, i64::MAX][dice.pick(7)]),
        5 => json!(1.5),
        6 => moved,
        7..10 => Value::String(ugly(dice)),
        _ => return take_or_rename(value.pointer_mut(parent).unwrap(), &key, dice),
    };
    *value.pointer_mut(&at).unwrap() = new;
}

fn take_or_rename(parent: &mut Value, key: &str, dice: &mut Dice) {
    match parent {
        Value::Object(map) => {
            let old = map.remove(key).unwrap();
            if dice.pick(2) == 0 {
                map.insert(ugly(dice), old);
            }
        }
        Value::Array(list) => {
            let old = list.remove(key.parse().unwrap());
            if dice.pick(2) == 0 {
                list.extend([old.clone(), old]);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn whatever_is_written_is_answered_without_a_panic() {
    for_all(150, |base, dice| {
        let mut value = base.value.clone();
        for _ in 0..=dice.pick(3) {
            mutate(&mut value, dice);
        }
        checked(&value, &base.lock)?;
        Ok(())
    });
}

/// Puts ugly text into a place that takes free text.
fn spoil(value: &mut Value, dice: &mut Dice) {
    let text = ugly(dice);
    let container = &mut value["pods"]["ugly"]["containers"]["main"];
    match dice.pick(9) {
        0 => container["environment"]["A"] = json!(text),
        1 => container["command"] = json!([text, ugly(dice)]),
        2 => container["entrypoint"] = json!(["/bin/true", text]),
        3 => container["config_files"]["/etc/ugly"]["a.conf"] = json!(text),
        4 => container["sysctls"]["kernel.domainname"] = json!(text),
        5 => value["secrets"]["ugly"] = json!({ "source": format!("/run/{text}") }),
        6 => value["secrets"]["ugly-key"] = json!({ "source": "/run/x", "json_key": text }),
        7 => value["overrides"]["ugly-main.container"]["Container"]["Label"] = json!([text, "a=b"]),
        _ => {
            for name in keys(value, "patroni_clusters") {
                let config = &mut value["patroni_clusters"][&name]["postgres_config"];
                config["parameters"]["ugly.text"] = json!(text);
                config["pg_hba"] = json!([format!("host all all 10.0.0.0/8 reject {text}")]);
            }
        }
    }
}

#[test]
fn free_text_arrives_whole_or_is_refused() {
    for_all(120, |base, dice| {
        let mut value = base.value.clone();
        let hosts = keys(&value, "hosts");
        value["pods"]["ugly"] = json!({ "host": hosts[0], "network": keys(&value, "networks")[0],
            "containers": { "main": { "image": "registry.example.com/x:1" } } });
        spoil(&mut value, dice);
        let rendered = checked(&value, &base.lock)?;
        let wanted = value["pods"]["ugly"]["containers"]["main"]["config_files"]["/etc/ugly"]
            .get("a.conf")
            .and_then(Value::as_str);
        if let (Some(text), Some(bundles)) = (wanted, &rendered.bundles) {
            let path = "rootfs/etc/containerops/ugly/main/etc/ugly/a.conf";
            let found = bundles[&hosts[0]].files.get(path);
            prop_assert_eq!(found.map(|it| it.bytes.as_ref()), Some(text.as_bytes()));
        }
        Ok(())
    });
}

#[test]
fn bytes_that_are_no_json_are_answered() {
    for_all(60, |base, dice| {
        let mut text = serde_json::to_string(&base.value).unwrap();
        let places: Vec<usize> = text.char_indices().map(|(index, _)| index).collect();
        let place = places[dice.pick(places.len())];
        match dice.pick(3) {
            0 => text.truncate(place),
            1 => text.insert_str(place, UGLY[dice.pick(UGLY.len())]),
            _ => text.insert(place, b"{}[],:\"\\0-"[dice.pick(10)].into()),
        }
        check_report(&render(&text, &base.lock))
    });
}

#[test]
fn every_file_of_the_errors_is_answered_with_pointers_that_stand() {
    for file in crate::support::files(&path("tests/errors"), ".json") {
        if !file.to_string_lossy().ends_with(".lock.json")
            && let Ok(text) = String::from_utf8(fs::read(&file).unwrap())
        {
            let rendered = render(&text, &Lock::default());
            if let Err(error) = check_report(&rendered) {
                panic!("{}: {error}", file.display());
            }
        }
    }
}

/// Reads a value as a description: its `Debug` form where anything could be read, and what is wrong with it.
fn decoded(value: &Value) -> (Option<String>, Vec<Diagnostic>) {
    let source = Source::new("cluster.json", value.to_string());
    let decoded: Decoded<Description> = decode(&source);
    let read = decoded.value.map(|value| format!("{value:?}"));
    (read, decoded.report.into_iter().collect())
}

/// Lists the places of all objects.
fn objects(value: &Value) -> Vec<String> {
    let mut found = vec![String::new()];
    places(value, "", &mut found);
    found.retain(|at| value.pointer(at).is_some_and(Value::is_object));
    found
}

#[test]
fn a_list_of_its_values_is_no_object() {
    for base in bases() {
        for at in objects(&base.value) {
            let mut value = base.value.clone();
            let object = value.pointer_mut(&at).unwrap();
            let values = object.as_object().unwrap().values().cloned();
            *object = values.collect();
            let (_, found) = decoded(&value);
            let [found] = found.as_slice() else {
                panic!("{}: {found:?} for a list at `{at}`", base.name);
            };
            assert_eq!(
                (found.code, found.pointer.as_str()),
                (Code::WrongType, at.as_str())
            );
            assert!(
                found.message.ends_with("an object, not a list"),
                "{}",
                found.message
            );
        }
    }
}

/// Returns what is said to be missing from the object at `at`.
fn missing_at(value: &Value, at: &str) -> BTreeSet<String> {
    let (_, found) = decoded(value);
    let missing = found.into_iter().filter(|it| it.code == Code::MissingField);
    missing
        .filter(|it| it.pointer.as_str() == at)
        .map(|it| it.message)
        .collect()
}

#[test]
fn all_that_is_missing_is_told_at_once() {
    let mut together = 0;
    for base in bases() {
        for at in objects(&base.value) {
            let mut one_by_one = BTreeSet::new();
            let mut value = base.value.clone();
            for key in keys_at(&value, &at) {
                let mut lacking = base.value.clone();
                take(&mut lacking, &at, &key);
                let missing = missing_at(&lacking, &at);
                if !missing.is_empty() {
                    take(&mut value, &at, &key);
                }
                one_by_one.extend(missing);
            }
            value["a-mistake-elsewhere"] = json!(1);
            assert_eq!(missing_at(&value, &at), one_by_one, "{}: {at}", base.name);
            together += usize::from(one_by_one.len() > 1);
        }
    }
    assert!(together > 50, "{together} objects need several fields");
}

fn keys_at(value: &Value, at: &str) -> Vec<String> {
    let object = value.pointer(at).and_then(Value::as_object).unwrap();
    object.keys().cloned().collect()
}

fn take(value: &mut Value, at: &str, key: &str) {
    let object = value.pointer_mut(at).and_then(Value::as_object_mut);
    object.unwrap().remove(key).unwrap();
}

/// A good description is read by another reader than one with mistakes; both must see the same.
#[test]
fn a_mistake_elsewhere_changes_nothing() {
    for_all(300, |base, dice| {
        let mut value = base.value.clone();
        for _ in 0..dice.pick(4) {
            mutate(&mut value, dice);
        }
        let Some(description) = value.as_object() else {
            return Ok(());
        };
        let alone = decoded(&value);
        let mut description = description.clone();
        description.insert("a-mistake-elsewhere".to_owned(), Value::Null);
        let (read, mut found) = decoded(&Value::Object(description));
        found.retain(|it| it.pointer.as_str() != "/a-mistake-elsewhere");
        prop_assert_eq!((read, found), alone);
        Ok(())
    });
}
