//! Writes single files beside the tree, such as the lock: whole or not at all.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::failure::{Failure, Obstacle};
use crate::survey::TEMPORARY;
use crate::write::disk::Disk;

/// Makes the file at `path` hold `bytes`; says whether it had to be written.
///
/// The new file is written beside the old one and renamed. A link is followed: the file it names
/// is replaced, and the link stays.
pub fn replace_file(path: &Path, bytes: &[u8]) -> Result<bool, Failure> {
    let target = match path.canonicalize() {
        Ok(target) => target,
        Err(source) if source.kind() == ErrorKind::NotFound => path.to_owned(),
        Err(source) => return Err(Failure::read(path, source)),
    };
    let mode = match fs::read(&target) {
        Ok(old) if old == bytes => return Ok(false),
        Ok(_) => {
            let metadata = fs::metadata(&target).map_err(|source| Failure::read(path, source))?;
            metadata.permissions().mode() & 0o777
        }
        Err(source) if source.kind() == ErrorKind::NotFound => 0o644,
        Err(source) => return Err(Failure::read(path, source)),
    };
    let disk = Disk::default();
    let temporary = target.with_file_name(TEMPORARY);
    disk.remove_file(&temporary)?;
    disk.create(&temporary, mode, bytes)?;
    disk.rename(&temporary, &target)?;
    Ok(true)
}

/// Makes a file that is not there yet; one that is there is refused and stays.
pub fn create_file(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    match Disk::default().create(path, 0o644, bytes) {
        Err(Failure::Write { path, source }) if source.kind() == ErrorKind::AlreadyExists => {
            Err(Failure::ForeignFile {
                path,
                obstacle: Obstacle::File,
            })
        }
        result => result,
    }
}
