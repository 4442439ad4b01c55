//! Writes Nebula's `config.yml`, such that Nebula 1.9 to 1.11 read it alike.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::Serialize;

use crate::plan::{EndpointPlan, FirewallRule, Peer, Ports, Proto};

use super::MOUNT;

/// Size of each UDP buffer in bytes. The kernel doubles it, and counts 2,304 bytes for a datagram.
///
/// One TCP stream has up to 1,800 datagrams on their way (`tcp_wmem`), and a pod may receive several: a base backup, and the WAL that
/// is closed beside it. This holds four streams. With a quarter of it, 680 datagrams were lost in one run of the lab's `throughput`.
const UDP_BUFFER_BYTES: u32 = 8 * 1024 * 1024;

/// Nebula's configuration. Reference: <https://nebula.defined.net/docs/config/>.
#[derive(Serialize)]
pub(super) struct Config<'p> {
    pki: Pki<'p>,
    static_host_map: BTreeMap<Ipv4Addr, [&'p str; 1]>,
    static_map: StaticMap,
    lighthouse: Lighthouse<'p>,
    listen: Listen,
    punchy: Punchy,
    tun: Tun<'p>,
    logging: Logging,
    firewall: Firewall<'p>,
}

#[derive(Serialize)]
struct Pki<'p> {
    ca: String,
    cert: String,
    key: String,
    blocklist: &'p [String],
}

#[derive(Serialize)]
struct StaticMap {
    network: &'static str,
}

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "Nebula's own names")]
struct Lighthouse<'p> {
    am_lighthouse: bool,
    interval: u32,
    hosts: &'p [Ipv4Addr],
    local_allow_list: LocalAllowList,
    advertise_addrs: Vec<&'p str>,
}

#[derive(Serialize)]
struct LocalAllowList {
    interfaces: BTreeMap<&'static str, bool>,
}

#[derive(Serialize)]
struct Listen {
    host: Ipv4Addr,
    port: u16,
    read_buffer: u32,
    write_buffer: u32,
}

#[derive(Serialize)]
struct Punchy {
    punch: bool,
    respond: bool,
}

#[derive(Serialize)]
struct Tun<'p> {
    disabled: bool,
    dev: &'p str,
    mtu: u16,
}

#[derive(Serialize)]
struct Logging {
    level: &'static str,
    format: &'static str,
}

#[derive(Serialize)]
struct Firewall<'p> {
    outbound_action: &'static str,
    inbound_action: &'static str,
    conntrack: Conntrack,
    outbound: Vec<Rule<'p>>,
    inbound: Vec<Rule<'p>>,
}

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "Nebula's own names")]
struct Conntrack {
    tcp_timeout: &'static str,
    udp_timeout: &'static str,
    default_timeout: &'static str,
}

/// A rule names one peer, in one way: Nebula takes several groups for AND, and `host: any` for everybody.
#[derive(Serialize)]
struct Rule<'p> {
    port: RulePort,
    proto: &'static str,
    #[serde(flatten)]
    peer: BTreeMap<&'static str, RulePeer<'p>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum RulePort {
    Number(u16),
    Text(String),
}

#[derive(Serialize)]
#[serde(untagged)]
enum RulePeer<'p> {
    Name(&'p str),
    Cidr(ipnet::Ipv4Net),
}

/// Returns the configuration of an endpoint with `device` on its overlay.
pub(super) fn config<'p>(endpoint: &'p EndpointPlan, device: &'p str) -> Config<'p> {
    let EndpointPlan {
        name: _,
        groups: _,
        network,
        hostname: _,
        address: _,
        port,
        advertised,
        is_lighthouse,
        lighthouses,
        static_hosts,
        inbound,
        outbound,
    } = endpoint;
    let static_host_map = static_hosts
        .iter()
        .map(|(address, dialed)| (*address, [dialed.as_str()]))
        .collect();
    Config {
        pki: Pki {
            ca: format!("{MOUNT}/pki/ca.crt"),
            cert: format!("{MOUNT}/pki/host.crt"),
            key: format!("{MOUNT}/pki/host.key"),
            blocklist: &network.blocklist,
        },
        static_host_map,
        static_map: StaticMap { network: "ip4" },
        lighthouse: Lighthouse {
            am_lighthouse: *is_lighthouse,
            interval: 30,
            hosts: lighthouses,
            // Addresses of bridges and containers are nobody's business; the one that counts is advertised.
            local_allow_list: LocalAllowList {
                interfaces: BTreeMap::from([(".*", false)]),
            },
            advertise_addrs: advertised.iter().map(String::as_str).collect(),
        },
        listen: Listen {
            host: Ipv4Addr::UNSPECIFIED,
            port: *port,
            read_buffer: UDP_BUFFER_BYTES,
            write_buffer: UDP_BUFFER_BYTES,
        },
        punchy: Punchy {
            punch: network.nat_punch,
            respond: network.nat_punch,
        },
        tun: Tun {
            disabled: false,
            dev: device,
            mtu: network.mtu,
        },
        logging: Logging {
            level: "info",
            format: "text",
        },
        firewall: firewall(inbound, outbound),
    }
}

fn firewall<'p>(inbound: &'p [FirewallRule], outbound: &'p [FirewallRule]) -> Firewall<'p> {
    Firewall {
        // Nebula before 1.11 applies each one to the other direction, so they are alike.
        outbound_action: "drop",
        inbound_action: "drop",
        conntrack: Conntrack {
            tcp_timeout: "12m",
            udp_timeout: "3m",
            default_timeout: "10m",
        },
        outbound: rules(outbound),
        inbound: rules(inbound),
    }
}

/// ICMP of everybody, then the rules.
fn rules(rules: &[FirewallRule]) -> Vec<Rule<'_>> {
    let ping = Rule {
        port: RulePort::Text("any".to_owned()),
        proto: "icmp",
        peer: BTreeMap::from([("host", RulePeer::Name("any"))]),
    };
    let is_ping = |rule: &&FirewallRule| {
        rule.ports == Ports::Any && rule.proto == Proto::Icmp && rule.peer == Peer::Any
    };
    let others = rules.iter().filter(|rule| !is_ping(rule)).map(rule);
    std::iter::once(ping).chain(others).collect()
}

fn rule(rule: &FirewallRule) -> Rule<'_> {
    let FirewallRule { ports, proto, peer } = rule;
    let port = match *ports {
        Ports::Any => RulePort::Text("any".to_owned()),
        Ports::Range(first, last) if first == last => RulePort::Number(first),
        Ports::Range(first, last) => RulePort::Text(format!("{first}-{last}")),
    };
    let proto = match proto {
        Proto::Tcp => "tcp",
        Proto::Udp => "udp",
        Proto::Icmp => "icmp",
        Proto::Any => "any",
    };
    let peer = match peer {
        Peer::Any => ("host", RulePeer::Name("any")),
        Peer::Group(group) => ("group", RulePeer::Name(group)),
        Peer::Host(host) => ("host", RulePeer::Name(host)),
        Peer::Cidr(cidr) => ("cidr", RulePeer::Cidr(*cidr)),
    };
    Rule {
        port,
        proto,
        peer: BTreeMap::from([peer]),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::sample::endpoint;
    use super::*;
    use crate::format::yaml::to_yaml;

    fn parsed(endpoint: &EndpointPlan) -> serde_json::Value {
        serde_saphyr::from_str(&to_yaml(&config(endpoint, "nebula1"))).unwrap()
    }

    #[test]
    fn a_config_reads_back_as_meant() {
        let read = parsed(&endpoint("web", 7, 12507));
        assert_eq!(read["pki"]["key"], "/config/pki/host.key");
        assert_eq!(read["static_host_map"]["10.2.57.3"][0], "192.0.2.13:12501");
        assert_eq!(read["lighthouse"]["am_lighthouse"], false);
        assert_eq!(read["lighthouse"]["hosts"][0], "10.2.57.1");
        assert_eq!(
            read["lighthouse"]["local_allow_list"]["interfaces"][".*"],
            false
        );
        assert_eq!(read["lighthouse"]["advertise_addrs"][0], "192.0.2.11:12507");
        assert_eq!(read["listen"]["host"], "0.0.0.0");
        assert_eq!(read["listen"]["port"], 12507);
        assert_eq!(read["tun"]["dev"], "nebula1");
        assert_eq!(
            parsed(&endpoint("host-internal", 1, 12500))["lighthouse"]["hosts"],
            serde_json::json!([])
        );
    }

    #[test]
    fn every_rule_names_one_peer_and_everybody_may_ping() {
        let read = parsed(&endpoint("web", 7, 12507));
        let firewall = &read["firewall"];
        assert_eq!(firewall["inbound_action"], firewall["outbound_action"]);
        assert_eq!(
            firewall["inbound"],
            serde_json::json!([
                {"port": "any", "proto": "icmp", "host": "any"},
                {"port": 80, "proto": "tcp", "group": "admin"},
                {"port": 80, "proto": "tcp", "group": "ops"},
            ])
        );
        assert_eq!(
            firewall["outbound"],
            serde_json::json!([
                {"port": "any", "proto": "icmp", "host": "any"},
                {"port": "5432-5434", "proto": "tcp", "cidr": "10.2.57.8/32"},
                {"port": "any", "proto": "any", "host": "db1.example.internal"},
            ])
        );
    }
}
