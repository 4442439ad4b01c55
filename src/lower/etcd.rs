//! An etcd member: its flags as environment, so that every image reads them alike.
//!
//! <https://etcd.io/docs/v3.6/op-guide/configuration/>

use crate::bundle::{ClusterKind, Member, OnChange};
use crate::plan::{EtcdPlan, HostPlan, Placed, PodPlan};

use super::images;
use super::part::{ContainerPart, DataDirectory, Health, Image, Part, Relabel, VolumePart};

/// The user that owns the data; Debian-built images and official ones alike run as it.
const UID: u32 = 2379;
const DATA: &str = "/var/lib/etcd";
/// etcd's own default, written down because what is beyond it stops every write.
const QUOTA_BYTES: u64 = 2 * 1024 * 1024 * 1024;

/// Lowers one etcd member.
pub(super) fn lower(_host: &HostPlan, _pod: &PodPlan, plan: &EtcdPlan) -> Part {
    let EtcdPlan {
        cluster,
        member,
        members,
        joins,
        image,
    } = plan;
    let data = format!("/var/containerops/data/etcd/{cluster}");
    let mut container = ContainerPart::new("main", Image::pulled(image.unwrap_or(images::ETCD)));
    container.entrypoint = vec!["etcd".to_owned()];
    container.user = Some((UID, UID));
    container.environment = environment(cluster, *member, members, *joins);
    container.volumes = vec![VolumePart {
        source: data.clone(),
        mount: DATA.to_owned(),
        is_read_only: false,
        relabel: Relabel::Private,
    }];
    container.drops_capabilities = true;
    container.is_read_only = true;
    container.health = Some(health());
    container.stop_timeout_secs = 10;
    container.on_change = OnChange::Operator;
    container.member = Some(Member {
        kind: ClusterKind::Etcd,
        cluster: (*cluster).to_owned(),
        postgres_version: None,
        passwords: None,
    });
    Part {
        containers: vec![container],
        files: Vec::new(),
        directories: vec![DataDirectory {
            path: data,
            mode: 0o700,
            uid: UID,
            gid: UID,
        }],
        shm_size_mib: None,
        add_hosts: Vec::new(),
        builds: Vec::new(),
    }
}

fn environment(
    cluster: &str,
    member: Placed,
    members: &[Placed],
    joins: bool,
) -> Vec<(String, String)> {
    let Placed { host, address } = member;
    let initial_cluster: Vec<String> = members.iter().map(initial_peer).collect();
    [
        ("ETCD_NAME", host.to_owned()),
        ("ETCD_DATA_DIR", DATA.to_owned()),
        // The egress lock decides who gets here; an address could be bound only while Nebula's device is up.
        ("ETCD_LISTEN_PEER_URLS", "http://0.0.0.0:2380".to_owned()),
        ("ETCD_LISTEN_CLIENT_URLS", "http://0.0.0.0:2379".to_owned()),
        (
            "ETCD_INITIAL_ADVERTISE_PEER_URLS",
            format!("http://{address}:2380"),
        ),
        (
            "ETCD_ADVERTISE_CLIENT_URLS",
            format!("http://{address}:2379"),
        ),
        ("ETCD_INITIAL_CLUSTER", initial_cluster.join(",")),
        ("ETCD_INITIAL_CLUSTER_TOKEN", format!("etcd-{cluster}")),
        (
            "ETCD_INITIAL_CLUSTER_STATE",
            if joins { "existing" } else { "new" }.to_owned(),
        ),
        ("ETCD_STRICT_RECONFIG_CHECK", "true".to_owned()),
        ("ETCD_AUTO_COMPACTION_MODE", "periodic".to_owned()),
        ("ETCD_AUTO_COMPACTION_RETENTION", "1h".to_owned()),
        ("ETCD_QUOTA_BACKEND_BYTES", QUOTA_BYTES.to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}

fn initial_peer(member: &Placed) -> String {
    let Placed { host, address } = member;
    format!("{host}=http://{address}:2380")
}

/// Asks this member for a value that a quorum agrees on. Run without a shell: the official image has none.
fn health() -> Health {
    Health {
        command: ["etcdctl", "endpoint", "health", "--command-timeout=4s"]
            .map(str::to_owned)
            .to_vec(),
        interval_secs: 30,
        timeout_secs: 5,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn placed(host: &'static str, last: u8) -> Placed<'static> {
        Placed {
            host,
            address: Ipv4Addr::new(10, 2, 57, last),
        }
    }

    fn value(of: &[(String, String)], name: &str) -> String {
        let found = of.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.clone()).unwrap()
    }

    #[test]
    fn peers_know_each_other_by_address() {
        let members = [placed("db1", 1), placed("db2", 2)];
        let environment = environment("main", members[1], &members, false);
        assert_eq!(
            value(&environment, "ETCD_INITIAL_CLUSTER"),
            "db1=http://10.2.57.1:2380,db2=http://10.2.57.2:2380"
        );
        assert_eq!(
            value(&environment, "ETCD_ADVERTISE_CLIENT_URLS"),
            "http://10.2.57.2:2379"
        );
        assert_eq!(value(&environment, "ETCD_INITIAL_CLUSTER_STATE"), "new");
    }

    #[test]
    fn a_member_that_joins_says_so() {
        let members = [placed("db1", 1)];
        let environment = environment("main", members[0], &members, true);
        assert_eq!(
            value(&environment, "ETCD_INITIAL_CLUSTER_STATE"),
            "existing"
        );
    }
}
