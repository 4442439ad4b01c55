//! Runs that are stopped at a step, as `kill -9` stops them, and the runs after them.

use proptest::prelude::*;

use super::*;

/// The paths below a directory, as [`snapshot`] finds them.
type Tree = BTreeMap<String, (u32, Vec<u8>)>;

/// Files that are nobody's, in directories that every wish of these tests leaves a directory.
const FOREIGN: [&str; 4] = [
    "README",
    "hosts/h1/mine",
    "hosts/h2/d/mine",
    "operator/mine",
];

/// Paths that stand in each other's way: `a` is a file in one tree and a directory in another.
const PATHS: [&str; 7] = ["a", "a/b", "a/b/c", "a/d", "d/e", "d/f", "g/h/i"];

/// What a wish gives on an empty disk, and the foreign files of `out`, with their directories.
fn expected(wish: &Wish, out: &Path) -> Tree {
    let clean = TempDir::new().unwrap();
    wish.write(clean.path()).unwrap();
    let mut expected = snapshot(clean.path());
    for path in FOREIGN.iter().filter(|path| out.join(path).exists()) {
        expected.insert((*path).to_owned(), (0o644, b"mine".to_vec()));
        for directory in crate::survey::ancestors(path) {
            expected.entry(directory.to_owned()).or_default();
        }
    }
    expected
}

fn sprinkle(out: &Path) {
    for path in FOREIGN {
        let directory = out.join(path);
        if directory.parent().unwrap().is_dir() {
            put(out, path, "mine");
            chmod(out, path, 0o644);
        }
    }
}

/// Says whether `verify` finds nothing but foreign files.
fn is_clean(out: &Path) -> bool {
    compare::verify(out).is_ok_and(|found| {
        let is_foreign = |path: &str| {
            FOREIGN
                .iter()
                .any(|foreign| *foreign == path || foreign.starts_with(path))
        };
        found
            .iter()
            .all(|found| found.kind == DifferenceKind::Added && is_foreign(&found.path))
    })
}

/// Asserts that two trees are the same, and names only what differs.
fn assert_same(found: &Tree, wanted: &Tree, what: &str) {
    let paths: BTreeSet<&String> = found.keys().chain(wanted.keys()).collect();
    for path in paths {
        let text = |tree: &Tree| {
            let entry = tree.get(path);
            entry.map(|(mode, bytes)| format!("{mode:o} {}", String::from_utf8_lossy(bytes)))
        };
        assert_eq!(
            text(found),
            text(wanted),
            "{what}: `{path}` (found, wanted)"
        );
    }
}

/// Asserts that `wish` ends in exactly its tree, verifies, and has nothing left to do.
fn assert_mended(wish: &Wish, out: &Path, what: &str) {
    let (changes, _) = wish.write_until(out, &wish.all(), usize::MAX);
    changes.unwrap_or_else(|failures| panic!("{what}: {failures:?}"));
    assert_same(&snapshot(out), &expected(wish, out), what);
    assert!(is_clean(out), "{what}: {:?}", compare::verify(out));
    let (changes, steps) = wish.write_until(out, &wish.all(), 0);
    assert!(
        changes.unwrap().is_empty() && steps == 0,
        "{what}: a second run did something"
    );
}

/// Asserts that `verify` tells of the stopped run, if it left anything between old and new.
fn assert_reported(trees: &[&Wish], out: &Path, what: &str) {
    if is_clean(out) {
        let found = snapshot(out);
        let is_whole = trees.iter().any(|tree| found == expected(tree, out));
        assert!(is_whole, "{what}: verify says nothing about {found:?}");
    }
}

/// Two trees that differ in every way: changed, new and vanished files, hosts and directories.
fn old_and_new() -> (Wish, Wish) {
    let mut old = wish(&[
        (
            "h1",
            &[
                ("a", "file"),
                ("d/e", "1"),
                ("d/f", "same"),
                ("g/h/i", "deep"),
            ],
        ),
        ("h2", &[("a/b/c", "dir"), ("d/e", "1"), ("d/f", "2")]),
        ("h3", &[("a", "unchanged")]),
        ("h4", &[("x/y", "vanishes")]),
    ]);
    old.operator = files(&[("pki/n.tsv", "n"), ("old/x", "x")]);
    let mut new = wish(&[
        (
            "h1",
            &[
                ("a/b", "now below"),
                ("a/d", "2"),
                ("d/e", "changed"),
                ("d/f", "same"),
            ],
        ),
        ("h2", &[("a", "now a file"), ("d/e", "1"), ("d/f", "2")]),
        ("h3", &[("a", "unchanged")]),
        ("h5", &[("x/y", "comes"), ("x/z", "")]),
    ]);
    new.operator = files(&[("pki/n.tsv", "m"), ("old", "now a file"), ("new/z", "z")]);
    new.hosts.get_mut("h2").unwrap().get_mut("d/e").unwrap().0 = 0o755;
    new.hosts.get_mut("h2").unwrap().get_mut("d/f").unwrap().0 = 0o600;
    (old, new)
}

/// Runs `test` with one thread below, so that the steps of a run come in one order.
fn in_order(test: impl FnOnce() + Send) {
    rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .unwrap()
        .install(test);
}

/// Stops a run of `new` over `old` after every number of steps, then runs each of `next`.
fn stop_everywhere(old: Option<&Wish>, new: &Wish, next: &[&Wish]) -> usize {
    for steps in 0.. {
        for (number, next) in next.iter().enumerate() {
            let dir = TempDir::new().unwrap();
            let out = dir.path().join("out");
            if let Some(old) = old {
                old.write(&out).unwrap();
                sprinkle(&out);
            }
            let what = format!("stopped after {steps} steps, then tree {number}");
            let (result, _) = new.write_until(&out, &new.all(), steps);
            if result.is_ok() {
                return steps;
            }
            let trees: Vec<&Wish> = old.into_iter().chain([new]).collect();
            assert_reported(&trees, &out, &what);
            assert_mended(next, &out, &what);
        }
    }
    0
}

#[test]
fn a_run_stopped_anywhere_over_an_old_tree_is_reported_and_mended() {
    let (old, new) = old_and_new();
    let third = wish(&[("h1", &[("a/b/c", "third")]), ("h5", &[("x", "file")])]);
    in_order(|| {
        let steps = stop_everywhere(Some(&old), &new, &[&new, &old, &third, &Wish::default()]);
        assert!(steps > 60, "only {steps} steps");
    });
}

/// Writes a host's bundle alone, and stops after `steps`.
fn write_alone(wish: &Wish, root: &Path, steps: usize) -> Result<Changes, Failure> {
    let bundle = wish.lower("h1");
    let mut prepared = prepare_bundle(root, "h1", &bundle).unwrap();
    prepared.disk.stop = Arc::new(Stop::after(steps));
    prepared.commit()
}

#[test]
fn a_bundle_that_stands_alone_is_mended_too() {
    let (old, new) = old_and_new();
    for is_first in [true, false] {
        let steps = (0..1000).find(|steps| {
            let dir = TempDir::new().unwrap();
            let root = dir.path().join("above/bundle");
            if !is_first {
                write_alone(&old, &root, usize::MAX).unwrap();
            }
            let is_done = write_alone(&new, &root, *steps).is_ok();
            write_alone(&new, &root, usize::MAX).unwrap();
            new.write(&dir.path().join("out")).unwrap();
            let whole = snapshot(&dir.path().join("out/hosts/h1"));
            assert_same(&snapshot(&root), &whole, &format!("{steps} steps"));
            is_done
        });
        assert!(steps.unwrap() > 10, "only {steps:?} steps");
    }
}

#[test]
fn directories_that_a_stopped_run_emptied_or_made_are_not_left() {
    let mut old = wish(&[
        ("h1", &[("a/b/c", "1"), ("d/e", "1")]),
        ("h2", &[("a/b/c", "1")]),
    ]);
    old.operator = files(&[("x/y/z", "1")]);
    let mut new = wish(&[("h1", &[("d/e", "1"), ("g/h/i", "1")])]);
    new.operator = files(&[("v/w", "1")]);
    let nothing = wish(&[("h1", &[("d/e", "1")])]);
    in_order(|| {
        let all = [&nothing, &new, &old];
        for (old, new) in [
            (&old, &nothing),
            (&nothing, &old),
            (&old, &new),
            (&new, &nothing),
        ] {
            assert!(stop_everywhere(Some(old), new, &all) > 8);
        }
    });
}

#[test]
fn a_first_run_stopped_anywhere_is_reported_and_mended() {
    let (old, new) = old_and_new();
    in_order(|| {
        let steps = stop_everywhere(None, &old, &[&old, &new, &Wish::default()]);
        assert!(steps > 40, "only {steps} steps");
    });
}

#[test]
fn a_run_that_mends_and_is_stopped_itself_is_mended_by_the_next() {
    let (old, new) = old_and_new();
    let third = wish(&[
        ("h1", &[("a/b/c", "third"), ("d", "file")]),
        ("h2", &[("a", "third")]),
    ]);
    in_order(|| {
        for (round, first) in (0..120).step_by(9).enumerate() {
            for second in (round % 5..90).step_by(5) {
                let dir = TempDir::new().unwrap();
                old.write(dir.path()).unwrap();
                let what = format!("stopped after {first} steps, then after {second}");
                new.write_until(dir.path(), &new.all(), first).0.ok();
                third.write_until(dir.path(), &third.all(), second).0.ok();
                assert_reported(&[&old, &new, &third], dir.path(), &what);
                let next = [&old, &new, &third][(first + second) % 3];
                assert_mended(next, dir.path(), &what);
            }
        }
    });
}

#[test]
fn a_stopped_run_of_one_host_is_mended_by_the_same_command() {
    let (old, new) = old_and_new();
    let scope = Scope::Hosts(BTreeSet::from(["h1".to_owned(), "h5".to_owned()]));
    in_order(|| {
        let whole = TempDir::new().unwrap();
        old.write(whole.path()).unwrap();
        new.write_until(whole.path(), &scope, usize::MAX).0.unwrap();
        for steps in 0.. {
            let dir = TempDir::new().unwrap();
            old.write(dir.path()).unwrap();
            let stopped = new.write_until(dir.path(), &scope, steps).0.is_err();
            let changes = new.write_until(dir.path(), &scope, usize::MAX).0.unwrap();
            assert!(!changes.unfinished);
            assert_eq!(
                snapshot(dir.path()),
                snapshot(whole.path()),
                "after {steps} steps"
            );
            assert_eq!(verify(dir.path()), [""; 0]);
            if !stopped {
                break;
            }
        }
    });
}

#[test]
fn one_host_of_a_killed_first_run_does_not_finish_the_tree() {
    let (old, _) = old_and_new();
    let dir = TempDir::new().unwrap();
    assert!(old.write_until(dir.path(), &old.all(), 25).0.is_err());
    let scope = Scope::Hosts(BTreeSet::from(["h1".to_owned()]));
    let changes = old.write_until(dir.path(), &scope, usize::MAX).0.unwrap();
    assert!(changes.unfinished);
    assert!(verify(dir.path()).contains(&"unfinished manifest.json".to_owned()));
    assert_mended(&old, dir.path(), "a full run");
}

fn a_files() -> impl Strategy<Value = Files> {
    let mode = prop_oneof![Just(0o644), Just(0o755), Just(0o600)];
    let text = prop_oneof![Just(""), Just("text"), Just("another text")];
    let file = (0..PATHS.len(), mode, text);
    proptest::collection::vec(file, 0..6).prop_map(|entries| {
        let mut files = Files::new();
        for (index, mode, text) in entries {
            let path = PATHS[index];
            let clashes = |other: &String| {
                other.starts_with(&format!("{path}/")) || path.starts_with(&format!("{other}/"))
            };
            if !files.keys().any(clashes) {
                files.insert(path.to_owned(), (mode, text.to_owned()));
            }
        }
        files
    })
}

fn a_wish() -> impl Strategy<Value = Wish> {
    let hosts = proptest::collection::btree_map("h[1-4]", a_files(), 0..4);
    let version = prop_oneof![Just("5.4".to_owned()), Just("5.8".to_owned())];
    (hosts, a_files(), version).prop_map(|(hosts, operator, podman_version)| Wish {
        hosts,
        operator,
        podman_version,
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 16,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Any tree, any number of runs stopped anywhere on all cores, with foreign files between.
    #[test]
    fn any_row_of_stopped_runs_is_mended(
        old in proptest::option::of(a_wish()),
        killed in proptest::collection::vec((a_wish(), 0_usize..60, any::<bool>()), 1..4),
        last in a_wish(),
    ) {
        let dir = TempDir::new().unwrap();
        if let Some(old) = &old {
            old.write(dir.path()).unwrap();
            sprinkle(dir.path());
        }
        let mut trees: Vec<&Wish> = old.iter().collect();
        let empty = Wish::default();
        trees.push(&empty);
        for (wish, steps, one_host) in &killed {
            let hosts: BTreeSet<String> = wish.hosts.keys().take(1).cloned().collect();
            let scope = if *one_host { Scope::Hosts(hosts) } else { wish.all() };
            wish.write_until(dir.path(), &scope, *steps).0.ok();
            trees.push(wish);
            if !one_host && trees.len() == 2 + usize::from(old.is_some()) {
                assert_reported(&trees, dir.path(), "a stopped run");
            }
        }
        assert_mended(&last, dir.path(), "the last run");
    }
}
