//! Writes the egress lock: what may enter and leave a pod's network namespace.

use serde::Serialize;

use crate::format::template::{Line, Template, render};
use crate::plan::{EgressRule, PodPlan, Ports, Proto, PublishedPort};

#[derive(Serialize)]
struct Egress {
    pod: Line,
    nebula_port: u16,
    outgoing: Vec<Line>,
    incoming: Vec<Line>,
}

/// Returns the rules of a pod's network namespace. The holes are the pod's published ports and its ways out.
pub(in crate::lower) fn rules(
    pod: &PodPlan,
    publish: &[PublishedPort],
    egress: &[EgressRule],
) -> String {
    let mut outgoing = Vec::new();
    let mut incoming = Vec::new();
    for published in publish {
        let PublishedPort {
            address: _,
            host_port: _,
            port,
            proto,
        } = published;
        let range = Ports::Range(*port, *port);
        let wanted = matching(*proto, "dport", range);
        incoming.push(Line::of(format_args!("meta nfproto ipv4 {wanted} accept")));
        let reply = matching(*proto, "sport", range);
        outgoing.push(Line::of(format_args!(
            "meta nfproto ipv4 {reply} ct direction reply accept"
        )));
    }
    for rule in egress {
        let EgressRule { cidr, ports, proto } = rule;
        let wanted = matching(*proto, "dport", *ports);
        outgoing.push(Line::of(format_args!("ip daddr {cidr} {wanted} accept")));
    }
    if !egress.is_empty() {
        incoming.push(Line::of(
            "meta nfproto ipv4 ct direction reply ct state established,related accept",
        ));
    }
    let values = Egress {
        pod: Line::of(&pod.name),
        nebula_port: pod.endpoint.port,
        outgoing,
        incoming,
    };
    render(Template::Egress, &values)
}

/// Returns the nft expression for a protocol and its ports, at one `side` (`dport` or `sport`).
fn matching(proto: Proto, side: &str, ports: Ports) -> String {
    let range = match ports {
        Ports::Any => None,
        Ports::Range(first, last) if first == last => Some(first.to_string()),
        Ports::Range(first, last) => Some(format!("{first}-{last}")),
    };
    match (proto, range) {
        (Proto::Tcp, None) => "meta l4proto tcp".to_owned(),
        (Proto::Udp, None) => "meta l4proto udp".to_owned(),
        (Proto::Tcp, Some(range)) => format!("tcp {side} {range}"),
        (Proto::Udp, Some(range)) => format!("udp {side} {range}"),
        (Proto::Icmp, None | Some(_)) => "meta l4proto icmp".to_owned(),
        (Proto::Any, None) => "meta l4proto { tcp, udp }".to_owned(),
        (Proto::Any, Some(range)) => format!("meta l4proto {{ tcp, udp }} th {side} {range}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::sample::user_pod;
    use super::*;
    use crate::plan::Service;

    #[test]
    fn the_lock_has_the_pods_holes_and_no_others() {
        let pod = user_pod(Vec::new());
        let closed = rules(&pod, &[], &[]);
        assert!(
            closed.contains("meta nfproto ipv4 meta skuid 4242 udp sport 12507 accept"),
            "{closed}"
        );
        assert!(!closed.contains(" ct "), "{closed}");
        assert_eq!(closed.matches("policy drop;").count(), 3, "{closed}");
        let accepting = closed
            .lines()
            .filter(|line| line.ends_with("accept"))
            .count();
        assert_eq!(accepting, 7, "{closed}");
        let Service::User(plan) = &pod.service else {
            panic!("a pod of the user's own")
        };
        let open = rules(&pod, plan.publish, plan.egress);
        assert!(
            open.contains("ip daddr 198.51.100.0/24 tcp dport 443 accept"),
            "{open}"
        );
        assert!(
            open.contains("meta nfproto ipv4 tcp dport 80 accept"),
            "{open}"
        );
        assert!(
            open.contains("meta nfproto ipv4 tcp sport 80 ct direction reply accept"),
            "{open}"
        );
        assert_eq!(
            open.lines().filter(|line| line.ends_with("accept")).count(),
            accepting + 4,
            "{open}"
        );
    }
}
