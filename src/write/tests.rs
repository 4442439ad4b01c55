//! What stands on the disk after runs that ended, and after runs that were stopped at each step.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;

use crate::bundle::{Bundle, File, Recipe};
use crate::compare::{self, DifferenceKind};
use crate::failure::Failure;
use crate::survey::{Scope, Wanted};
use crate::write::disk::stop::Stop;
use crate::write::{Changes, prepare, prepare_bundle};

mod stopped;

/// The files of a host or of the operator: path, mode and text.
type Files = BTreeMap<String, (u32, String)>;

/// What a description stands for in these tests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Wish {
    hosts: BTreeMap<String, Files>,
    operator: Files,
    /// Changes the manifests and no file.
    podman_version: String,
}

fn files(entries: &[(&str, &str)]) -> Files {
    let file = |&(path, text): &(&str, &str)| (path.to_owned(), (0o644, text.to_owned()));
    entries.iter().map(file).collect()
}

fn wish(hosts: &[(&str, &[(&str, &str)])]) -> Wish {
    let hosts = hosts
        .iter()
        .map(|(name, entries)| ((*name).to_owned(), files(entries)));
    Wish {
        hosts: hosts.collect(),
        ..Wish::default()
    }
}

fn in_memory(files: &Files) -> BTreeMap<String, File> {
    let file = |(mode, text): &(u32, String)| File {
        mode: *mode,
        bytes: Cow::Owned(text.clone().into_bytes()),
    };
    files
        .iter()
        .map(|(path, entry)| (path.clone(), file(entry)))
        .collect()
}

fn recipes(files: &Files) -> BTreeMap<String, Recipe<'static>> {
    let recipe = |file: File| -> Recipe<'static> { Box::new(move || file.clone()) };
    let files = in_memory(files).into_iter();
    files.map(|(path, file)| (path, recipe(file))).collect()
}

impl Wish {
    fn all(&self) -> Scope {
        Scope::All(self.hosts.keys().cloned().collect())
    }

    fn lower(&self, name: &str) -> Bundle {
        Bundle {
            host: name.to_owned(),
            podman_version: self.podman_version.clone(),
            files: in_memory(&self.hosts[name]),
            units: BTreeMap::new(),
            endpoints: BTreeMap::new(),
        }
    }

    /// Writes what is wished, stops after `steps`, and says how many steps were begun.
    fn write_until(
        &self,
        out: &Path,
        scope: &Scope,
        steps: usize,
    ) -> (Result<Changes, Vec<Failure>>, usize) {
        let operator = recipes(&self.operator);
        let wanted = Wanted {
            scope,
            lower: |name: &str| self.lower(name),
            operator: &operator,
        };
        let mut prepared = match prepare(out, wanted) {
            Ok(prepared) => prepared,
            Err(failures) => return (Err(failures), 0),
        };
        prepared.disk.stop = Arc::new(Stop::after(steps));
        let stop = Arc::clone(&prepared.disk.stop);
        let result = prepared.commit().map_err(|failure| vec![failure]);
        (result, stop.taken())
    }

    fn write(&self, out: &Path) -> Result<Changes, Vec<Failure>> {
        self.write_until(out, &self.all(), usize::MAX).0
    }

    fn check(&self, out: &Path) -> Result<Vec<String>, Vec<Failure>> {
        let operator = recipes(&self.operator);
        let scope = self.all();
        let lower = |name: &str| self.lower(name);
        let found = compare::check(
            out,
            &Wanted {
                scope: &scope,
                lower,
                operator: &operator,
            },
        )?;
        Ok(found.iter().map(ToString::to_string).collect())
    }
}

fn verify(out: &Path) -> Vec<String> {
    compare::verify(out)
        .unwrap()
        .iter()
        .map(ToString::to_string)
        .collect()
}

/// Everything below a directory: mode and bytes of files, links and directories by name alone.
fn snapshot(root: &Path) -> BTreeMap<String, (u32, Vec<u8>)> {
    let entries = walkdir::WalkDir::new(root).min_depth(1);
    let entry = |entry: walkdir::DirEntry| {
        let path = entry
            .path()
            .strip_prefix(root)
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        if entry.file_type().is_file() {
            let mode = entry.metadata().unwrap().permissions().mode() & 0o7777;
            (path, (mode, fs::read(entry.path()).unwrap()))
        } else {
            (path, (0, Vec::new()))
        }
    };
    entries
        .into_iter()
        .map(|found| entry(found.unwrap()))
        .collect()
}

fn put(out: &Path, path: &str, text: &str) {
    let path = out.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    #[expect(clippy::disallowed_methods, reason = "a test plays the user")]
    fs::write(path, text).unwrap();
}

fn remove(out: &Path, path: &str) {
    #[expect(clippy::disallowed_methods, reason = "a test plays the user")]
    fs::remove_file(out.join(path)).unwrap();
}

fn rename(from: &Path, to: &Path) {
    #[expect(clippy::disallowed_methods, reason = "a test plays the user")]
    fs::rename(from, to).unwrap();
}

fn chmod(out: &Path, path: &str, mode: u32) {
    fs::set_permissions(out.join(path), fs::Permissions::from_mode(mode)).unwrap();
}

fn sentences(failures: &[Failure], out: &Path) -> Vec<String> {
    let out = format!("{}/", out.display());
    failures
        .iter()
        .map(|failure| failure.to_string().replace(&out, ""))
        .collect()
}

fn two_hosts() -> Wish {
    let mut wish = wish(&[
        (
            "h1",
            &[
                ("activate", "#!"),
                ("rootfs/etc/a", "a"),
                ("rootfs/etc/b", "b"),
            ],
        ),
        ("h2", &[("activate", "#!"), ("rootfs/etc/c", "c")]),
    ]);
    wish.hosts
        .get_mut("h1")
        .unwrap()
        .get_mut("activate")
        .unwrap()
        .0 = 0o755;
    wish.operator = files(&[("pki/n.tsv", "n")]);
    wish
}

#[test]
fn a_fresh_tree_is_written_with_its_parents_and_verifies() {
    let dir = TempDir::new().unwrap();
    let out = dir.path().join("new/out");
    let changes = two_hosts().write(&out).unwrap();
    assert_eq!(
        changes.written,
        [
            "hosts/h1/",
            "hosts/h2/",
            "manifest.json",
            "operator/pki/n.tsv"
        ]
    );
    assert_eq!((changes.files_written, changes.unchanged), (6, 0));
    let paths: Vec<String> = snapshot(&out).into_keys().collect();
    let expected = [
        "hosts",
        "hosts/h1",
        "hosts/h1/activate",
        "hosts/h1/manifest.json",
        "hosts/h1/rootfs",
        "hosts/h1/rootfs/etc",
        "hosts/h1/rootfs/etc/a",
        "hosts/h1/rootfs/etc/b",
        "hosts/h2",
        "hosts/h2/activate",
        "hosts/h2/manifest.json",
        "hosts/h2/rootfs",
        "hosts/h2/rootfs/etc",
        "hosts/h2/rootfs/etc/c",
        "manifest.json",
        "operator",
        "operator/pki",
        "operator/pki/n.tsv",
    ];
    assert_eq!(paths, expected);
    assert_eq!(snapshot(&out)["hosts/h1/activate"], (0o755, b"#!".to_vec()));
    assert_eq!(verify(&out), [""; 0]);
    assert_eq!(two_hosts().check(&out).unwrap(), [""; 0]);
}

#[test]
fn a_second_run_takes_not_one_step() {
    let dir = TempDir::new().unwrap();
    two_hosts().write(dir.path()).unwrap();
    let inodes = |path: &str| {
        let metadata = fs::metadata(dir.path().join(path)).unwrap();
        (metadata.ino(), metadata.mtime_nsec(), metadata.ctime_nsec())
    };
    let before = inodes("hosts/h1/manifest.json");
    let wish = two_hosts();
    let (changes, steps) = wish.write_until(dir.path(), &wish.all(), 0);
    let changes = changes.unwrap();
    assert!(changes.is_empty());
    assert_eq!((steps, changes.unchanged, changes.files_written), (0, 6, 0));
    assert_eq!(inodes("hosts/h1/manifest.json"), before);
}

#[test]
fn a_change_touches_only_what_differs() {
    let dir = TempDir::new().unwrap();
    two_hosts().write(dir.path()).unwrap();
    let inode = |path: &str| fs::metadata(dir.path().join(path)).unwrap().ino();
    let (same, other) = (
        inode("hosts/h1/rootfs/etc/b"),
        inode("hosts/h2/manifest.json"),
    );
    let mut wish = two_hosts();
    let host = wish.hosts.get_mut("h1").unwrap();
    host.insert("rootfs/etc/a".to_owned(), (0o644, "A".to_owned()));
    host.insert("rootfs/new/d".to_owned(), (0o600, "d".to_owned()));
    host.remove("activate");
    let expected = [
        "added hosts/h1/rootfs/new/d",
        "changed hosts/h1/manifest.json",
        "changed hosts/h1/rootfs/etc/a",
        "removed hosts/h1/activate",
    ];
    let mut found = wish.check(dir.path()).unwrap();
    found.sort();
    assert_eq!(found, expected);
    let changes = wish.write(dir.path()).unwrap();
    let written = [
        "hosts/h1/manifest.json",
        "hosts/h1/rootfs/etc/a",
        "hosts/h1/rootfs/new/d",
        "manifest.json",
    ];
    assert_eq!(changes.written, written);
    assert_eq!(changes.removed, ["hosts/h1/activate"]);
    assert_eq!(
        (
            inode("hosts/h1/rootfs/etc/b"),
            inode("hosts/h2/manifest.json")
        ),
        (same, other)
    );
    assert_eq!(verify(dir.path()), [""; 0]);
}

#[test]
fn a_host_that_vanished_is_removed_and_what_is_not_ours_stays() {
    let dir = TempDir::new().unwrap();
    two_hosts().write(dir.path()).unwrap();
    put(dir.path(), "hosts/h2/rootfs/etc/mine", "mine");
    put(dir.path(), "hosts/h1/notes", "mine");
    put(dir.path(), "README", "mine");
    put(dir.path(), "hosts/old/file", "mine");
    let mut wish = two_hosts();
    wish.hosts.remove("h2");
    let changes = wish.write(dir.path()).unwrap();
    let foreign = [
        "README",
        "hosts/h1/notes",
        "hosts/h2/rootfs/etc/mine",
        "hosts/old/",
    ];
    assert_eq!(changes.kept_foreign, foreign);
    assert_eq!(
        changes.removed,
        ["hosts/h2/activate", "hosts/h2/rootfs/etc/c"]
    );
    let found = [
        "added README",
        "added hosts/h1/notes",
        "added hosts/h2/",
        "added hosts/old/",
    ];
    assert_eq!(verify(dir.path()), found);
    assert!(dir.path().join("hosts/h2/rootfs/etc/mine").exists());
    assert!(!dir.path().join("hosts/h2/manifest.json").exists());
}

#[test]
fn everything_in_the_way_is_named_before_anything_is_written() {
    let dir = TempDir::new().unwrap();
    two_hosts().write(dir.path()).unwrap();
    let mut wish = two_hosts();
    let host = wish.hosts.get_mut("h1").unwrap();
    *host = files(&[
        ("file", "x"),
        ("dir/file", "x"),
        ("link/deep/file", "x"),
        ("l", "x"),
    ]);
    wish.hosts
        .get_mut("h2")
        .unwrap()
        .insert("rootfs/etc".to_owned(), (0o644, String::new()));
    wish.hosts.get_mut("h2").unwrap().remove("rootfs/etc/c");
    put(dir.path(), "hosts/h1/file", "other");
    put(
        dir.path(),
        "hosts/h1/dir",
        "a file where a directory must be",
    );
    symlink("/etc", dir.path().join("hosts/h1/link")).unwrap();
    symlink("activate", dir.path().join("hosts/h1/l")).unwrap();
    put(dir.path(), "hosts/h2/rootfs/etc/mine", "mine");
    let before = snapshot(dir.path());
    let expected = [
        "cannot write `hosts/h1/dir`: a file that no manifest names stands there",
        "cannot write `hosts/h1/file`: a file that no manifest names stands there",
        "cannot write `hosts/h1/l`: a symbolic link stands there",
        "cannot write `hosts/h1/link`: a symbolic link stands there",
        "cannot write `hosts/h2/rootfs/etc`: a directory stands there",
    ];
    assert_eq!(
        sentences(&wish.write(dir.path()).unwrap_err(), dir.path()),
        expected
    );
    assert_eq!(
        sentences(&wish.check(dir.path()).unwrap_err(), dir.path()),
        expected
    );
    assert_eq!(snapshot(dir.path()), before);
}

#[test]
fn a_foreign_file_with_our_bytes_becomes_ours() {
    let dir = TempDir::new().unwrap();
    two_hosts().write(dir.path()).unwrap();
    put(dir.path(), "hosts/h1/new", "new");
    let mut wish = two_hosts();
    wish.hosts
        .get_mut("h1")
        .unwrap()
        .insert("new".to_owned(), (0o644, "new".to_owned()));
    let changes = wish.write(dir.path()).unwrap();
    assert_eq!(changes.written, ["hosts/h1/manifest.json", "manifest.json"]);
    assert_eq!(
        two_hosts().write(dir.path()).unwrap().removed,
        ["hosts/h1/new"]
    );
}

#[test]
fn links_never_lead_out_of_the_tree() {
    let dir = TempDir::new().unwrap();
    let outside = TempDir::new().unwrap();
    for place in [
        "hosts/h1",
        "hosts",
        "operator",
        "manifest.json",
        "hosts/h1/manifest.json",
    ] {
        let out = dir.path().join(place.replace('/', "-"));
        two_hosts().write(&out).unwrap();
        rename(
            &out.join(place),
            &outside.path().join(place.replace('/', "-")),
        );
        symlink(
            outside.path().join(place.replace('/', "-")),
            out.join(place),
        )
        .unwrap();
        let before = (snapshot(&out), snapshot(outside.path()));
        let mut wish = two_hosts();
        wish.podman_version = "6.0".to_owned();
        let failures = sentences(&wish.write(&out).unwrap_err(), &out);
        assert_eq!(
            failures,
            [format!(
                "cannot write `{place}`: a symbolic link stands there"
            )]
        );
        wish.hosts.clear();
        if !place.starts_with("operator") {
            assert!(wish.write(&out).is_err(), "{place}");
        }
        assert_eq!((snapshot(&out), snapshot(outside.path())), before);
    }
}

#[test]
fn a_directory_that_is_not_ours_is_refused() {
    let dir = TempDir::new().unwrap();
    let refusals: [(&str, &str); 4] = [
        ("README", "mine"),
        ("hosts/h1/rootfs/x", "mine"),
        ("manifest.json", "{\"name\": \"a web app\"}"),
        ("manifest.json", ""),
    ];
    for (number, (path, text)) in refusals.into_iter().enumerate() {
        let out = dir.path().join(number.to_string());
        put(&out, path, text);
        let before = snapshot(&out);
        let failures = two_hosts().write(&out).unwrap_err();
        let is_right = match failures.as_slice() {
            [Failure::ForeignTree { .. }] => path != "manifest.json",
            [Failure::Manifest { .. }] => path == "manifest.json",
            _ => false,
        };
        assert!(is_right, "{failures:?}");
        assert!(compare::verify(&out).is_err());
        assert_eq!(snapshot(&out), before);
    }
    assert!(compare::verify(&dir.path().join("absent")).is_err());
}

#[test]
fn modes_are_repaired_as_far_as_git_keeps_them() {
    let dir = TempDir::new().unwrap();
    two_hosts().write(dir.path()).unwrap();
    chmod(dir.path(), "hosts/h1/rootfs/etc/a", 0o664);
    chmod(dir.path(), "hosts/h1/rootfs/etc/b", 0o444);
    assert_eq!(verify(dir.path()), [""; 0]);
    assert!(two_hosts().write(dir.path()).unwrap().is_empty());
    chmod(dir.path(), "hosts/h1/activate", 0o644);
    chmod(dir.path(), "hosts/h1/rootfs/etc/b", 0o755);
    let found = ["mode hosts/h1/activate", "mode hosts/h1/rootfs/etc/b"];
    assert_eq!(verify(dir.path()), found);
    assert_eq!(two_hosts().check(dir.path()).unwrap(), found);
    two_hosts().write(dir.path()).unwrap();
    assert_eq!(verify(dir.path()), [""; 0]);
    let mut wish = two_hosts();
    wish.hosts
        .get_mut("h1")
        .unwrap()
        .get_mut("rootfs/etc/a")
        .unwrap()
        .0 = 0o600;
    wish.write(dir.path()).unwrap();
    assert_eq!(snapshot(dir.path())["hosts/h1/rootfs/etc/a"].0, 0o600);
}

#[test]
fn a_scope_of_hosts_leaves_the_others_alone() {
    let dir = TempDir::new().unwrap();
    two_hosts().write(dir.path()).unwrap();
    let mut wish = two_hosts();
    for host in wish.hosts.values_mut() {
        host.insert("rootfs/etc/c".to_owned(), (0o644, "new".to_owned()));
    }
    wish.hosts.insert("h3".to_owned(), files(&[("x", "x")]));
    wish.operator.clear();
    let scope = Scope::Hosts(BTreeSet::from(["h1".to_owned(), "h3".to_owned()]));
    let changes = wish.write_until(dir.path(), &scope, usize::MAX).0.unwrap();
    let written = [
        "hosts/h1/manifest.json",
        "hosts/h1/rootfs/etc/c",
        "hosts/h3/",
        "manifest.json",
    ];
    assert_eq!(
        (changes.written.as_slice(), changes.unfinished),
        (&written.map(String::from)[..], false)
    );
    assert_eq!(changes.removed, ["hosts/h1/activate"; 0]);
    assert_eq!(verify(dir.path()), [""; 0]);
    assert_eq!(snapshot(dir.path())["hosts/h2/rootfs/etc/c"].1, b"c");
    assert!(dir.path().join("operator/pki/n.tsv").exists());
}

#[test]
fn two_runs_never_write_one_tree_at_a_time() {
    let dir = TempDir::new().unwrap();
    let wish = two_hosts();
    wish.write(dir.path()).unwrap();
    let scope = wish.all();
    let operator = recipes(&wish.operator);
    let wanted = Wanted {
        scope: &scope,
        lower: |name: &str| wish.lower(name),
        operator: &operator,
    };
    let held = prepare(dir.path(), wanted).ok().unwrap();
    let failures = wish.write(dir.path()).unwrap_err();
    assert!(
        matches!(failures.as_slice(), [Failure::Busy { .. }]),
        "{failures:?}"
    );
    drop(held);
    wish.write(dir.path()).unwrap();
}

#[test]
fn verify_names_everything_that_is_not_as_it_was_written() {
    let dir = TempDir::new().unwrap();
    two_hosts().write(dir.path()).unwrap();
    put(dir.path(), "hosts/h1/rootfs/etc/a", "A");
    put(dir.path(), "hosts/h1/rootfs/etc/new", "new");
    remove(dir.path(), "hosts/h1/rootfs/etc/b");
    put(dir.path(), "hosts/h1/.cops-gen.tmp", "");
    put(dir.path(), "hosts/h2/manifest.json", "{}");
    put(dir.path(), "operator/pki/n.tsv", "m");
    put(dir.path(), ".cops-gen.tmp", "");
    let expected = [
        "unfinished .cops-gen.tmp",
        "unfinished hosts/h1/.cops-gen.tmp",
        "changed hosts/h1/rootfs/etc/a",
        "removed hosts/h1/rootfs/etc/b",
        "added hosts/h1/rootfs/etc/new",
        "added hosts/h2/activate",
        "changed hosts/h2/manifest.json",
        "added hosts/h2/rootfs/etc/c",
        "changed operator/pki/n.tsv",
    ];
    assert_eq!(verify(dir.path()), expected);
    assert_eq!(
        compare::verify(dir.path()).unwrap()[0].kind,
        DifferenceKind::Unfinished
    );
}

#[test]
fn a_single_file_is_replaced_whole_and_only_when_it_differs() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("cluster.lock.json");
    assert!(super::replace_file(&path, b"1").unwrap());
    assert!(!super::replace_file(&path, b"1").unwrap());
    chmod(dir.path(), "cluster.lock.json", 0o600);
    let link = dir.path().join("link");
    symlink("cluster.lock.json", &link).unwrap();
    put(dir.path(), ".cops-gen.tmp", "left by a killed run");
    assert!(super::replace_file(&link, b"2").unwrap());
    assert!(link.is_symlink());
    let found = snapshot(dir.path());
    assert_eq!(found["cluster.lock.json"], (0o600, b"2".to_vec()));
    assert_eq!(found.len(), 2);
    assert!(matches!(
        super::create_file(&path, b"3"),
        Err(Failure::ForeignFile { .. })
    ));
}
