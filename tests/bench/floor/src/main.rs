//! What the disk alone costs: writes or reads a tree with nothing else to do.
//!
//! `floor write FROM TO` reads the tree FROM, then writes the same bytes to the same paths below
//! TO, on as many threads as RAYON_NUM_THREADS says. `floor walk TREE` walks a tree and reads every
//! file. Both print the seconds that the measured part took.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use rayon::prelude::*;

/// One host's directory, or what lies beside the hosts.
#[derive(Default)]
struct Part {
    directories: Vec<PathBuf>,
    files: Vec<(PathBuf, u32, Vec<u8>)>,
}

fn main() -> io::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let seconds = match words.as_slice() {
        ["write", from, to] => write(Path::new(from), Path::new(to))?,
        ["walk", tree] => walk(Path::new(tree))?,
        _ => return Err(io::Error::other("usage: floor write FROM TO | floor walk TREE")),
    };
    println!("{seconds:.6}");
    Ok(())
}

fn write(from: &Path, to: &Path) -> io::Result<f64> {
    let (rest, parts) = load(from, to)?;
    let start = Instant::now();
    fs::create_dir_all(to)?;
    put(&rest)?;
    parts.par_iter().try_for_each(put)?;
    Ok(start.elapsed().as_secs_f64())
}

fn put(part: &Part) -> io::Result<()> {
    for directory in &part.directories {
        fs::create_dir(directory)?;
    }
    for (path, mode, bytes) in &part.files {
        let mut file =
            fs::OpenOptions::new().write(true).create_new(true).mode(*mode).open(path)?;
        file.write_all(bytes)?;
    }
    Ok(())
}

/// Reads a tree into memory: what lies beside the hosts first, then host by host.
fn load(from: &Path, to: &Path) -> io::Result<(Part, Vec<Part>)> {
    let mut rest = Part::default();
    let mut parts: Vec<Part> = Vec::new();
    for entry in walkdir::WalkDir::new(from).min_depth(1).sort_by_file_name() {
        let entry = entry?;
        let path = entry.path().strip_prefix(from).map_err(io::Error::other)?;
        let is_host = path.starts_with("hosts") && entry.depth() > 1;
        if is_host && entry.depth() == 2 {
            parts.push(Part::default());
        }
        let part = if is_host { parts.last_mut().unwrap_or(&mut rest) } else { &mut rest };
        if entry.file_type().is_dir() {
            part.directories.push(to.join(path));
        } else {
            let mode = entry.metadata()?.permissions().mode() & 0o777;
            part.files.push((to.join(path), mode, fs::read(entry.path())?));
        }
    }
    Ok((rest, parts))
}

fn walk(tree: &Path) -> io::Result<f64> {
    let start = Instant::now();
    let mut total = 0;
    let mut buffer = Vec::new();
    for entry in walkdir::WalkDir::new(tree) {
        let entry = entry?;
        if entry.file_type().is_file() {
            buffer.clear();
            total += fs::File::open(entry.path())?.read_to_end(&mut buffer)?;
        }
    }
    eprintln!("{total} bytes");
    Ok(start.elapsed().as_secs_f64())
}
