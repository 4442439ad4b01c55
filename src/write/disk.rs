//! Every change of the disk, one step each, so that a test can stop a run after any of them.
//!
//! A file is always created new: a link that stands at its path is never followed.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::OnceLock;

use crate::failure::Failure;

/// The disk, and what this process learned about the modes that it gets.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    /// The permission bits that the system takes away from new files.
    umask: OnceLock<u32>,
    #[cfg(test)]
    pub(crate) stop: std::sync::Arc<stop::Stop>,
}

impl Disk {
    /// Makes a directory; one that is there already is fine.
    pub(crate) fn create_dir(&self, path: &Path) -> Result<(), Failure> {
        self.step(path)?;
        match fs::create_dir(path) {
            Err(source) if source.kind() != ErrorKind::AlreadyExists => {
                Err(Failure::write(path, source))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Makes a directory and those above it that are missing.
    pub(crate) fn create_dirs(&self, path: &Path) -> Result<(), Failure> {
        let is_missing = |path: &&Path| !path.as_os_str().is_empty() && !path.exists();
        let missing: Vec<_> = path.ancestors().take_while(is_missing).collect();
        for directory in missing.into_iter().rev() {
            self.create_dir(directory)?;
        }
        Ok(())
    }

    /// Makes a file that is not there yet, with exactly these permission bits.
    pub(crate) fn create(&self, path: &Path, mode: u32, bytes: &[u8]) -> Result<(), Failure> {
        self.step(path)?;
        self.try_create(path, mode, bytes)
            .map_err(|source| Failure::write(path, source))
    }

    fn try_create(&self, path: &Path, mode: u32, bytes: &[u8]) -> std::io::Result<()> {
        // The first file asks for every bit, which shows what the system takes away; from then on
        // a file whose bits all survive needs no second call.
        let umask = self.umask.get();
        let asked = if umask.is_some() { mode } else { 0o777 };
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(asked)
            .open(path)?;
        let lost = if let Some(umask) = umask {
            mode & umask != 0
        } else {
            let umask = 0o777 & !file.metadata()?.permissions().mode();
            self.umask.get_or_init(|| umask);
            true
        };
        if lost {
            file.set_permissions(Permissions::from_mode(mode))?;
        }
        #[cfg(test)]
        self.stop.inside(&mut file, bytes)?;
        file.write_all(bytes)
    }

    /// Renames a file over another.
    pub(crate) fn rename(&self, from: &Path, to: &Path) -> Result<(), Failure> {
        self.step(to)?;
        #[expect(
            clippy::disallowed_methods,
            reason = "this is where the disk is changed"
        )]
        fs::rename(from, to).map_err(|source| Failure::write(to, source))
    }

    /// Removes a file; one that is gone already is fine.
    pub(crate) fn remove_file(&self, path: &Path) -> Result<(), Failure> {
        self.step(path)?;
        #[expect(
            clippy::disallowed_methods,
            reason = "this is where the disk is changed"
        )]
        match fs::remove_file(path) {
            Err(source) if source.kind() != ErrorKind::NotFound => {
                Err(Failure::write(path, source))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Removes a directory if it is empty, and says whether it is gone.
    pub(crate) fn remove_empty_dir(&self, path: &Path) -> Result<bool, Failure> {
        self.step(path)?;
        let is_kept = |source: &std::io::Error| {
            matches!(
                source.kind(),
                ErrorKind::DirectoryNotEmpty | ErrorKind::NotADirectory
            )
        };
        match fs::remove_dir(path) {
            Ok(()) => Ok(true),
            Err(source) if source.kind() == ErrorKind::NotFound => Ok(true),
            Err(source) if is_kept(&source) => Ok(false),
            Err(source) => Err(Failure::write(path, source)),
        }
    }

    /// Sets the permission bits of a file that is ours.
    pub(crate) fn set_mode(&self, path: &Path, mode: u32) -> Result<(), Failure> {
        self.step(path)?;
        fs::set_permissions(path, Permissions::from_mode(mode))
            .map_err(|source| Failure::write(path, source))
    }

    #[cfg(not(test))]
    #[expect(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "tests stop here"
    )]
    fn step(&self, _path: &Path) -> Result<(), Failure> {
        Ok(())
    }

    #[cfg(test)]
    fn step(&self, path: &Path) -> Result<(), Failure> {
        self.stop
            .step()
            .map_err(|source| Failure::write(path, source))
    }
}

#[cfg(test)]
pub(crate) mod stop {
    //! Stops a run as `kill -9` would: from one step on, nothing reaches the disk any more.

    use std::fs::File;
    use std::io::{self, Write as _};
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Counts steps, and refuses every one from a chosen number on.
    #[derive(Debug)]
    pub(crate) struct Stop {
        taken: AtomicUsize,
        allowed: usize,
    }

    impl Default for Stop {
        fn default() -> Self {
            Self::after(usize::MAX)
        }
    }

    impl Stop {
        pub(crate) fn after(allowed: usize) -> Self {
            Self {
                taken: AtomicUsize::new(0),
                allowed,
            }
        }

        pub(crate) fn taken(&self) -> usize {
            self.taken.load(Ordering::SeqCst)
        }

        pub(crate) fn step(&self) -> io::Result<()> {
            if self.taken.fetch_add(1, Ordering::SeqCst) < self.allowed {
                Ok(())
            } else {
                Err(io::Error::other("stopped"))
            }
        }

        /// Two more places to stop: with the file still empty, and with half of its bytes.
        pub(crate) fn inside(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
            self.step()?;
            self.step().or_else(|stopped| {
                file.write_all(&bytes[..bytes.len() / 2])?;
                Err(stopped)
            })
        }
    }
}
