//! Which images the services run: upstream's official ones, pinned, or ones that the host builds from Debian's packages.
//!
//! A built image's tag carries a hash of what it is built from, so a container never starts with an outdated one.

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::bundle::File;
use crate::format::template::{Template, render};
use crate::platform::{self, paths};

use super::part::{Build, Image, text};

/// An image for a container, and what builds it on the host, if anything does.
#[derive(Debug)]
pub(super) struct Provided {
    /// What the container runs.
    pub(super) image: Image,
    /// How the host makes it.
    pub(super) builds: Vec<Build>,
    /// Files of the build.
    pub(super) files: Vec<(String, File)>,
}

/// Provides Patroni with one major version of PostgreSQL.
///
/// An image of the user's own needs bash, python3, Patroni 4.0.0 to 4.1.5, `psql` on its path, PostgreSQL's programs in
/// `/usr/lib/postgresql/MAJOR/bin`, and a user `postgres` with uid and gid 5432.
pub(super) fn patroni(image: Option<&str>, postgres_version: u16) -> Provided {
    provide(
        image,
        platform::images::PATRONI,
        Template::ImagePatroni,
        postgres_version,
    )
}

/// Provides Barman with the programs of one major version of PostgreSQL.
///
/// An image of the user's own needs bash, python3 and `barman` on its path, PostgreSQL's client programs and `pg_waldump` in
/// `/usr/lib/postgresql/MAJOR/bin` of each source's major, and a user `barman` with uid and gid 5432.
pub(super) fn barman(image: Option<&str>, postgres_version: u16) -> Provided {
    provide(
        image,
        platform::images::BARMAN,
        Template::ImageBarman,
        postgres_version,
    )
}

/// What a Containerfile depends on.
#[derive(Serialize)]
struct Containerfile {
    postgres_version: u16,
}

fn provide(image: Option<&str>, name: &str, template: Template, postgres_version: u16) -> Provided {
    if let Some(reference) = image {
        return Provided {
            image: Image::pulled(reference),
            builds: Vec::new(),
            files: Vec::new(),
        };
    }
    let values = Containerfile { postgres_version };
    let containerfile = render(template, &values);
    let hash = short_hash(&containerfile);
    let tag = platform::images::tag(name, postgres_version, &hash);
    let build = platform::images::build(name, postgres_version);
    let directory = paths::build(&build);
    let file = (format!("{directory}/Containerfile"), text(containerfile));
    Provided {
        image: Image {
            reference: tag.clone(),
            is_built: true,
        },
        builds: vec![Build {
            name: build,
            tag,
            directory,
        }],
        files: vec![file],
    }
}

/// Returns the first 12 hexadecimal digits of a text's SHA-256.
fn short_hash(content: &str) -> String {
    let digest = Sha256::digest(content.as_bytes());
    let digits: Vec<String> = digest
        .iter()
        .take(6)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    digits.concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_of_the_users_own_builds_nothing() {
        let provided = patroni(Some("registry.example.com/patroni:4.1"), 16);
        assert_eq!(
            provided.image,
            Image::pulled("registry.example.com/patroni:4.1")
        );
        assert!(provided.builds.is_empty() && provided.files.is_empty());
    }

    #[test]
    fn a_built_image_is_tagged_by_what_it_is_built_from() {
        let provided = barman(None, 17);
        let (path, file) = &provided.files[0];
        assert_eq!(path, "/etc/containerops/images/barman-17/Containerfile");
        let hash = short_hash(std::str::from_utf8(&file.bytes).unwrap());
        assert_eq!(hash.len(), 12);
        assert!(provided.image.is_built);
        assert_eq!(
            provided.image.reference,
            format!("localhost/containerops/barman:17-{hash}")
        );
        assert_ne!(provided.image, patroni(None, 17).image);
    }

    #[test]
    fn a_hash_is_the_start_of_the_known_sha256() {
        assert_eq!(short_hash(""), "e3b0c44298fc");
    }
}
