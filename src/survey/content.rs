//! What a file of the tree shall hold: bytes that are there already, or a recipe that makes them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io::{self, Read as _};
use std::path::Path;

use rayon::prelude::*;

use crate::bundle::{File, Recipe};
use crate::failure::Failure;
use crate::manifest::{Digest, FileEntry};

/// A wanted file, as far as comparing and writing ask.
pub(crate) trait Content {
    /// Its permission bits.
    fn mode(&self) -> u32;

    /// Its size in bytes.
    fn size(&self) -> u64;

    /// Says whether a file on disk, which is as long, holds the same bytes. `buffer` is there to be used again.
    fn is_in(&self, file: &mut fs::File, buffer: &mut Vec<u8>) -> io::Result<bool>;

    /// Its bytes, to be written.
    fn bytes(&self) -> Cow<'_, [u8]>;
}

impl Content for File {
    fn mode(&self) -> u32 {
        self.mode
    }

    fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn is_in(&self, file: &mut fs::File, buffer: &mut Vec<u8>) -> io::Result<bool> {
        buffer.resize(self.bytes.len(), 0);
        file.read_exact(buffer)?;
        Ok(*self.bytes == **buffer)
    }

    fn bytes(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }
}

/// A file that was made once to describe it, and is made again when it is written.
pub(crate) struct Late<'a> {
    pub(crate) entry: FileEntry,
    recipe: &'a Recipe<'a>,
}

impl Content for Late<'_> {
    fn mode(&self) -> u32 {
        self.entry.mode.0
    }

    fn size(&self) -> u64 {
        self.entry.size
    }

    fn is_in(&self, file: &mut fs::File, _: &mut Vec<u8>) -> io::Result<bool> {
        Ok(Digest::read(file)? == self.entry.sha256)
    }

    fn bytes(&self) -> Cow<'_, [u8]> {
        (self.recipe)().bytes
    }
}

/// Describes what recipes make, on all cores.
pub(crate) fn late<'a>(recipes: &'a BTreeMap<String, Recipe<'a>>) -> BTreeMap<String, Late<'a>> {
    let described = recipes.par_iter().map(|(path, recipe)| {
        let entry = FileEntry::of(&recipe());
        (path.clone(), Late { entry, recipe })
    });
    described.collect()
}

/// Reads a file; returns what the system says about it if its bytes are the wanted ones.
pub(crate) fn compare(
    path: &Path,
    wanted: &impl Content,
    buffer: &mut Vec<u8>,
) -> Result<Option<Metadata>, Failure> {
    let mut read = || -> io::Result<Option<Metadata>> {
        let mut file = fs::File::open(path)?;
        let metadata = file.metadata()?;
        if metadata.len() != wanted.size() {
            return Ok(None);
        }
        Ok(wanted.is_in(&mut file, buffer)?.then_some(metadata))
    };
    read().map_err(|source| Failure::read(path, source))
}
