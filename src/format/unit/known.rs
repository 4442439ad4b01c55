//! Knows which keys Quadlet accepts in which section, and since which Podman version.
//!
//! Quadlet drops a whole unit when it meets a key that it doesn't know, so a key must never be written for an older
//! Podman. The table was read from `pkg/systemd/quadlet/quadlet.go` at the tags v5.0.0 to v5.8.0 and at the
//! development tree of 6.0; no release removed a key. Keys that are older than 5.0 count as 5.0.
//! Reference: <https://docs.podman.io/en/latest/markdown/podman-systemd.unit.5.html>

use super::section::Section;

/// Holds a Podman version, major and minor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PodmanVersion(pub u16, pub u16);

/// Returns the first Podman version whose Quadlet accepts `key` in `section`.
///
/// Quadlet passes systemd's own sections through unread: they count as known in every version.
pub fn known_since(section: Section, key: &str) -> Option<PodmanVersion> {
    if section.is_read_by_systemd() {
        return Some(PodmanVersion(0, 0));
    }
    KEYS.iter()
        .filter(|(holder, _, _)| *holder == section)
        .find(|(_, _, names)| names.split(' ').any(|name| name == key))
        .map(|(_, version, _)| *version)
}

/// Lists the keys that Quadlet accepts in `section` as of `version`, sorted.
pub fn known_keys(section: Section, version: PodmanVersion) -> Vec<&'static str> {
    let mut names: Vec<&str> = KEYS
        .iter()
        .filter(|(holder, since, _)| *holder == section && *since <= version)
        .flat_map(|(_, _, names)| names.split(' '))
        .collect();
    names.sort_unstable();
    names
}

/// Per section and version, the keys that came with it.
const KEYS: &[(Section, PodmanVersion, &str)] = &[
    (
        Section::Container,
        PodmanVersion(5, 0),
        "AddCapability AddDevice Annotation AutoUpdate ContainerName ContainersConfModule DNS \
     DNSOption DNSSearch DropCapability Entrypoint Environment EnvironmentFile EnvironmentHost \
     Exec ExposeHostPort GIDMap GlobalArgs Group HealthCmd HealthInterval HealthOnFailure \
     HealthRetries HealthStartPeriod HealthStartupCmd HealthStartupInterval HealthStartupRetries \
     HealthStartupSuccess HealthStartupTimeout HealthTimeout HostName IP IP6 Image Label \
     LogDriver Mask Mount Network NoNewPrivileges Notify PidsLimit Pod PodmanArgs PublishPort \
     Pull ReadOnly ReadOnlyTmpfs RemapGid RemapUid RemapUidSize RemapUsers Rootfs RunInit \
     SeccompProfile Secret SecurityLabelDisable SecurityLabelFileType SecurityLabelLevel \
     SecurityLabelNested SecurityLabelType ShmSize StopTimeout SubGIDMap SubUIDMap Sysctl \
     Timezone Tmpfs UIDMap Ulimit Unmask User UserNS VolatileTmp Volume WorkingDir",
    ),
    (Section::Container, PodmanVersion(5, 1), "GroupAdd"),
    (
        Section::Container,
        PodmanVersion(5, 2),
        "LogOpt NetworkAlias StopSignal",
    ),
    (
        Section::Container,
        PodmanVersion(5, 3),
        "AddHost CgroupsMode HealthLogDestination HealthMaxLogCount HealthMaxLogSize ServiceName \
     StartWithPod",
    ),
    (
        Section::Container,
        PodmanVersion(5, 5),
        "Memory ReloadCmd ReloadSignal Retry RetryDelay",
    ),
    (Section::Container, PodmanVersion(5, 7), "HttpProxy"),
    (Section::Container, PodmanVersion(5, 8), "AppArmor"),
    (
        Section::Pod,
        PodmanVersion(5, 0),
        "ContainersConfModule GlobalArgs Network PodName PodmanArgs PublishPort Volume",
    ),
    (Section::Pod, PodmanVersion(5, 2), "NetworkAlias"),
    (
        Section::Pod,
        PodmanVersion(5, 3),
        "AddHost DNS DNSOption DNSSearch GIDMap IP IP6 RemapGid RemapUid RemapUidSize RemapUsers \
     ServiceName SubGIDMap SubUIDMap UIDMap UserNS",
    ),
    (Section::Pod, PodmanVersion(5, 4), "ShmSize"),
    (Section::Pod, PodmanVersion(5, 5), "HostName"),
    (Section::Pod, PodmanVersion(5, 6), "ExitPolicy Label"),
    (Section::Pod, PodmanVersion(5, 7), "StopTimeout"),
    (
        Section::Network,
        PodmanVersion(5, 0),
        "ContainersConfModule DNS DisableDNS Driver Gateway GlobalArgs IPAMDriver IPRange IPv6 \
     Internal Label NetworkName Options PodmanArgs Subnet",
    ),
    (Section::Network, PodmanVersion(5, 3), "ServiceName"),
    (Section::Network, PodmanVersion(5, 5), "NetworkDeleteOnStop"),
    (Section::Network, PodmanVersion(5, 6), "InterfaceName"),
    (
        Section::Volume,
        PodmanVersion(5, 0),
        "ContainersConfModule Copy Device Driver GlobalArgs Group Image Label Options PodmanArgs Type \
     User VolumeName",
    ),
    (Section::Volume, PodmanVersion(5, 3), "ServiceName"),
    (Section::Volume, PodmanVersion(6, 0), "GID UID"),
    (
        Section::Image,
        PodmanVersion(5, 0),
        "AllTags Arch AuthFile CertDir ContainersConfModule Creds DecryptionKey GlobalArgs Image \
     ImageTag OS PodmanArgs TLSVerify Variant",
    ),
    (Section::Image, PodmanVersion(5, 3), "ServiceName"),
    (Section::Image, PodmanVersion(5, 5), "Retry RetryDelay"),
    (Section::Image, PodmanVersion(5, 6), "Policy"),
    (
        Section::Build,
        PodmanVersion(5, 2),
        "Annotation Arch AuthFile ContainersConfModule DNS DNSOption DNSSearch Environment File \
     ForceRM GlobalArgs GroupAdd ImageTag Label Network PodmanArgs Pull Secret \
     SetWorkingDirectory TLSVerify Target Variant Volume",
    ),
    (Section::Build, PodmanVersion(5, 3), "ServiceName"),
    (Section::Build, PodmanVersion(5, 5), "Retry RetryDelay"),
    (Section::Build, PodmanVersion(5, 7), "BuildArg IgnoreFile"),
    (
        Section::Kube,
        PodmanVersion(5, 0),
        "AutoUpdate ConfigMap ContainersConfModule ExitCodePropagation GlobalArgs KubeDownForce \
     LogDriver Network PodmanArgs PublishPort RemapGid RemapUid RemapUidSize RemapUsers \
     SetWorkingDirectory UserNS Yaml",
    ),
    (Section::Kube, PodmanVersion(5, 2), "LogOpt"),
    (Section::Kube, PodmanVersion(5, 3), "ServiceName"),
    (
        Section::Artifact,
        PodmanVersion(5, 7),
        "Artifact AuthFile CertDir ContainersConfModule Creds DecryptionKey GlobalArgs PodmanArgs \
     Quiet Retry RetryDelay ServiceName TLSVerify",
    ),
    (Section::Quadlet, PodmanVersion(5, 3), "DefaultDependencies"),
];
