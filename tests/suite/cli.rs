//! The program from outside: what it answers, what it writes, and what it leaves alone.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::support::{Run, cops_gen, files, path, read};
use crate::trees::{held, stamps};

/// A directory of its own with the example in it.
fn example() -> TempDir {
    let work = tempfile::tempdir().unwrap();
    for file in ["cluster.json", "cluster.lock.json"] {
        fs::copy(path("tests/example").join(file), work.path().join(file)).unwrap();
    }
    work
}

/// Runs the program in the example's directory, and wants this exit code.
fn run(work: &TempDir, arguments: &[&str], code: i32) -> Run {
    let run = cops_gen(work.path(), arguments);
    let said = format!("{arguments:?}\n{}{}", run.stdout, run.stderr);
    assert_eq!(run.code, Some(code), "{said}");
    assert!(!said.contains('\u{1b}'), "coloured, or worse: {said}");
    run
}

#[expect(clippy::disallowed_methods, reason = "a test's own files")]
fn put(work: &TempDir, file: &str, text: &str) {
    fs::write(work.path().join(file), text).unwrap();
}

/// Replaces one text of a file by another.
fn change(work: &TempDir, file: &str, from: &str, to: &str) {
    let text = read(&work.path().join(file));
    assert!(text.contains(from), "{file} has no {from}");
    put(work, file, &text.replacen(from, to, 1));
}

#[expect(clippy::disallowed_methods, reason = "a test's own files")]
fn remove(work: &TempDir, file: &str) {
    fs::remove_file(work.path().join(file)).unwrap();
}

/// Runs the program with bytes on standard input.
#[expect(clippy::disallowed_methods, reason = "the program is what is tested")]
fn piped(work: &TempDir, arguments: &[&str], input: &str) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cops-gen"));
    command.current_dir(work.path()).args(arguments);
    command.stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // It may answer before it read everything.
    drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    Run {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn mistakes_are_shown_in_three_forms_and_exit_with_1() {
    let work = example();
    change(
        &work,
        "cluster.json",
        "\"host\": \"db3\"",
        "\"host\": \"bd3\"",
    );
    let human = run(&work, &["check"], 1);
    assert!(
        human.stderr.starts_with("error[unknown-host]: "),
        "{}",
        human.stderr
    );
    assert!(
        human.stderr.ends_with("nothing was written\n"),
        "{}",
        human.stderr
    );
    let short = run(&work, &["check", "--format", "short"], 1).stderr;
    assert_eq!(short.lines().count(), 1, "{short}");
    assert!(short.starts_with("cluster.json:") && short.contains(": error[unknown-host]: "));
    let json = run(&work, &["--format", "json", "check"], 1).stderr;
    let value: serde_json::Value = serde_json::from_str(json.trim_end()).unwrap();
    assert_eq!(value["code"], "unknown-host");
    assert_eq!(value["pointer"], "/barman_servers/barman/host");
    for key in [
        "severity",
        "message",
        "file",
        "line",
        "column",
        "end_column",
        "allowed",
        "help",
    ] {
        assert!(value.get(key).is_some(), "no `{key}`: {json}");
    }
    for run in [human.stdout, run(&work, &["render"], 1).stdout] {
        assert_eq!(run, "", "stdout carries data only");
    }
    run(&work, &["check", "--format", "loud"], 2);
    run(&work, &["chekc"], 2);
    run(&work, &[], 2);
    run(&work, &["--version"], 0);
    run(&work, &["--help"], 0);
}

#[test]
fn warnings_stop_only_when_they_are_denied() {
    let work = example();
    change(&work, "cluster.json", "\"db1\", \"db3\"]", "\"db1\"]");
    let warned = run(&work, &["check"], 0);
    assert!(warned.stderr.starts_with("warning[single-lighthouse]: "));
    run(&work, &["check", "--deny-warnings"], 1);
    run(&work, &["render", "--deny-warnings"], 1);
    assert!(!work.path().join("out").exists());
    run(&work, &["render"], 0);
}

#[test]
fn a_mistake_leaves_the_disk_as_it_was() {
    let work = example();
    run(&work, &["render"], 0);
    let lock = work.path().join("cluster.lock.json");
    let before = (stamps(&work.path().join("out")), stamps(&lock));
    let mut seen = 0;
    for file in files(&path("tests/errors"), ".json") {
        let text = fs::read(&file).unwrap();
        let is_lock = file.to_string_lossy().ends_with(".lock.json");
        let said = fs::read_to_string(file.with_extension("stderr")).unwrap_or_default();
        if is_lock || !said.contains("error[") || file.with_extension("lock.json").exists() {
            continue;
        }
        seen += 1;
        put(&work, "broken.json", "");
        fs::copy(&file, work.path().join("broken.json")).unwrap();
        assert!(!text.is_empty() || said.contains("syntax"));
        for verb in ["render", "lock"] {
            let mut arguments = vec![verb, "broken.json", "--lock", "cluster.lock.json"];
            arguments.extend((verb == "render").then_some("--out=out"));
            run(&work, &arguments, 1);
        }
        let after = (stamps(&work.path().join("out")), stamps(&lock));
        assert_eq!(before, after, "{}", file.display());
    }
    assert!(seen > 60, "only {seen} descriptions with errors");
    run(&work, &["verify"], 0);
}

#[test]
fn standard_input_needs_a_lock() {
    let work = example();
    let text = read(&work.path().join("cluster.json"));
    let refused = piped(&work, &["render", "-"], &text);
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("--lock FILE"), "{}", refused.stderr);
    assert!(!work.path().join("out").exists());
    let lock = ["render", "-", "--lock", "cluster.lock.json", "--locked"];
    let rendered = piped(&work, &lock, &text);
    assert_eq!(rendered.code, Some(0), "{}", rendered.stderr);
    assert!(held(&work.path().join("out")) == held(&path("out")));
    let broken = piped(
        &work,
        &["check", "-", "--lock", "none", "--format=short"],
        "{\n  1",
    );
    assert_eq!(broken.code, Some(1));
    assert!(
        broken.stderr.starts_with("<stdin>:2:3: error[syntax]"),
        "{}",
        broken.stderr
    );
}

#[test]
fn a_locked_run_refuses_a_missing_and_a_stale_lock() {
    let work = example();
    run(&work, &["render", "--locked"], 0);
    let pod = "\"pods\": {\"new\": {\"host\": \"db1\", \"containers\": {\"main\": {\"image\": \
               \"registry.example.com/x:1\"}}},";
    change(&work, "cluster.json", "\"pods\": {", pod);
    let before = stamps(work.path());
    for arguments in [["render", "--locked"], ["check", "--locked"]] {
        let stale = run(&work, &arguments, 1);
        assert!(
            stale.stderr.contains("error[lock-stale]"),
            "{}",
            stale.stderr
        );
        assert!(
            stale.stderr.contains("new.example.internal"),
            "{}",
            stale.stderr
        );
    }
    run(&work, &["lock", "--locked"], 1);
    assert_eq!(before, stamps(work.path()));
    run(&work, &["lock"], 0);
    run(&work, &["render", "--locked"], 0);
    remove(&work, "cluster.lock.json");
    let missing = run(&work, &["render", "--locked"], 1);
    assert!(missing.stderr.contains("is missing"), "{}", missing.stderr);
    run(&work, &["lock"], 0);
    let again = run(&work, &["lock"], 0);
    assert!(
        again.stderr.contains("nothing to change"),
        "{}",
        again.stderr
    );
}

#[test]
fn what_a_nix_build_reads_is_mended_by_the_flake() {
    let work = example();
    let stale = run(&work, &["check", "--locked", "--lock", "/nix/store/no"], 1);
    let remedy = "run `nix run .#lock`, then `nix run .#render`; look at";
    assert!(stale.stderr.contains(remedy), "{}", stale.stderr);
    let checked = run(&work, &["render", "--check", "--out", "/nix/store/no"], 1);
    let remedy = "differences; `nix run .#render` mends them\n";
    assert!(checked.stderr.ends_with(remedy), "{}", checked.stderr);
}

#[test]
fn a_broken_lock_is_told_at_its_place() {
    let work = example();
    change(
        &work,
        "cluster.lock.json",
        "\"port\": 12504",
        "\"port\": \"12504\"",
    );
    let before = stamps(work.path());
    let told = run(&work, &["render", "--format", "short"], 1);
    assert!(
        told.stderr.starts_with("cluster.lock.json:8:"),
        "{}",
        told.stderr
    );
    assert_eq!(before, stamps(work.path()));
}

#[test]
fn prune_frees_what_gone_endpoints_keep() {
    let work = example();
    let pods = read(&work.path().join("cluster.json"));
    let mut value: serde_json::Value = serde_json::from_str(&pods).unwrap();
    value.as_object_mut().unwrap().remove("pods");
    put(&work, "cluster.json", &value.to_string());
    let lock = work.path().join("cluster.lock.json");
    run(&work, &["render"], 0);
    assert!(read(&lock).contains("web.example.internal"), "it is kept");
    let pruned = run(&work, &["lock", "--prune"], 0);
    assert!(
        pruned.stderr.contains("0 added, 1 removed"),
        "{}",
        pruned.stderr
    );
    assert!(!read(&lock).contains("web.example.internal"));
    run(&work, &["render", "--check", "--locked"], 0);
}

#[test]
fn verify_names_what_was_changed_added_and_removed() {
    let work = example();
    run(&work, &["verify"], 2);
    run(&work, &["render"], 0);
    run(&work, &["verify"], 0);
    let units = "out/hosts/db1/rootfs/etc/containers/systemd";
    change(&work, &format!("{units}/web.pod"), "[Pod]", "[Pod]\n# mine");
    remove(&work, &format!("{units}/web-main.container"));
    put(&work, &format!("{units}/mine.container"), "");
    let found = run(&work, &["verify", "out"], 1);
    let below = units.strip_prefix("out/").unwrap();
    let expected = format!(
        "added {below}/mine.container\nremoved {below}/web-main.container\nchanged {below}/web.pod\n"
    );
    assert_eq!(found.stdout, expected);
    let checked = run(&work, &["render", "--check"], 1);
    let expected = format!("added {below}/web-main.container\nchanged {below}/web.pod\n");
    assert_eq!(checked.stdout, expected, "what a render would do");
    let remedy = "out: 2 differences; `cops-gen render` mends them\n";
    assert_eq!(checked.stderr, remedy);
    let mended = run(&work, &["render"], 0);
    assert!(
        mended.stderr.contains("kept a file that isn't ours"),
        "{}",
        mended.stderr
    );
    remove(&work, &format!("{units}/mine.container"));
    run(&work, &["verify"], 0);
}

#[test]
fn render_check_writes_nothing_and_says_what_would_change() {
    let work = example();
    let first = run(&work, &["render", "--check"], 1);
    assert!(
        first.stdout.contains("added hosts/db1/manifest.json\n"),
        "{}",
        first.stdout
    );
    assert!(!work.path().join("out").exists());
    run(&work, &["render"], 0);
    let before = stamps(work.path());
    let clean = run(&work, &["render", "--check"], 0);
    assert_eq!(clean.stdout, "");
    change(&work, "cluster.json", "web:1.4.2", "web:1.4.3");
    let changed = run(&work, &["render", "--check"], 1).stdout;
    assert_eq!(
        changed,
        "changed hosts/db1/manifest.json\n\
         changed hosts/db1/rootfs/etc/containers/systemd/web-main.container\n"
    );
    assert_eq!(before.len(), stamps(work.path()).len());
    remove(&work, "cluster.lock.json");
    let lines = run(&work, &["render", "--check"], 1).stdout;
    assert!(lines.starts_with("changed cluster.lock.json\n"), "{lines}");
    assert!(!work.path().join("cluster.lock.json").exists());
}

#[test]
fn one_host_is_written_alone() {
    let work = example();
    run(&work, &["render", "--host", "db2"], 0);
    let all = held(&path("out"));
    let found = held(&work.path().join("out/hosts"));
    assert!(found.keys().all(|path| path.starts_with("db2/")));
    for (path, file) in &found {
        assert!(all[&format!("hosts/{path}")] == *file, "{path}");
    }
    let unknown = run(&work, &["render", "--host", "db9"], 2);
    assert!(
        unknown.stderr.contains("`db1`, `db2`, `db3`"),
        "{}",
        unknown.stderr
    );
    run(&work, &["render"], 0);
    change(&work, "cluster.json", "web:1.4.2", "web:1.4.3");
    let before = stamps(&work.path().join("out"));
    run(&work, &["render", "--host=db2", "--host=db3"], 0);
    assert_eq!(before, stamps(&work.path().join("out")));
    assert!(held(&work.path().join("out")) == all);
}

#[test]
fn a_bundle_can_stand_alone() {
    let work = example();
    let bundle = ["render", "--host=db2", "--bundle", "a/b"];
    run(&work, &bundle, 0);
    assert!(held(&work.path().join("a/b")) == held(&path("out/hosts/db2")));
    assert!(!work.path().join("out").exists());
    let before = stamps(&work.path().join("a/b"));
    run(&work, &bundle, 0);
    assert_eq!(before, stamps(&work.path().join("a/b")));
    change(
        &work,
        "cluster.json",
        "\"max_connections\": 200",
        "\"max_connections\": 300",
    );
    let said = run(&work, &bundle, 0).stderr;
    assert!(
        said.starts_with("a/b: the bundle of db2, 2 files written, 0 removed, "),
        "{said}"
    );
    for arguments in [
        &["render", "--bundle", "c"][..],
        &["render", "--host=db1", "--host=db2", "--bundle", "c"],
        &["render", "--host=db1", "--bundle", "c", "--out", "d"],
        &["render", "--host=db1", "--bundle", "c", "--check"],
        &["render", "--host=db1", "--bundle", "a/b"],
        &["render", "--host=db1", "--bundle", "."],
        &["render", "--host=db1", "--bundle", "cluster.json"],
    ] {
        run(&work, arguments, 2);
    }
    assert_eq!(fs::read_dir(work.path()).unwrap().count(), 3);
}

#[test]
fn what_cannot_be_read_or_written_exits_with_2() {
    let work = example();
    for arguments in [
        ["check", "none.json"],
        ["check", "."],
        ["render", "--lock=."],
        ["verify", "none"],
    ] {
        let failed = run(&work, &arguments, 2);
        assert!(failed.stderr.starts_with("error: "), "{}", failed.stderr);
    }
    put(&work, "file", "mine");
    let failed = run(&work, &["render", "--out", "file"], 2);
    assert!(failed.stderr.contains("`file`"), "{}", failed.stderr);
    assert_eq!(read(&work.path().join("file")), "mine");
    run(&work, &["render", "--out", "file/below"], 2);
    fs::create_dir(work.path().join("foreign")).unwrap();
    put(&work, "foreign/mine", "mine");
    run(&work, &["render", "--out", "foreign"], 2);
    assert_eq!(held(&work.path().join("foreign")).len(), 1);
    run(&work, &["verify", "foreign"], 2);
    run(&work, &["render", "--check", "--out", "foreign"], 2);
}

#[test]
fn init_writes_what_renders_and_overwrites_nothing() {
    let work = tempfile::tempdir().unwrap();
    run(&work, &["init", "a/b"], 0);
    let started = work.path().join("a/b");
    let rendered = cops_gen(&started, &["render", "--deny-warnings", "--locked"]);
    assert_eq!(rendered.code, Some(0), "{}", rendered.stderr);
    let schema = read(&started.join("cluster.schema.json"));
    assert_eq!(schema, run(&work, &["schema"], 0).stdout);
    let before = stamps(work.path());
    let refused = run(&work, &["init", "a/b"], 2);
    for file in ["cluster.json", "cluster.lock.json", "cluster.schema.json"] {
        assert!(refused.stderr.contains(file), "{}", refused.stderr);
    }
    assert_eq!(before, stamps(work.path()));
    put(&work, "cluster.schema.json", "mine");
    run(&work, &["init"], 2);
    assert!(!work.path().join("cluster.json").exists());
}

#[test]
fn every_code_is_explained() {
    let work = example();
    let list = run(&work, &["explain"], 0).stdout;
    assert!(list.lines().count() > 80);
    for line in list.lines() {
        let (severity, code) = line.split_once(' ').unwrap();
        assert!(["error", "warning"].contains(&severity), "{line}");
        assert!(
            run(&work, &["explain", code.trim()], 0).stdout.len() > 200,
            "{code}"
        );
    }
    run(&work, &["explain", "no-such-code"], 2);
}

#[test]
fn completions_and_manuals_are_printed() {
    let work = example();
    for shell in ["bash", "zsh", "fish"] {
        let text = run(&work, &["completions", shell], 0).stdout;
        for word in ["render", "deny-warnings", "prune", "completions"] {
            assert!(text.contains(word), "{shell} has no `{word}`");
        }
    }
    run(&work, &["completions", "ksh"], 2);
    let manual = run(&work, &["man"], 0).stdout;
    assert!(manual.contains(".SH SYNOPSIS") && manual.contains("Exit codes"));
    assert!(
        run(&work, &["man", "render"], 0)
            .stdout
            .contains("\\-\\-check")
    );
    run(&work, &["man", "none"], 2);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the program is what is tested")]
fn a_closed_pipe_is_nobodys_mistake() {
    let work = example();
    for arguments in [
        vec!["schema"],
        vec!["man"],
        vec!["completions", "bash"],
        vec!["explain"],
        vec!["--help"],
        vec!["render", "--check"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = Command::new(env!("CARGO_BIN_EXE_cops-gen"));
        command.current_dir(work.path()).args(&arguments);
        command.stdout(writer).stderr(Stdio::piped());
        let output = command.output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!said.contains("error"), "{arguments:?}: {said}");
        let code = i32::from(arguments[0] == "render");
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
    }
}

#[test]
fn nothing_tells_where_it_was_rendered() {
    let one = example();
    let other = example();
    let deep = other.path().join("a directory/deeper");
    fs::create_dir_all(&deep).unwrap();
    for (from, to) in [("cluster.json", "x.json"), ("cluster.lock.json", "y.json")] {
        fs::copy(other.path().join(from), deep.join(to)).unwrap();
    }
    run(&one, &["render"], 0);
    let target = other.path().join("elsewhere/bundles");
    let absolute = deep.join("x.json");
    let lock = deep.join("y.json");
    let arguments = [
        "render",
        absolute.to_str().unwrap(),
        "--lock",
        lock.to_str().unwrap(),
        "--out",
        target.to_str().unwrap(),
    ];
    run(&other, &arguments, 0);
    let found = held(&target);
    assert!(held(&one.path().join("out")) == found);
    assert_eq!(read(&one.path().join("cluster.lock.json")), read(&lock));
    let program = Path::new(env!("CARGO_BIN_EXE_cops-gen"));
    let traces = [one.path(), other.path(), program.parent().unwrap()];
    for (path, file) in found {
        let text = String::from_utf8_lossy(&file.bytes);
        for trace in traces {
            assert!(!text.contains(trace.to_str().unwrap()), "{path}");
        }
        assert!(!text.contains("x.json"), "{path}");
    }
}

#[test]
fn a_lock_without_an_edition_keeps_none() {
    let work = example();
    let before = read(&work.path().join("cluster.lock.json"));
    assert!(!before.contains("edition"));
    for arguments in [
        &["render"][..],
        &["render", "--locked"],
        &["lock"],
        &["lock", "--prune"],
        &["lock", "--edition", "1"],
    ] {
        run(&work, arguments, 0);
        assert_eq!(before, read(&work.path().join("cluster.lock.json")));
    }
    run(&work, &["render", "--check", "--locked"], 0);
    // What is new in the description gets its address, and the platform stays what it was.
    let pod = "\"pods\": {\"new\": {\"host\": \"db1\", \"containers\": {\"main\": {\"image\": \
               \"registry.example.com/x:1\"}}},";
    change(&work, "cluster.json", "\"pods\": {", pod);
    run(&work, &["render"], 0);
    let grown = read(&work.path().join("cluster.lock.json"));
    assert!(grown.contains("new.example.internal") && !grown.contains("edition"));
}

#[test]
fn a_new_lock_is_of_the_newest_edition() {
    let work = example();
    remove(&work, "cluster.lock.json");
    run(&work, &["render"], 0);
    let lock = read(&work.path().join("cluster.lock.json"));
    assert!(lock.contains("\"edition\": 2"), "{lock}");
    let dynamic = "out/hosts/db1/rootfs/etc/containerops/patroni-app/dynamic/dynamic.json";
    assert!(read(&work.path().join(dynamic)).contains("\"loop_wait\": 10"));
    remove(&work, "cluster.lock.json");
    let said = run(&work, &["lock", "--edition", "1"], 0).stderr;
    assert!(!said.contains("edition"), "it has not moved: {said}");
    assert!(!read(&work.path().join("cluster.lock.json")).contains("edition"));
    run(&work, &["init", "started"], 0);
    assert!(read(&work.path().join("started/cluster.lock.json")).contains("\"edition\": 2"));
}

#[test]
fn a_platform_is_moved_by_one_command_that_says_what_it_changes() {
    let work = example();
    let file = work.path().join("cluster.lock.json");
    let old = read(&file);
    let look = run(&work, &["lock", "--edition", "2", "--locked"], 1);
    assert_eq!(
        look.stdout,
        "move from edition 1 to edition 2\n\
         Patroni cluster `app`: `loop_wait` 5 -> 10\n\
         Patroni cluster `app`: `replica_max_lag` off -> 64MB\n"
    );
    assert_eq!(old, read(&file), "nothing was written");
    let moved = run(&work, &["lock", "--edition", "2"], 0);
    assert_eq!(
        moved.stderr,
        "Patroni cluster `app`: `loop_wait` 5 -> 10\n\
         Patroni cluster `app`: `replica_max_lag` off -> 64MB\n\
         cluster.lock.json: 0 added, 0 removed, edition 1 -> 2\n"
    );
    run(&work, &["render", "--locked"], 0);
    let again = run(&work, &["lock", "--edition", "2"], 0);
    assert!(
        again.stderr.contains("nothing to change"),
        "{}",
        again.stderr
    );
    let back = run(&work, &["lock", "--edition", "1"], 0);
    assert!(
        back.stderr.contains("`loop_wait` 10 -> 5"),
        "{}",
        back.stderr
    );
    assert_eq!(old, read(&file), "down is as good as up");
}

#[test]
fn an_edition_that_is_not_known_is_refused_with_those_that_are() {
    let work = example();
    let before = stamps(work.path());
    for number in ["0", "3", "two"] {
        let refused = run(&work, &["lock", "--edition", number], 2);
        assert!(refused.stderr.contains("1, 2"), "{}", refused.stderr);
    }
    assert_eq!(before, stamps(work.path()));
    change(
        &work,
        "cluster.lock.json",
        "\"version\": 1,",
        "\"version\": 1, \"edition\": 3,",
    );
    let before = stamps(work.path());
    for arguments in [
        &["render"][..],
        &["check"],
        &["lock"],
        &["lock", "--edition", "1"],
    ] {
        let refused = run(&work, arguments, 1);
        assert!(
            refused.stderr.contains("error[unknown-edition]"),
            "{}",
            refused.stderr
        );
    }
    let json = run(&work, &["check", "--format", "json"], 1).stderr;
    assert!(
        json.contains("\"code\":\"unknown-edition\"") && json.contains("/edition"),
        "{json}"
    );
    assert_eq!(before, stamps(work.path()));
}

#[test]
fn a_move_that_the_description_does_not_bear_is_refused_with_the_reason() {
    let work = example();
    let alone = "\"etcd_cluster\": \"main\", \"ttl\": 15,";
    change(&work, "cluster.json", "\"etcd_cluster\": \"main\",", alone);
    let lock = read(&work.path().join("cluster.lock.json"));
    run(&work, &["render"], 0);
    let refused = run(&work, &["lock", "--edition", "2"], 1);
    assert!(
        refused.stderr.contains("error[ttl-too-short]"),
        "{}",
        refused.stderr
    );
    assert_eq!(lock, read(&work.path().join("cluster.lock.json")));
}
