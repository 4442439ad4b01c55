//! The state of one run of resolve, and how entries find each other in it.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::names::{self, Names, Section};
use crate::description::Description;
use crate::edition::Choices;
use crate::lock::Lock;
use crate::model::{
    EndpointId, EtcdId, FirewallRule, HostId, Model, NetworkId, PatroniId, SecretId,
};
use crate::name::Allowed;
use crate::pointer::{At, Pointer};
use crate::report::{Code, Diagnostic, Report, Severity};
use crate::source::Source;

/// What resolve reads.
#[derive(Debug, Clone, Copy)]
pub struct Input<'d> {
    /// What was written.
    pub description: &'d Description,
    /// The text it was read from: names of entries that have the wrong shape are in it.
    pub source: &'d Source,
    /// Places whose shape is wrong. Nothing is said about what rests on them.
    pub failed: &'d [Pointer],
    /// Addresses and ports that were given away.
    pub lock: &'d Lock,
}

/// What resolve found.
#[derive(Debug)]
pub struct Resolved {
    /// The model; none when there are errors.
    pub model: Option<Model>,
    /// The lock with the entries that were missing, where any were.
    pub lock: Option<Lock>,
    /// What is wrong, and what is worth a warning.
    pub report: Report,
}

/// The state of one run: the model so far, and the names by which its entries are found.
pub(super) struct Resolver<'d> {
    pub(super) description: &'d Description,
    pub(super) failed: &'d [Pointer],
    pub(super) source: &'d Source,
    pub(super) names: Names<'d>,
    pub(super) report: Report,
    pub(super) model: Model,
    /// What the platform's edition chooses.
    pub(super) choices: Choices,
    pub(super) network_ids: BTreeMap<&'d str, NetworkId>,
    pub(super) host_ids: BTreeMap<&'d str, HostId>,
    pub(super) secret_ids: BTreeMap<&'d str, SecretId>,
    pub(super) etcd_ids: BTreeMap<&'d str, EtcdId>,
    pub(super) etcd_networks: Vec<NetworkId>,
    pub(super) patroni_ids: BTreeMap<&'d str, PatroniId>,
    pub(super) patroni_networks: Vec<NetworkId>,
    /// Overlay networks by their first address.
    pub(super) cidrs: BTreeMap<Ipv4Addr, (Ipv4Net, &'d str)>,
    pub(super) endpoints: Vec<EndpointPlace>,
}

/// What a text is to be, the text, and whether it is.
type Text<'t> = (&'t str, &'t str, Result<(), Allowed>);

/// What an endpoint belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Host,
    Etcd,
    Patroni,
    Proxy,
    Barman,
    Postgres,
    User,
}

/// What the model needn't know about an endpoint, but its checks do.
pub(super) struct EndpointPlace {
    pub(super) kind: Kind,
    pub(super) pointer: Pointer,
    pub(super) reserved_address: bool,
    pub(super) has_hostname: bool,
    pub(super) is_placed: bool,
}

impl<'d> Resolver<'d> {
    pub(super) fn new(input: Input<'d>) -> Self {
        Self {
            description: input.description,
            failed: input.failed,
            source: input.source,
            names: Names::new(input.description, input.source, input.failed),
            report: Report::default(),
            model: Model::default(),
            choices: input.lock.edition().choices(),
            network_ids: BTreeMap::new(),
            host_ids: BTreeMap::new(),
            secret_ids: BTreeMap::new(),
            etcd_ids: BTreeMap::new(),
            etcd_networks: Vec::new(),
            patroni_ids: BTreeMap::new(),
            patroni_networks: Vec::new(),
            cidrs: BTreeMap::new(),
            endpoints: Vec::new(),
        }
    }

    /// Returns what was found, with `lock`.
    pub(super) fn finish(self, lock: Option<Lock>) -> Resolved {
        let is_whole = self.failed.is_empty() && !self.report.has_errors();
        Resolved {
            model: is_whole.then_some(self.model),
            lock,
            report: self.report,
        }
    }

    pub(super) fn error(&mut self, code: Code, at: At<'_>, message: impl Into<String>) {
        self.report.push(Diagnostic::new(code, at, message));
    }

    /// Reports a text that isn't what it may be. Returns whether it is.
    pub(super) fn check(&mut self, code: Code, at: At<'_>, text: Text<'_>) -> bool {
        let wrong = not_allowed(code, at, text);
        let fits = wrong.is_none();
        self.report.extend(wrong);
        fits
    }

    /// Reports a key that isn't what it may be.
    pub(super) fn check_key(&mut self, code: Code, at: At<'_>, text: Text<'_>) {
        let wrong = not_allowed(code, at, text);
        self.report.extend(wrong.map(Diagnostic::on_key));
    }

    /// Returns an overlay network that shares addresses with `cidr`, and its name.
    pub(super) fn overlapping(&self, cidr: Ipv4Net) -> Option<(Ipv4Net, &'d str)> {
        let before = self.cidrs.range(..=cidr.network()).next_back();
        let after = self.cidrs.range(cidr.network()..).next();
        let mut neighbours = before.into_iter().chain(after).map(|(_, entry)| *entry);
        neighbours.find(|(other, _)| other.contains(&cidr) || cidr.contains(other))
    }

    /// Whether an error was found in a section, in its shape or its meaning.
    pub(super) fn has_errors_in(&self, section: &str) -> bool {
        let at = At::ROOT.key(section);
        let section = at.to_pointer();
        let mut errors = self.report.iter();
        self.has_failed(at)
            || errors.any(|it| it.severity == Severity::Error && it.pointer.starts_with(&section))
    }

    /// Whether the shape of what stands at `at` was wrong, or may be what a mistyped field was to be.
    pub(super) fn has_failed(&self, at: At<'_>) -> bool {
        !self.failed.is_empty() && {
            let pointer = at.to_pointer();
            let mut failed = self.failed.iter();
            failed.any(|place| pointer.starts_with(place) || place.starts_with(&pointer))
                || self.may_be_mistyped(at)
        }
    }

    /// Whether the field at `at` isn't written, but one beside it can't be read.
    pub(super) fn may_be_mistyped(&self, at: At<'_>) -> bool {
        !self.failed.is_empty() && {
            let pointer = at.to_pointer();
            let entry = pointer.parent();
            let mut failed = self.failed.iter();
            !self.source.contains(&pointer) && failed.any(|place| place.parent() == entry)
        }
    }

    pub(super) fn host(&mut self, at: At<'_>, name: &str) -> Option<HostId> {
        let found = self.host_ids.get(name).copied();
        self.known(Section::Hosts, at, (name, found))
    }

    pub(super) fn secret(&mut self, at: At<'_>, name: &str) -> Option<SecretId> {
        let found = self.secret_ids.get(name).copied();
        self.known(Section::Secrets, at, (name, found))
    }

    pub(super) fn etcd_cluster(&mut self, at: At<'_>, name: &str) -> Option<EtcdId> {
        let found = self.etcd_ids.get(name).copied();
        self.known(Section::EtcdClusters, at, (name, found))
    }

    pub(super) fn patroni_cluster(&mut self, at: At<'_>, name: &str) -> Option<PatroniId> {
        let found = self.patroni_ids.get(name).copied();
        self.known(Section::PatroniClusters, at, (name, found))
    }

    pub(super) fn named_network(&mut self, at: At<'_>, name: &str) -> Option<NetworkId> {
        let found = self.network_ids.get(name).copied();
        self.known(Section::Networks, at, (name, found))
    }

    /// Returns the network of an entry at `at`, which may leave it out where only one exists.
    pub(super) fn network(&mut self, at: At<'_>, name: Option<&str>) -> Option<NetworkId> {
        if let Some(name) = name {
            return self.named_network(at.key("network"), name);
        }
        if self.names.count_networks() == 1 {
            return self.network_ids.values().next().copied();
        }
        if self.names.count_networks() > 1 && !self.has_failed(at.key("network")) {
            let message = "`network` is needed, since several networks exist";
            let allowed = self.names.listed(Section::Networks);
            self.report
                .push(Diagnostic::new(Code::NetworkNeeded, at, message).allowed(allowed));
        }
        None
    }

    /// Reports a name that nobody wrote. One that was written but whose entry is wrong is known.
    fn known<T>(
        &mut self,
        section: Section,
        at: At<'_>,
        (name, found): (&str, Option<T>),
    ) -> Option<T> {
        let is_told = self.may_be_mistyped(At::ROOT.key(section.key()));
        if found.is_none() && !is_told && !self.names.contains(section, name) {
            let message = match entry(at) {
                Some(who) => format!(
                    "{who} names {} `{name}`, which is not described",
                    section.noun()
                ),
                None => format!("no {} is named `{name}`", section.noun()),
            };
            let mut diagnostic = Diagnostic::new(section.unknown(), at, message);
            diagnostic.on_key = diagnostic.pointer.segments().next_back().as_deref() == Some(name);
            self.report.push(if self.report.errors() < names::FEW {
                let names = self.names.listed(section);
                diagnostic
                    .suggest(name, names.iter().map(String::as_str))
                    .allowed(names)
            } else {
                diagnostic
            });
        }
        found
    }
}

fn not_allowed(code: Code, at: At<'_>, (noun, text, result): Text<'_>) -> Option<Diagnostic> {
    let allowed = result.err()?;
    let message = if code == Code::BadCharacter {
        "this text holds a control character, where a line must stay one line".to_owned()
    } else {
        format!("`{}` is no {noun}", shown(text))
    };
    Some(Diagnostic::new(code, at, message).allowed_text(allowed))
}

/// Returns a text as a sentence can quote it: without control characters, and not too long.
pub(super) fn shown(text: &str) -> String {
    const LONGEST: usize = 64;
    let escaped: String = text.chars().flat_map(char::escape_debug).collect();
    if escaped.chars().count() <= LONGEST {
        return escaped;
    }
    let start: String = escaped.chars().take(LONGEST).collect();
    start + "…"
}

/// Returns the kind and the name of the entry that `at` lies in.
fn entry(at: At<'_>) -> Option<String> {
    let pointer = at.to_pointer();
    let mut segments = pointer.segments();
    let kind = match segments.next()?.as_str() {
        "networks" => "network",
        "hosts" => "host",
        "etcd_clusters" => "etcd cluster",
        "patroni_clusters" => "Patroni cluster",
        "barman_servers" => "Barman server",
        "pods" => "pod",
        _ => return None,
    };
    segments.next().map(|name| format!("{kind} `{name}`"))
}

/// Adds a rule once. Lists are many and short, so they get no room to grow.
pub(super) fn add_rule(rules: &mut Vec<FirewallRule>, rule: FirewallRule) {
    if !rules.contains(&rule) {
        rules.reserve_exact(1);
        rules.push(rule);
    }
}

/// Adds a peer once, in the same way.
pub(super) fn add_peer(peers: &mut Vec<EndpointId>, peer: EndpointId) {
    if !peers.contains(&peer) {
        peers.reserve_exact(1);
        peers.push(peer);
    }
}
