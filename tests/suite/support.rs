//! What several tests need: where things lie, and how expected files are compared and recorded.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Returns a path below the project's root.
pub(crate) fn path(relative: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(relative)
}

/// Reads a text file.
pub(crate) fn read(path: &Path) -> String {
    let read = fs::read_to_string(path);
    assert!(read.is_ok(), "cannot read `{}`: {read:?}", path.display());
    read.unwrap()
}

/// Lists all files below `directory`, at any depth, whose names end in `ending`, sorted.
pub(crate) fn files(directory: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = walkdir::WalkDir::new(directory).sort_by_file_name();
    let entries = entries.into_iter().map(Result::unwrap);
    entries
        .filter(|entry| entry.file_type().is_file())
        .map(walkdir::DirEntry::into_path)
        .filter(|path| path.to_string_lossy().ends_with(ending))
        .collect()
}

/// What a run of the program left behind.
pub(crate) struct Run {
    /// The exit code; none when a signal ended it.
    pub(crate) code: Option<i32>,
    /// Standard output.
    pub(crate) stdout: String,
    /// Standard error.
    pub(crate) stderr: String,
}

/// Runs the program in `directory`, with nothing of the caller's terminal.
#[expect(clippy::disallowed_methods, reason = "the program is what is tested")]
pub(crate) fn cops_gen(directory: &Path, arguments: &[&str]) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cops-gen"));
    command.current_dir(directory).args(arguments);
    for variable in ["COLUMNS", "CLICOLOR_FORCE", "FORCE_COLOR", "NO_COLOR"] {
        command.env_remove(variable);
    }
    let output = command.output().unwrap();
    Run {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Expected files that didn't hold what was found. Ask [`Expected::finish`] when all were compared.
#[derive(Default)]
pub(crate) struct Expected {
    differences: Vec<String>,
}

impl Expected {
    /// Compares one expected file with what was found. With `RECORD=1` it is written anew.
    pub(crate) fn compare(&mut self, path: &Path, found: &str) {
        let expected = fs::read_to_string(path).unwrap_or_default();
        if expected == found && path.exists() {
            return;
        }
        if is_recording() {
            write(path, found);
        }
        let name = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap();
        let diff = similar::TextDiff::from_lines(expected.as_str(), found);
        let names = (format!("{} (expected)", name.display()), "found".to_owned());
        let diff = diff.unified_diff().header(&names.0, &names.1).to_string();
        self.differences.push(diff);
    }

    /// Fails when anything differed, recorded or not: so the switch can't stay on.
    pub(crate) fn finish(self) {
        let verb = if is_recording() {
            "were recorded: read them, then run without `RECORD=1`"
        } else {
            "differ; `RECORD=1 cargo test` writes them anew"
        };
        let count = self.differences.len();
        let text = self.differences.join("\n");
        assert!(count == 0, "{text}\n{count} expected files {verb}");
    }
}

/// Says whether expected files are written anew.
#[expect(clippy::disallowed_methods, reason = "the one switch of the tests")]
pub(crate) fn is_recording() -> bool {
    std::env::var("RECORD").is_ok_and(|value| value == "1")
}

/// Writes a text file.
#[expect(clippy::disallowed_methods, reason = "tests write what they read")]
pub(crate) fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
}
