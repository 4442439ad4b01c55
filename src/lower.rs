//! stub
use crate::bundle::Bundle;
use crate::plan::HostPlan;
/// stub
pub fn lower(plan: &HostPlan<'_>) -> Bundle {
    Bundle {
        host: plan.name.to_owned(),
        podman_version: plan.podman_version.to_string(),
        ..Bundle::default()
    }
}
