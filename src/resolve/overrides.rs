//! Drop-ins that the user adds to generated units.

use super::cross::units;
use super::resolver::{Resolver, shown};
use crate::description::OverrideValue;
use crate::format::unit::{PodmanVersion, Section, can_carry_written, known_keys, known_since};
use crate::model::{HostId, Override};
use crate::platform::users;
use crate::pointer::At;
use crate::report::{Code, Diagnostic};

pub(super) fn resolve(resolver: &mut Resolver<'_>) {
    let description = resolver.description;
    if description.overrides.is_empty() {
        return;
    }
    let units = units::all(resolver);
    let overrides = At::ROOT.key("overrides");
    for (file, sections) in &description.overrides {
        let at = overrides.key(file);
        let Some(hosts) = units.get(file) else {
            let known = || units.keys().map(String::as_str);
            let message = format!("no host has a unit file `{file}`");
            let diagnostic = Diagnostic::new(Code::UnknownUnit, at, message).on_key();
            resolver
                .report
                .push(if resolver.report.errors() < super::names::FEW {
                    diagnostic.suggest(file, known()).allowed(known())
                } else {
                    diagnostic
                });
            continue;
        };
        let extension = file.rsplit_once('.').map_or("", |(_, extension)| extension);
        let mut found = Vec::new();
        for (heading, keys) in sections {
            let at = at.key(heading);
            let Some(section) = section(resolver, at, (heading, extension)) else {
                continue;
            };
            let mut lines = Vec::new();
            for (key, value) in keys {
                let at = at.key(key);
                check_key(resolver, at, (section, key), hosts);
                check_value(resolver, at, (key, value));
                lines.push((key.clone(), value.0.to_vec()));
            }
            found.push((heading.clone(), lines));
        }
        for host in hosts {
            if let Some(host) = resolver.model.hosts.get_mut(host.0) {
                let (unit_file, sections) = (file.clone(), found.clone());
                host.overrides.push(Override {
                    unit_file,
                    sections,
                });
            }
        }
    }
}

fn section(
    resolver: &mut Resolver<'_>,
    at: At<'_>,
    (heading, extension): (&str, &str),
) -> Option<Section> {
    let section = Section::parse(heading).filter(|section| section.belongs_to(extension));
    if section.is_none() {
        let allowed = || {
            let sections = Section::ALL
                .iter()
                .filter(|section| section.belongs_to(extension));
            sections.map(|section| section.heading())
        };
        let message = format!("a `.{extension}` file has no section `{heading}`");
        let diagnostic = Diagnostic::new(Code::UnknownSection, at, message).on_key();
        resolver
            .report
            .push(diagnostic.suggest(heading, allowed()).allowed(allowed()));
    }
    section
}

fn check_key(
    resolver: &mut Resolver<'_>,
    at: At<'_>,
    (section, key): (Section, &str),
    hosts: &[HostId],
) {
    if ["Pod", "Network"].contains(&key) && section != Section::Unit && section != Section::Service
    {
        let message = format!("another `{key}=` would take the container out of its egress lock");
        let help = "a way out of the pod is its `egress`, a way in its `publish`";
        let diagnostic = Diagnostic::new(Code::ForbiddenOverride, at, message).on_key();
        resolver.report.push(diagnostic.help(help));
        return;
    }
    let is_word = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let since = if is_word {
        known_since(section, key)
    } else {
        None
    };
    let Some(since) = since else {
        let version = PodmanVersion(u16::MAX, 0);
        let known = known_keys(section, version);
        let message = format!("section `{}` has no key `{key}`", section.heading());
        let diagnostic = Diagnostic::new(Code::UnknownKey, at, message).on_key();
        let diagnostic = diagnostic.suggest(key, known.iter().copied());
        resolver.report.push(diagnostic.allowed(known));
        return;
    };
    let old = hosts.iter().find_map(|host| {
        let host = &resolver.model[*host];
        let version = PodmanVersion(host.podman_version.major, host.podman_version.minor);
        (version < since).then(|| (host.name.clone(), host.podman_version))
    });
    if let Some((host, version)) = old {
        let message = format!(
            "`{key}=` needs Podman {}.{}, and host `{host}` has {version}",
            since.0, since.1
        );
        let help = "Quadlet drops the whole unit when it meets a key it doesn't know; raise the \
                    host's `podman_version` when it has a newer one";
        resolver.report.push(
            Diagnostic::new(Code::KeyTooNew, at, message)
                .on_key()
                .help(help),
        );
    }
}

fn check_value(resolver: &mut Resolver<'_>, at: At<'_>, (key, value): (&str, &OverrideValue)) {
    for (index, line) in value.0.iter().enumerate() {
        let element = at.index(index);
        let place = if value.0.len() == 1 { at } else { element };
        if let Err(reason) = can_carry_written(line) {
            let message = format!("`{key}=` can't carry this value: it {reason}");
            let diagnostic = Diagnostic::new(Code::UncarriableValue, place, message);
            resolver.report.push(if line.contains('\n') {
                diagnostic.help("for several lines of one key, write a list")
            } else {
                diagnostic
            });
            continue;
        }
        let opens_lock = match key {
            "User" | "Group" => line
                .trim_matches(['"', '\''])
                .split(':')
                .any(|id| *id == users::NEBULA.to_string()),
            "AddCapability" | "PodmanArgs" => {
                let upper = line.to_ascii_uppercase();
                ["NET_ADMIN", "SYS_ADMIN", "PRIVILEGED"]
                    .iter()
                    .any(|word| upper.contains(word))
            }
            _ => false,
        };
        if opens_lock {
            let message = format!("`{key}={}` would open the pod's egress lock", shown(line));
            let help = "for a way out of the pod there is `egress`";
            let diagnostic = Diagnostic::new(Code::ForbiddenOverride, place, message);
            resolver.report.push(diagnostic.help(help));
        }
    }
}
