//! Hosts, their own endpoints, and secrets.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::address::{cidr, ipv4};
use super::endpoint::Claim;
use super::resolver::Kind;
use super::resolver::{Resolver, shown};
use crate::description;
use crate::model::{Arch, Host, HostId, PodmanVersion, SecretId, SecretSource};
use crate::name;
use crate::platform::services;
use crate::pointer::At;
use crate::report::{Code, Diagnostic};

/// Names of Nix outputs and apps that a host's output would hide.
const RESERVED: [&str; 5] = ["default", "cops-gen", "bundles", "render", "lock"];

pub(super) fn resolve(resolver: &mut Resolver<'_>) {
    let description = resolver.description;
    for (name, secret) in &description.secrets {
        resolve_secret(resolver, name, secret);
    }
    for (name, host) in &description.hosts {
        resolve_host(resolver, name, host);
    }
}

fn resolve_secret<'d>(resolver: &mut Resolver<'d>, name: &'d str, secret: &'d description::Secret) {
    let secrets = At::ROOT.key("secrets");
    let at = secrets.key(name);
    resolver.check_key(
        Code::BadName,
        at,
        ("name for a secret", name, name::secret(name)),
    );
    let source = at.key("source");
    resolver.check(
        Code::BadPath,
        source,
        (
            "path on a host",
            &secret.source,
            name::source_path(&secret.source),
        ),
    );
    if let Some(key) = &secret.json_key {
        resolver.check(
            Code::BadCharacter,
            at.key("json_key"),
            ("line of text", key, name::line(key)),
        );
    }
    resolver
        .secret_ids
        .insert(name, SecretId(resolver.model.secrets.len()));
    resolver.model.secrets.push(SecretSource {
        name: name.to_owned(),
        source: secret.source.clone(),
        json_key: secret.json_key.clone(),
    });
}

fn resolve_host<'d>(resolver: &mut Resolver<'d>, name: &'d str, host: &'d description::Host) {
    let hosts = At::ROOT.key("hosts");
    let at = hosts.key(name);
    resolver.check_key(
        Code::BadName,
        at,
        ("name for a host", name, name::label(name)),
    );
    if RESERVED.contains(&name) {
        let message = format!("no host can be named `{name}`: the Nix flake uses that name itself");
        resolver
            .report
            .push(Diagnostic::new(Code::ReservedName, at, message).on_key());
    }
    if let Some(address) = &host.address {
        resolver.check(
            Code::BadAddress,
            at.key("address"),
            (
                "address that others can dial",
                address,
                name::dialled(address),
            ),
        );
    }
    let underlay_address = host
        .underlay_address
        .as_ref()
        .and_then(|text| ipv4(resolver, at.key("underlay_address"), text));
    let subnet = subnet(resolver, at.key("underlay_subnet"), &host.underlay_subnet);
    let version = podman_version(resolver, at.key("podman_version"), &host.podman_version);
    let id = HostId(resolver.model.hosts.len());
    resolver.host_ids.insert(name, id);
    resolver.model.hosts.push(Host {
        name: name.to_owned(),
        address: host.address.clone(),
        underlay_address,
        underlay_subnet: subnet.unwrap_or_default(),
        podman_version: version.unwrap_or(PodmanVersion { major: 5, minor: 4 }),
        arch: match host.arch {
            description::Arch::Amd64 => Arch::Amd64,
            description::Arch::Arm64 => Arch::Arm64,
        },
        overrides: Vec::new(),
    });
    claim_endpoints(resolver, at, (name, host, id));
}

fn claim_endpoints(
    resolver: &mut Resolver<'_>,
    at: At<'_>,
    (name, host, id): (&str, &description::Host, HostId),
) {
    let endpoints = at.key("endpoints");
    for (network_name, endpoint) in &host.endpoints {
        let at = endpoints.key(network_name);
        let Some(network) = resolver.named_network(at, network_name) else {
            continue;
        };
        let domain = resolver.domain(network);
        resolver.claim(Claim {
            kind: Kind::Host,
            network,
            host: id,
            name: services::host_endpoint(network_name),
            hostname: endpoint.hostname.as_deref(),
            default_hostname: format!("{name}.{domain}"),
            ip: endpoint.ip.as_deref(),
            groups: &endpoint.groups,
            own_group: None,
            at,
        });
    }
}

fn subnet(resolver: &mut Resolver<'_>, at: At<'_>, text: &str) -> Option<Ipv4Net> {
    let subnet = cidr(resolver, at, text)?;
    let podman = Ipv4Net::new_assert(Ipv4Addr::new(10, 88, 0, 0), 16);
    let is_podmans = podman.contains(&subnet) || subnet.contains(&podman);
    let clash = resolver
        .overlapping(subnet)
        .or(is_podmans.then_some((podman, "podman")));
    let message = match clash {
        _ if !(8..=29).contains(&subnet.prefix_len()) => {
            format!("`{subnet}` is no size for a bridge")
        }
        Some((other, name)) => format!("`{subnet}` overlaps `{other}` of network `{name}`"),
        None => return Some(subnet),
    };
    let allowed = "a network with a prefix length from 8 to 29 that overlaps no overlay and not \
                   Podman's own `10.88.0.0/16`";
    resolver
        .report
        .push(Diagnostic::new(Code::SubnetOverlap, at, message).allowed_text(allowed));
    None
}

fn podman_version(resolver: &mut Resolver<'_>, at: At<'_>, text: &str) -> Option<PodmanVersion> {
    let oldest = PodmanVersion { major: 5, minor: 4 };
    let version = text.split_once('.').and_then(|(major, minor)| {
        Some(PodmanVersion {
            major: major.parse().ok()?,
            minor: minor.parse().ok()?,
        })
    });
    match version {
        Some(version) if version >= oldest && version.to_string() == text => Some(version),
        _ => {
            let message = format!("Podman `{}` can't run the pods", shown(text));
            let diagnostic = Diagnostic::new(Code::PodmanVersion, at, message);
            resolver
                .report
                .push(diagnostic.allowed_text("`MAJOR.MINOR`, from 5.4"));
            None
        }
    }
}
