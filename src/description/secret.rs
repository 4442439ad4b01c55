//! References to secrets. A value never enters the description or a bundle.

use schemars::JsonSchema;
use serde::Deserialize;

/// A reference to a secret value: where it lies on each host that needs it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Secret {
    /// Absolute path of a file on the host, delivered by whatever you trust (sops, agenix,
    /// systemd credentials, scp). cops-gen never opens it.
    pub source: String,
    /// Key of one top-level string, where `source` is a JSON file. Default: the whole file is
    /// the value, less one trailing newline.
    #[serde(default)]
    pub json_key: Option<String>,
}
