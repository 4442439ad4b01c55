//! `docs/first-cluster.md`, whose commands the lab types: the README's are the same ones.

use std::fs;

use crate::support::path;

#[test]
fn the_readme_has_the_commands_of_the_page() {
    let readme = fs::read_to_string(path("README.md")).unwrap();
    let section = readme
        .split("## Your first real cluster")
        .nth(1)
        .and_then(|rest| rest.split("\n## ").next())
        .unwrap();
    let page = fs::read_to_string(path("docs/first-cluster.md")).unwrap();
    let mut printed = commands(&page);
    let mut count = 0;
    for command in commands(section).filter(|it| !it.starts_with("cargo install")) {
        assert!(
            printed.any(|it| it == command),
            "docs/first-cluster.md lacks this line of the README, or has it elsewhere: {command}"
        );
        count += 1;
    }
    assert!(count > 5, "the README has only {count} commands");
}

/// The indented lines, without their comments.
fn commands(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .filter_map(|line| line.strip_prefix("    "))
        .map(|line| line.split("  #").next().unwrap_or(line).trim())
}
