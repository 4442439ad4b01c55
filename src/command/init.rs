//! `init`: writes a description that renders.

use std::fs;

use super::outcome::{self, Outcome};
use crate::cli::Init;
use crate::decode::decode;
use crate::edition::Edition;
use crate::failure::{Failure, Obstacle};
use crate::lock::Lock;
use crate::source::Source;
use crate::{schema, write};

const CLUSTER: &str = include_str!("../../tests/example/cluster.json");
const LOCK: &str = include_str!("../../tests/example/cluster.lock.json");

pub(super) fn run(arguments: &Init) -> Outcome {
    let dir = &arguments.dir;
    let files = [
        ("cluster.json", CLUSTER.to_owned()),
        ("cluster.lock.json", lock()),
        ("cluster.schema.json", schema::text()),
    ];
    let standing: Vec<Failure> = files
        .iter()
        .map(|(name, _)| dir.join(name))
        .filter(|path| path.symlink_metadata().is_ok())
        .map(|path| Failure::ForeignFile {
            path,
            obstacle: Obstacle::File,
        })
        .collect();
    if !standing.is_empty() {
        return outcome::fail(&standing);
    }
    if let Err(error) = fs::create_dir_all(dir) {
        return outcome::fail(&[Failure::write(dir, error)]);
    }
    for (name, text) in files {
        if let Err(failure) = write::create_file(&dir.join(name), text.as_bytes()) {
            return outcome::fail(&[failure]);
        }
        outcome::say(&format!("wrote {}", dir.join(name).display()));
    }
    outcome::say("now put your own hosts in, and run `cops-gen render` there");
    Outcome::Yes
}

/// The example's lock, as a new one: nothing runs yet that an edition could change.
fn lock() -> String {
    let source = Source::new("cluster.lock.json", LOCK.as_bytes().to_vec());
    let lock: Lock = decode(&source).value.unwrap_or_default();
    lock.in_edition(Edition::NEWEST).to_text()
}
