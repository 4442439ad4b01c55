//! A host made by hand, for the tests of this stage: one pod of the user's own, and an endpoint of the host.

use std::net::Ipv4Addr;

use crate::bundle::Bundle;
use crate::plan::{
    Arch, Container, ContainerSecret, EgressRule, EndpointPlan, EtcdPlan, FirewallRule, HostPlan,
    Network, PassfileLine, Peer, Placed, PodPlan, PodmanVersion, Ports, Proto, PublishedPort,
    SecretContent, SecretPlan, SecretSource, SecretTarget, Service, UserPlan, Volume, VolumeSource,
};

/// Keeps a value for as long as the tests run, so that plans can borrow from it.
fn keep<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

pub(super) fn rule(ports: Ports, proto: Proto, peer: Peer) -> FirewallRule {
    FirewallRule { ports, proto, peer }
}

fn network() -> &'static Network {
    keep(Network {
        name: "internal".into(),
        cidr: "10.2.57.0/24".parse().unwrap(),
        mtu: 1300,
        nat_punch: false,
        blocklist: vec!["ab".repeat(32)],
        epoch: 1,
        trusted_epochs: vec![1],
        certificate_version: 1,
        lighthouses: Vec::new(),
    })
}

pub(super) fn endpoint(name: &str, last: u8, port: u16) -> EndpointPlan<'static> {
    let group = |name: &str| Peer::Group(name.into());
    EndpointPlan {
        name: name.to_owned(),
        network: network(),
        hostname: keep(format!("{name}.example.internal")),
        address: Ipv4Addr::new(10, 2, 57, last),
        port,
        groups: keep(vec!["admin".to_owned()]),
        advertised: Some(format!("192.0.2.11:{port}")),
        is_lighthouse: name.starts_with("host-"),
        lighthouses: if name.starts_with("host-") {
            Vec::new()
        } else {
            vec![[10, 2, 57, 1].into()]
        },
        static_hosts: vec![([10, 2, 57, 3].into(), "192.0.2.13:12501".to_owned())],
        inbound: keep(vec![
            rule(Ports::Range(80, 80), Proto::Tcp, group("admin")),
            rule(Ports::Range(80, 80), Proto::Tcp, group("ops")),
        ]),
        outbound: keep(vec![
            rule(Ports::Any, Proto::Icmp, Peer::Any),
            rule(
                Ports::Range(5432, 5434),
                Proto::Tcp,
                Peer::Cidr("10.2.57.8/32".parse().unwrap()),
            ),
            rule(
                Ports::Any,
                Proto::Any,
                Peer::Host("db1.example.internal".into()),
            ),
        ]),
    }
}

pub(super) fn container() -> Container {
    Container {
        name: "main".into(),
        image: "registry.example.com/web:1".into(),
        entrypoint: vec!["/bin/web".into()],
        command: vec!["--greeting".into(), "100% $HOME".into()],
        environment: vec![("MOTD".into(), "a \"b\" $c %d\n'e'\\".into())],
        secrets: vec![ContainerSecret {
            secret: crate::model::SecretId(0),
            podman_name: "pg-app".into(),
            target: SecretTarget::Env("PGPASSWORD".into()),
        }],
        volumes: vec![
            Volume {
                source: VolumeSource::Named {
                    name: "files".into(),
                    uid: 33,
                    gid: 33,
                    mode: 0o750,
                },
                mount: "/srv".into(),
                is_read_only: false,
            },
            Volume {
                source: VolumeSource::Path("/usr/share/zoneinfo".into()),
                mount: "/zoneinfo".into(),
                is_read_only: true,
            },
        ],
        config_files: vec![("/etc/web".into(), vec![("a.conf".into(), "x = 1\n".into())])],
        after: Vec::new(),
        reload_signal: Some("HUP".into()),
        restart_delay: 2,
        capabilities: vec!["CAP_NET_BIND_SERVICE".into()],
        devices: Vec::new(),
        sysctls: vec![("net.core.somaxconn".into(), "1024".into())],
    }
}

pub(super) fn user_pod(containers: Vec<Container>) -> PodPlan<'static> {
    PodPlan {
        name: "web".into(),
        bridge_address: [172, 30, 200, 7].into(),
        endpoint: endpoint("web", 7, 12507),
        service: Service::User(UserPlan {
            containers: keep(containers),
            uses: vec![(
                "app",
                "db1.app-proxy.example.internal",
                [10, 2, 57, 8].into(),
            )],
            publish: keep(vec![PublishedPort {
                address: Ipv4Addr::UNSPECIFIED,
                host_port: 8080,
                port: 80,
                proto: Proto::Tcp,
            }]),
            egress: keep(vec![EgressRule {
                cidr: "198.51.100.0/24".parse().unwrap(),
                ports: Ports::Range(443, 443),
                proto: Proto::Tcp,
            }]),
        }),
    }
}

pub(super) fn etcd_pod() -> PodPlan<'static> {
    let member = Placed {
        host: "db1",
        address: Ipv4Addr::new(10, 2, 57, 5),
    };
    PodPlan {
        name: "etcd-main".into(),
        bridge_address: [172, 30, 200, 5].into(),
        endpoint: endpoint("etcd-main", 5, 12505),
        service: Service::Etcd(EtcdPlan {
            cluster: "main",
            member,
            members: vec![member],
            joins: false,
            image: None,
        }),
    }
}

fn secrets() -> Vec<SecretPlan<'static>> {
    let source = keep(SecretSource {
        name: "pg-barman".into(),
        source: "/run/secrets/postgres.json".into(),
        json_key: Some("pg_barman".into()),
    });
    let plain = keep(SecretSource {
        name: "pg-app".into(),
        source: "/run/secrets/pg_app".into(),
        json_key: None,
    });
    vec![
        SecretPlan {
            name: "barman-passfile".into(),
            content: SecretContent::Passfile(vec![PassfileLine {
                address: [10, 2, 57, 8].into(),
                user: "barman",
                password: source,
            }]),
        },
        SecretPlan {
            name: "pg-app".into(),
            content: SecretContent::Value(plain),
        },
    ]
}

pub(super) fn host() -> HostPlan<'static> {
    HostPlan {
        name: "db1",
        arch: Arch::Amd64,
        podman_version: PodmanVersion { major: 5, minor: 4 },
        underlay_subnet: "172.30.200.0/24".parse().unwrap(),
        underlay_address: None,
        endpoints: vec![endpoint("host-internal", 1, 12500)],
        pods: vec![user_pod(vec![container()])],
        secrets: secrets(),
        overrides: Vec::new(),
    }
}

/// Returns the text of a file of a bundle.
pub(super) fn text_of(bundle: &Bundle, path: &str) -> String {
    let file = bundle
        .files
        .get(path)
        .unwrap_or_else(|| panic!("no {path} in {:?}", bundle.files.keys()));
    String::from_utf8(file.bytes.to_vec()).unwrap()
}
