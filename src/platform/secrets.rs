//! What secrets are called in Podman.

/// Returns the Podman secret of a secret of the description.
pub fn of(name: &str) -> String {
    format!("containerops.secret.{name}")
}

/// Returns the Podman secret of the passwords of a Patroni cluster's roles.
pub fn passwords(cluster: &str) -> String {
    format!("containerops.passwords.{cluster}")
}

/// Returns the Podman secret of a Barman server's passfile.
pub fn passfile(server: &str) -> String {
    format!("containerops.passfile.{server}")
}
