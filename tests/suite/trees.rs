//! Whole trees: read, compared file by file, recorded; and descriptions rendered without a disk.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use cops_gen::bundle::Bundle;
use cops_gen::decode::{Decoded, decode};
use cops_gen::description::Description;
use cops_gen::lock::Lock;
use cops_gen::plan::plan;
use cops_gen::report::Report;
use cops_gen::resolve::{self, resolve};
use cops_gen::source::Source;
use serde_json::Value;

use crate::support::path;

/// What one file of a tree is: its bytes, and whether it can be executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Held {
    /// The file's bytes.
    pub(crate) bytes: Vec<u8>,
    /// Whether its owner can execute it.
    pub(crate) is_executable: bool,
}

/// A tree's files by relative path.
pub(crate) type Files = BTreeMap<String, Held>;

/// Reads every file below `root`; nothing where there is no such directory.
pub(crate) fn held(root: &Path) -> Files {
    let entries = walkdir::WalkDir::new(root).min_depth(1).into_iter();
    let entries = entries.filter(|_| root.exists()).map(Result::unwrap);
    entries
        .filter(|entry| !entry.file_type().is_dir())
        .map(|entry| {
            let name = entry.path().strip_prefix(root).unwrap();
            let mode = entry.metadata().unwrap().permissions().mode();
            let held = Held {
                bytes: fs::read(entry.path()).unwrap(),
                is_executable: mode & 0o100 != 0,
            };
            (name.to_str().unwrap().to_owned(), held)
        })
        .collect()
}

/// Returns the files of a bundle as they would be read.
pub(crate) fn files_of(bundle: &Bundle) -> Files {
    let held = |file: &cops_gen::bundle::File| Held {
        bytes: file.bytes.to_vec(),
        is_executable: file.mode & 0o100 != 0,
    };
    let files = bundle.files.iter();
    files
        .map(|(path, file)| (path.clone(), held(file)))
        .collect()
}

/// Reads what a rewrite would change: inode and time of every entry below `root`, and of it.
pub(crate) fn stamps(root: &Path) -> BTreeMap<PathBuf, (u64, i64, i64)> {
    let entries = walkdir::WalkDir::new(root).into_iter();
    entries
        .map(Result::unwrap)
        .map(|entry| {
            let metadata = entry.metadata().unwrap();
            let stamp = (metadata.ino(), metadata.mtime(), metadata.mtime_nsec());
            (entry.into_path(), stamp)
        })
        .collect()
}

/// Says how two trees differ, a unified diff per file; nothing when they don't.
pub(crate) fn differences(name: &str, expected: &Files, found: &Files) -> Vec<String> {
    let mut texts = Vec::new();
    for (path, old) in expected {
        match found.get(path) {
            None => texts.push(format!("{name}/{path}: is not there")),
            Some(new) => texts.extend(difference(&format!("{name}/{path}"), (old, new))),
        }
    }
    let added = found.keys().filter(|path| !expected.contains_key(*path));
    texts.extend(added.map(|path| format!("{name}/{path}: is not expected")));
    texts
}

fn difference(path: &str, (old, new): (&Held, &Held)) -> Option<String> {
    if old.bytes != new.bytes {
        let (old, new) = (
            String::from_utf8_lossy(&old.bytes),
            String::from_utf8_lossy(&new.bytes),
        );
        let diff = similar::TextDiff::from_lines(old.as_ref(), new.as_ref());
        let expected = format!("{path} (expected)");
        return Some(diff.unified_diff().header(&expected, "found").to_string());
    }
    (old.is_executable != new.is_executable).then(|| {
        let verb = if new.is_executable { "is" } else { "is not" };
        format!("{path}: {verb} executable")
    })
}

/// Returns the directories of `tests/cases`.
pub(crate) fn cases() -> Vec<PathBuf> {
    let entries = fs::read_dir(path("tests/cases")).unwrap();
    let mut found: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    found.sort();
    assert!(found.len() >= 12, "cases are missing: {found:?}");
    found
}

/// Returns the last part of a path.
pub(crate) fn name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

/// What a description became.
pub(crate) struct Rendered {
    /// The lock, with what was missing.
    pub(crate) lock: Lock,
    /// Bundles by host; none when there are errors.
    pub(crate) bundles: Option<BTreeMap<String, Bundle>>,
    /// What was said.
    pub(crate) report: Report,
    /// The text that was read.
    pub(crate) source: Source,
}

/// Reads a lock file.
pub(crate) fn read_lock(text: &str) -> Lock {
    serde_json::from_str(text).unwrap()
}

/// Takes a description through every stage before the disk, as `load` and `render` do.
pub(crate) fn render(text: &str, lock: &Lock) -> Rendered {
    let source = Source::new("cluster.json", text.as_bytes().to_vec());
    let decoded: Decoded<Description> = decode(&source);
    let mut rendered = Rendered {
        lock: lock.clone(),
        bundles: None,
        report: decoded.report.clone(),
        source,
    };
    let Some(description) = &decoded.value else {
        return rendered;
    };
    let resolved = resolve(resolve::Input {
        description,
        source: &rendered.source,
        failed: &decoded.failed,
        lock,
    });
    rendered.report.extend(decoded.settle(resolved.report));
    rendered.lock = resolved.lock.unwrap_or_else(|| lock.clone());
    let model = resolved.model.filter(|_| !rendered.report.has_errors());
    rendered.bundles = model.map(|model| {
        let plan = plan(&model);
        let hosts = model.hosts.iter().map(|host| host.name.clone());
        hosts
            .map(|name| {
                let host = plan.host(&name).unwrap();
                let bundle = cops_gen::lower::lower(&host);
                (name, bundle)
            })
            .collect()
    });
    rendered
}

/// Returns a value whose objects have their keys in another order, as `pick` says.
pub(crate) fn reordered(value: &Value, pick: &mut impl FnMut(usize) -> usize) -> Value {
    match value {
        Value::Object(map) => {
            let mut left: Vec<(&String, &Value)> = map.iter().collect();
            let mut shuffled = serde_json::Map::new();
            while !left.is_empty() {
                let (key, value) = left.remove(pick(left.len()));
                shuffled.insert(key.clone(), reordered(value, pick));
            }
            Value::Object(shuffled)
        }
        Value::Array(list) => list.iter().map(|value| reordered(value, pick)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

/// Checks every file of a bundle: its path, and that its format's own reader takes it.
pub(crate) fn check_files(bundle: &Bundle) -> Result<(), String> {
    for (path, file) in &bundle.files {
        let fault = |text: String| format!("{path}: {text}");
        let parts: Vec<&str> = path.split('/').collect();
        if parts.iter().any(|part| ["", ".", ".."].contains(part)) {
            return Err(fault("is no normal path".to_owned()));
        }
        let below = format!("{path}/");
        if bundle.files.keys().any(|other| other.starts_with(&below)) {
            return Err(fault("is a file and a directory".to_owned()));
        }
        // What a user's container reads is the user's own.
        let users = parts.len() > 6;
        let is_ours = !path.starts_with("rootfs/etc/containerops/") || !users || is_nebula(path);
        let text = std::str::from_utf8(&file.bytes).map_err(|error| fault(error.to_string()))?;
        check_text(path, text, is_ours).map_err(fault)?;
    }
    Ok(())
}

fn is_nebula(path: &str) -> bool {
    path.starts_with("rootfs/etc/containerops/nebula/")
}

fn check_text(path: &str, text: &str, is_ours: bool) -> Result<(), String> {
    let extension = Path::new(path).extension().and_then(|it| it.to_str());
    match extension {
        Some("yml") if is_ours => serde_saphyr::from_str::<Value>(text)
            .map(drop)
            .map_err(|error| error.to_string()),
        Some("json") if is_ours => serde_json::from_str::<Value>(text)
            .map(drop)
            .map_err(|error| error.to_string()),
        Some(
            "container" | "pod" | "network" | "build" | "service" | "target" | "timer" | "conf",
        ) if path.contains("/systemd/") => check_unit(text),
        Some(_) | None => Ok(()),
    }
}

/// Checks that every line of a unit is a section, a key's, a comment or blank.
fn check_unit(text: &str) -> Result<(), String> {
    let word = |text: &str| {
        let legal = |c: char| c.is_ascii_alphanumeric() || c == '-';
        !text.is_empty() && text.chars().all(legal)
    };
    let breaks = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    if let Some(character) = text.chars().find(|c| breaks(*c)) {
        return Err(format!("holds {character:?}"));
    }
    for line in text.split('\n') {
        let section = line.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
        let is_known = line.is_empty()
            || line.starts_with('#')
            || section.is_some_and(|name| word(name.trim_start_matches("X-")))
            || line.split_once('=').is_some_and(|(key, _)| word(key));
        if !is_known || line.ends_with('\\') {
            return Err(format!("this line is none: {line:?}"));
        }
    }
    Ok(())
}
