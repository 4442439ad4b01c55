//! Where a path of a host lies in its bundle.

/// Returns the path in the bundle of a path on the host.
pub(super) fn in_bundle(path: &str) -> String {
    format!("rootfs{path}")
}

/// Returns the path on the host of a path in the bundle's tree.
pub(super) fn on_host(path: &str) -> Option<&str> {
    path.strip_prefix("rootfs")
}
