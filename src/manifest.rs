//! The manifests of a tree: what this program wrote, so that it can be compared, changed and removed.
//!
//! A manifest is sorted, pretty and ends in a newline; reading one accepts only what writing gives.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::bundle::{Bundle, Endpoint, File, UnitChange};
use digest::digest_of;

mod digest;

pub use digest::Digest;

/// The name of every manifest, of a host as of the tree.
pub const FILE_NAME: &str = "manifest.json";

/// The version of the manifests that this program writes and reads.
pub const VERSION: u32 = 1;

/// The manifest of one host: every file but the manifest itself, the table of units, and that of certificates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostManifest<'a> {
    /// Always [`VERSION`].
    pub version: u32,
    /// The host's name.
    pub host: Cow<'a, str>,
    /// The Podman version the units are written for.
    pub podman_version: Cow<'a, str>,
    /// Files by their path relative to the bundle.
    pub files: BTreeMap<Cow<'a, str>, FileEntry>,
    /// Units by their systemd name.
    pub units: Cow<'a, BTreeMap<String, UnitChange>>,
    /// The certificates that the host needs, by host name on the overlay.
    #[serde(default)]
    pub endpoints: Cow<'a, BTreeMap<String, Endpoint>>,
}

/// The manifest of the tree: the digests of its hosts' manifests, and the operator's files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TreeManifest {
    /// Always [`VERSION`].
    pub version: u32,
    /// Present while a run is under way, and after one that was killed.
    #[serde(default, skip_serializing_if = "is_false")]
    pub unfinished: bool,
    /// Hosts by name; in an unfinished tree also those that may be there.
    pub hosts: BTreeMap<String, HostEntry>,
    /// The operator's files by their path relative to the tree (`operator/…`).
    pub files: BTreeMap<String, FileEntry>,
}

/// One host in the manifest of the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostEntry {
    /// The digest of the host's manifest; absent while the host was never finished.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Digest>,
}

/// One file in a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// The permission bits that the file has on the host.
    pub mode: Mode,
    /// The length in bytes.
    pub size: u64,
    /// The digest of the bytes.
    pub sha256: Digest,
}

/// Permission bits, written as four octal digits (`"0644"`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mode(pub u32);

impl<'a> HostManifest<'a> {
    /// Describes a bundle, hashing each file once.
    pub fn of(bundle: &'a Bundle) -> Self {
        let entry =
            |(path, file): (&'a String, &File)| (Cow::Borrowed(path.as_str()), FileEntry::of(file));
        Self {
            version: VERSION,
            host: Cow::Borrowed(&bundle.host),
            podman_version: Cow::Borrowed(&bundle.podman_version),
            files: bundle.files.iter().map(entry).collect(),
            units: Cow::Borrowed(&bundle.units),
            endpoints: Cow::Borrowed(&bundle.endpoints),
        }
    }

    /// Reads the manifest of `host`, or says in one clause why it is none.
    pub fn parse(bytes: &[u8], host: &str) -> Result<HostManifest<'static>, String> {
        let manifest: HostManifest<'static> = parse(bytes)?;
        check_version(manifest.version)?;
        if manifest.host != host {
            return Err(format!("it is the manifest of host `{}`", manifest.host));
        }
        manifest
            .files
            .keys()
            .try_for_each(|path| check_path(path))?;
        Ok(manifest)
    }

    /// Returns the text of the manifest.
    pub fn to_bytes(&self) -> Vec<u8> {
        to_bytes(self)
    }
}

impl TreeManifest {
    /// Returns the manifest of a tree without hosts.
    pub fn empty() -> Self {
        Self {
            version: VERSION,
            unfinished: false,
            hosts: BTreeMap::new(),
            files: BTreeMap::new(),
        }
    }

    /// Reads the manifest of a tree, or says in one clause why it is none.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let manifest: Self = parse(bytes)?;
        check_version(manifest.version)?;
        manifest
            .files
            .keys()
            .try_for_each(|path| check_path(path))?;
        if manifest
            .files
            .keys()
            .any(|path| !path.starts_with("operator/"))
        {
            return Err("it names a file outside `operator/`".to_owned());
        }
        if manifest
            .hosts
            .keys()
            .any(|host| host.contains('/') || check_path(host).is_err())
        {
            return Err("it names a host that is no file name".to_owned());
        }
        if !manifest.unfinished && manifest.hosts.values().any(|entry| entry.sha256.is_none()) {
            return Err("a host has no digest".to_owned());
        }
        Ok(manifest)
    }

    /// Returns the text of the manifest.
    pub fn to_bytes(&self) -> Vec<u8> {
        to_bytes(self)
    }
}

impl FileEntry {
    /// Describes a file.
    pub fn of(file: &File) -> Self {
        Self {
            mode: Mode(file.mode),
            size: file.bytes.len() as u64,
            sha256: digest_of(file),
        }
    }
}

impl Serialize for Mode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:04o}", self.0))
    }
}

impl<'de> Deserialize<'de> for Mode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        let octal = text.len() == 4 && text.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
        octal
            .then(|| u32::from_str_radix(&text, 8).ok())
            .flatten()
            .map(Self)
            .ok_or_else(|| de::Error::custom("a mode has four octal digits"))
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands references")]
fn is_false(value: &bool) -> bool {
    !value
}

fn parse<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, String> {
    serde_json::from_slice(bytes).map_err(|error| error.to_string())
}

/// Serializes a manifest; its types hold nothing that JSON cannot, so an error cannot come.
fn to_bytes(manifest: &impl Serialize) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(manifest).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

fn check_version(version: u32) -> Result<(), String> {
    if version == VERSION {
        Ok(())
    } else {
        Err(format!(
            "its version is {version}, and this program knows version {VERSION} only"
        ))
    }
}

/// Refuses paths that lead out of the tree, since what a manifest names may be removed.
fn check_path(path: &str) -> Result<(), String> {
    let is_plain = |part: &str| !matches!(part, "" | "." | "..") && !part.contains('\0');
    if path.split('/').all(is_plain) {
        Ok(())
    } else {
        Err(format!("`{path}` is no path inside the tree"))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::bundle::OnChange;

    fn bundle() -> Bundle {
        let file = File {
            mode: 0o644,
            bytes: Cow::Borrowed(b"a"),
        };
        let unit = UnitChange {
            restart: BTreeSet::from(["rootfs/etc/a".to_owned()]),
            on_change: OnChange::Operator,
            ..UnitChange::default()
        };
        Bundle {
            host: "db1".to_owned(),
            podman_version: "5.4".to_owned(),
            files: BTreeMap::from([("rootfs/etc/a".to_owned(), file)]),
            units: BTreeMap::from([("a.service".to_owned(), unit)]),
            endpoints: BTreeMap::new(),
        }
    }

    #[test]
    fn a_hosts_manifest_has_exactly_this_shape() {
        let text = String::from_utf8(HostManifest::of(&bundle()).to_bytes()).unwrap();
        let expected = r#"{
  "version": 1,
  "host": "db1",
  "podman_version": "5.4",
  "files": {
    "rootfs/etc/a": {
      "mode": "0644",
      "size": 1,
      "sha256": "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
    }
  },
  "units": {
    "a.service": {
      "restart": [
        "rootfs/etc/a"
      ],
      "reload": [],
      "on_change": "operator",
      "after": []
    }
  },
  "endpoints": {}
}
"#;
        assert_eq!(text, expected);
    }

    #[test]
    fn what_is_written_is_read_back() {
        let bundle = bundle();
        let manifest = HostManifest::of(&bundle);
        assert_eq!(
            HostManifest::parse(&manifest.to_bytes(), "db1").unwrap(),
            manifest
        );
        let tree = TreeManifest {
            hosts: BTreeMap::from([("db1".to_owned(), HostEntry { sha256: None })]),
            unfinished: true,
            ..TreeManifest::empty()
        };
        assert_eq!(TreeManifest::parse(&tree.to_bytes()).unwrap(), tree);
    }

    #[test]
    fn what_this_program_does_not_write_is_refused() {
        let good = String::from_utf8(HostManifest::of(&bundle()).to_bytes()).unwrap();
        let changes = [
            ("\"version\": 1", "\"version\": 2"),
            ("\"0644\"", "\"644\""),
            ("\"0644\"", "420"),
            ("rootfs/etc/a\": {", "../etc/a\": {"),
            ("rootfs/etc/a\": {", "/etc/a\": {"),
            ("\"host\": \"db1\"", "\"host\": \"db2\""),
            ("\"host\"", "\"name\""),
            ("ca97", "CA97"),
            ("ca97", "a97"),
            ("\"operator\"", "\"never\""),
        ];
        for (old, new) in changes {
            let text = good.replacen(old, new, 1);
            assert_ne!(text, good);
            assert!(
                HostManifest::parse(text.as_bytes(), "db1").is_err(),
                "{text}"
            );
        }
        for text in ["", "{}", "[]", r#"{"name": "a web app's manifest"}"#] {
            assert!(TreeManifest::parse(text.as_bytes()).is_err(), "{text}");
        }
        let outside = r#"{"version":1,"hosts":{"../x":{}},"unfinished":true,"files":{}}"#;
        assert!(TreeManifest::parse(outside.as_bytes()).is_err());
    }
}
