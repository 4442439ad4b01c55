//! What can go wrong after the description is known to be right: the disk, and what others put there.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// One thing that stopped a command although the description has no error.
#[derive(Debug)]
pub enum Failure {
    /// A file or directory could not be read.
    Read {
        /// What was to be read.
        path: PathBuf,
        /// Why it could not be.
        source: io::Error,
    },
    /// A file or directory could not be written, renamed or removed.
    Write {
        /// What was to be changed.
        path: PathBuf,
        /// Why it could not be.
        source: io::Error,
    },
    /// Something that no manifest names stands where a file of ours must go.
    ForeignFile {
        /// What stands in the way.
        path: PathBuf,
        /// What it is.
        obstacle: Obstacle,
    },
    /// The directory holds files, and none of them is our manifest.
    ForeignTree {
        /// The directory.
        path: PathBuf,
    },
    /// A manifest is not what this program writes.
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// What is wrong with it, in one clause.
        reason: String,
    },
    /// Another run holds the tree.
    Busy {
        /// The tree.
        path: PathBuf,
    },
}

/// What stands where a file of ours must go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// A file with other bytes than ours.
    File,
    /// A directory that holds something that is not ours.
    Directory,
    /// A symbolic link, which is never followed.
    Link,
    /// A socket, a device or a pipe.
    Special,
}

impl Failure {
    /// Says that `path` could not be read.
    pub fn read(path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Read {
            path: path.into(),
            source,
        }
    }

    /// Says that `path` could not be changed.
    pub fn write(path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Write {
            path: path.into(),
            source,
        }
    }

    /// Returns the path that the failure is about.
    pub fn path(&self) -> &Path {
        match self {
            Self::Read { path, source: _ }
            | Self::Write { path, source: _ }
            | Self::ForeignFile { path, obstacle: _ }
            | Self::ForeignTree { path }
            | Self::Manifest { path, reason: _ }
            | Self::Busy { path } => path,
        }
    }

    /// Returns what the user can do about it, where that is known.
    pub fn help(&self) -> Option<&'static str> {
        match self {
            Self::Read { .. } | Self::Write { .. } => None,
            Self::ForeignFile { .. } => Some("move it away, then run again"),
            Self::ForeignTree { .. } => {
                Some("name an empty directory, or one that an earlier run wrote")
            }
            Self::Manifest { .. } => {
                Some("restore it from your history, or render into an empty directory")
            }
            Self::Busy { .. } => Some("wait until it has ended, then run again"),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { path, source } => {
                write!(f, "cannot read `{}`: {}", path.display(), cause(source))
            }
            Self::Write { path, source } => {
                write!(f, "cannot write `{}`: {}", path.display(), cause(source))
            }
            Self::ForeignFile { path, obstacle } => {
                let what = match obstacle {
                    Obstacle::File => "a file that no manifest names",
                    Obstacle::Directory => "a directory",
                    Obstacle::Link => "a symbolic link",
                    Obstacle::Special => "a special file",
                };
                write!(f, "cannot write `{}`: {what} stands there", path.display())
            }
            Self::ForeignTree { path } => write!(
                f,
                "cannot write into `{}`: it is not empty and has no manifest of ours",
                path.display()
            ),
            Self::Manifest { path, reason } => {
                write!(f, "cannot use the manifest `{}`: {reason}", path.display())
            }
            Self::Busy { path } => {
                write!(
                    f,
                    "cannot write into `{}`: another run holds it",
                    path.display()
                )
            }
        }
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Read { path: _, source } | Self::Write { path: _, source } => Some(source),
            Self::ForeignFile { .. }
            | Self::ForeignTree { .. }
            | Self::Manifest { .. }
            | Self::Busy { .. } => None,
        }
    }
}

/// Words an I/O error for the end of a sentence: lower-case, without its number.
fn cause(source: &io::Error) -> String {
    let text = source.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_lowercase().chain(letters).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_the_action_the_path_and_the_cause() {
        let full = io::Error::from_raw_os_error(28);
        assert_eq!(
            Failure::write("out/hosts/db1/activate", full).to_string(),
            "cannot write `out/hosts/db1/activate`: no space left on device"
        );
        let busy = Failure::Busy { path: "out".into() };
        assert_eq!(
            busy.to_string(),
            "cannot write into `out`: another run holds it"
        );
        assert!(busy.help().is_some());
    }
}
