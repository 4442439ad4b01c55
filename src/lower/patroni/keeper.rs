//! What stands beside a member: it keeps etcd's leader off the primary's host, and finds a member that differs from the primary.
//!
//! A container of its own, so that a change of it restarts no member.

use std::collections::BTreeMap;

use serde_json::json;

use crate::bundle::File;
use crate::plan::{PatroniPlan, Placed, PodPlan, SecretTarget};
use crate::platform::{paths, ports, services, users};

use super::super::part::{ConfigChange, ConfigDirectory, ContainerPart, Image, text};

const CONFIG: &str = "/etc/keeper";

/// Returns the container and its files. It runs from the member's own image.
pub(super) fn lower(
    pod: &PodPlan,
    plan: &PatroniPlan,
    image: Image,
) -> (ContainerPart, Vec<(String, File)>) {
    let path = paths::config(&pod.name, services::KEEPER);
    let files = vec![
        (
            format!("{path}/keeper.py"),
            text(include_str!(
                "../../../templates/programs/patroni/keeper.py"
            )),
        ),
        (format!("{path}/history.py"), text(super::HISTORY)),
        (format!("{path}/keeper.json"), text(config(plan))),
    ];
    let mut container = ContainerPart::new(services::KEEPER, image);
    container.entrypoint = vec!["python3".to_owned(), format!("{CONFIG}/keeper.py")];
    container.user = Some((users::POSTGRES, users::POSTGRES));
    container.secrets = vec![(
        plan.superuser_secret.clone(),
        SecretTarget::Env("PGPASSWORD".to_owned()),
    )];
    container.config = vec![ConfigDirectory {
        path,
        mount: CONFIG.to_owned(),
        on_change: ConfigChange::Restart,
    }];
    container.drops_capabilities = true;
    container.is_read_only = true;
    (container, files)
}

/// Returns `keeper.json`: this member, and the etcd members by host.
fn config(plan: &PatroniPlan) -> String {
    let Placed { host, address: _ } = plan.member;
    let etcd: BTreeMap<&str, String> = plan
        .etcd
        .iter()
        .map(|placed| {
            let address = format!("{}:{}", placed.address, ports::ETCD_CLIENT);
            (placed.host, address)
        })
        .collect();
    format!(
        "{:#}\n",
        json!({ "cluster": plan.cluster, "host": host, "etcd": etcd })
    )
}

#[cfg(test)]
mod tests {
    use super::super::tests::plan;
    use super::*;

    #[test]
    fn it_knows_its_member_and_each_etcd_member_by_host() {
        let config: serde_json::Value = serde_json::from_str(&config(&plan())).unwrap();
        assert_eq!(
            config,
            json!({
                "cluster": "app",
                "host": "db1",
                "etcd": { "db1": "10.2.57.11:2379", "db2": "10.2.57.12:2379", "db3": "10.2.57.13:2379" },
            })
        );
    }
}
