//! The table of codes: each rule of the program has one word, stable forever, and one page that explains it.

use std::fmt;

use super::Severity;

/// Makes the table: a line is the severity, the variant and the word; the page is `docs/codes/WORD.md`.
macro_rules! codes {
    ($($(#[$doc:meta])* $severity:ident $variant:ident $word:literal;)*) => {
        /// The rule a diagnostic speaks for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $($(#[$doc])* $variant,)*
        }

        impl Code {
            /// Every code, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Returns the code's word in kebab-case.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }

            /// Returns the code with this word.
            pub fn parse(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|code| code.as_str() == word)
            }

            /// Returns how grave a breach of the rule is.
            pub const fn severity(self) -> Severity {
                match self {
                    $(Self::$variant => Severity::$severity,)*
                }
            }

            /// Returns the page that explains the rule, in Markdown.
            pub const fn explanation(self) -> &'static str {
                match self {
                    $(Self::$variant => {
                        include_str!(concat!("../../docs/codes/", $word, ".md"))
                    })*
                }
            }
        }
    };
}

codes! {
    /// An address lies outside of its network.
    Error AddressOutsideNetwork "address-outside-network";
    /// An address is the network's own or its broadcast address.
    Error AddressReserved "address-reserved";
    /// A network has no free address left.
    Error AddressesExhausted "addresses-exhausted";
    /// Two Barman sources name one cluster.
    Error BackedUpTwice "backed-up-twice";
    /// A backup replica is no member of its cluster.
    Error BackupReplicaNotMember "backup-replica-not-member";
    /// A text is no IPv4 address or DNS name.
    Error BadAddress "bad-address";
    /// A text is no name of a backup.
    Error BadBackupId "bad-backup-id";
    /// A text is no Linux capability.
    Error BadCapability "bad-capability";
    /// A text holds a character that its target format can't carry.
    Error BadCharacter "bad-character";
    /// A text is no IPv4 network, or one of the wrong size.
    Error BadCidr "bad-cidr";
    /// A text is no device.
    Error BadDevice "bad-device";
    /// A text is no certificate's fingerprint.
    Error BadFingerprint "bad-fingerprint";
    /// A text is no Nebula group.
    Error BadGroup "bad-group";
    /// A text is no line of `pg_hba.conf`.
    Error BadHbaLine "bad-hba-line";
    /// A text is no host name, or too long for one.
    Error BadHostname "bad-hostname";
    /// A text is no image reference.
    Error BadImage "bad-image";
    /// A text is no octal mode.
    Error BadMode "bad-mode";
    /// A name has characters or a length that names can't have.
    Error BadName "bad-name";
    /// A text is no path that can be used here.
    Error BadPath "bad-path";
    /// A number or a text is no port, or no range of ports.
    Error BadPort "bad-port";
    /// The host that restores can't become the primary.
    Error BadRestoreHost "bad-restore-host";
    /// A text is no schedule of cron.
    Error BadSchedule "bad-schedule";
    /// A text is no size.
    Error BadSize "bad-size";
    /// A text is no signal.
    Error BadSignal "bad-signal";
    /// A text or a number is nothing that a recovery can stop at.
    Error BadTarget "bad-target";
    /// A Barman source is on another network than its server.
    Error BarmanNetworksDiffer "barman-networks-differ";
    /// A host's bridge has no free address left.
    Error BridgeExhausted "bridge-exhausted";
    /// Containers wait for each other.
    Error DependencyCycle "dependency-cycle";
    /// Two endpoints of a network have one address.
    Error DuplicateAddress "duplicate-address";
    /// Two endpoints of a network have one host name.
    Error DuplicateHostname "duplicate-hostname";
    /// A key stands twice in one object.
    Error DuplicateKey "duplicate-key";
    /// A list names one thing twice.
    Error DuplicateMember "duplicate-member";
    /// The CA that signs is not among those that are trusted.
    Error EpochNotTrusted "epoch-not-trusted";
    /// An etcd cluster has an even number of members.
    Error EvenQuorum "even-quorum";
    /// An export is to stop before a target that it doesn't have.
    Error ExclusiveWithoutTarget "exclusive-without-target";
    /// An export is of a cluster that its Barman server doesn't back up.
    Error ExportWithoutSource "export-without-source";
    /// A capability would open the egress lock.
    Error ForbiddenCapability "forbidden-capability";
    /// An override would open the egress lock.
    Error ForbiddenOverride "forbidden-override";
    /// Several members join an etcd cluster at once.
    Error JoiningTogether "joining-together";
    /// A host's Podman doesn't know a key yet.
    Error KeyTooNew "key-too-new";
    /// Nobody can dial a lighthouse.
    Error LighthouseWithoutAddress "lighthouse-without-address";
    /// A lighthouse has no endpoint on its network.
    Error LighthouseWithoutEndpoint "lighthouse-without-endpoint";
    /// The lock file keeps addresses outside of a network.
    Error LockOutsideNetwork "lock-outside-network";
    /// The lock file would change, and may not.
    Error LockStale "lock-stale";
    /// A value has the right type but not the form its field wants.
    Error MalformedValue "malformed-value";
    /// A field that is needed isn't there.
    Error MissingField "missing-field";
    /// Several networks exist, and an entry names none.
    Error NetworkNeeded "network-needed";
    /// Two networks share addresses.
    Error NetworkOverlap "network-overlap";
    /// Two things that talk to each other are on different networks.
    Error NetworksDiffer "networks-differ";
    /// Barman has no proxy to read a cluster through.
    Error NoBarmanProxy "no-barman-proxy";
    /// Barman has no password for a cluster.
    Error NoBarmanSecret "no-barman-secret";
    /// A pod has no container.
    Error NoContainers "no-containers";
    /// A network has no lighthouse.
    Error NoLighthouse "no-lighthouse";
    /// A Patroni cluster has no member that may become the primary.
    Error NoMembers "no-members";
    /// A pod uses a cluster that has no proxy on its host.
    Error NoProxyForPod "no-proxy-for-pod";
    /// A recovery window of no days.
    Error NoRecoveryWindow "no-recovery-window";
    /// The file isn't UTF-8 text.
    Error NotUtf8 "not-utf8";
    /// An object needs exactly one of several fields.
    Error OneOf "one-of";
    /// A number lies outside what its field can hold.
    Error OutOfRange "out-of-range";
    /// Two things are mounted at one path.
    Error PathCollision "path-collision";
    /// A text is no version of Podman that can run the pods.
    Error PodmanVersion "podman-version";
    /// A port of a host is published twice.
    Error PortPublishedTwice "port-published-twice";
    /// A host has no free UDP port left.
    Error PortsExhausted "ports-exhausted";
    /// A proxy has a member's host name.
    Error ProxyNamedAsMember "proxy-named-as-member";
    /// A group would pass for a service's.
    Error ReservedGroup "reserved-group";
    /// A name is taken by the product or by a program it uses.
    Error ReservedName "reserved-name";
    /// A parameter is Patroni's or the cluster's own.
    Error ReservedParameter "reserved-parameter";
    /// A schedule names no day that exists.
    Error ScheduleNeverFires "schedule-never-fires";
    /// An export has several targets.
    Error SeveralTargets "several-targets";
    /// A member's slot would have the name of Barman's.
    Error SlotCollision "slot-collision";
    /// A host's bridge shares addresses with another network.
    Error SubnetOverlap "subnet-overlap";
    /// The file isn't JSON.
    Error Syntax "syntax";
    /// A moment to recover to has no time zone.
    Error TargetWithoutZone "target-without-zone";
    /// Synchronous replication has nobody to wait for.
    Error TooFewForSync "too-few-for-sync";
    /// A leader's lock may run out while Patroni still retries.
    Error TtlTooShort "ttl-too-short";
    /// A host runs two Barman servers.
    Error TwoBarmanOnHost "two-barman-on-host";
    /// A Quadlet key can't carry a value.
    Error UncarriableValue "uncarriable-value";
    /// Two units of a host would have one name.
    Error UnitCollision "unit-collision";
    /// No container of the pod has this name.
    Error UnknownContainer "unknown-container";
    /// A lock is of an edition that this program does not know.
    Error UnknownEdition "unknown-edition";
    /// No etcd cluster has this name.
    Error UnknownEtcdCluster "unknown-etcd-cluster";
    /// An object has a field that nobody reads.
    Error UnknownField "unknown-field";
    /// No host has this name.
    Error UnknownHost "unknown-host";
    /// A section has no such key.
    Error UnknownKey "unknown-key";
    /// No network has this name.
    Error UnknownNetwork "unknown-network";
    /// No Patroni cluster has this name.
    Error UnknownPatroniCluster "unknown-patroni-cluster";
    /// No role of the cluster has this name.
    Error UnknownRole "unknown-role";
    /// No secret has this name.
    Error UnknownSecret "unknown-secret";
    /// A unit file has no such section.
    Error UnknownSection "unknown-section";
    /// No host has such a unit file.
    Error UnknownUnit "unknown-unit";
    /// A word is none of those its field knows.
    Error UnknownVariant "unknown-variant";
    /// No image has this version of PostgreSQL.
    Error UnsupportedPostgres "unsupported-postgres";
    /// The description's `version` is one this program doesn't know.
    Error UnsupportedVersion "unsupported-version";
    /// An environment variable is set twice.
    Error VariableTwice "variable-twice";
    /// A volume has two owners or modes.
    Error VolumeOwners "volume-owners";
    /// Two clusters on one host want its watchdog.
    Error WatchdogShared "watchdog-shared";
    /// A value has another type than its field wants.
    Error WrongType "wrong-type";
    /// A cluster and its backups are on one host.
    Warning BarmanOnOnlyHost "barman-on-only-host";
    /// An etcd cluster has one member.
    Warning EtcdOfOne "etcd-of-one";
    /// All members of an etcd cluster are on one machine.
    Warning EtcdOnOneAddress "etcd-on-one-address";
    /// An etcd cluster has an even number of members while one joins.
    Warning GrowingQuorum "growing-quorum";
    /// Nothing backs a cluster up.
    Warning NoBackups "no-backups";
    /// A member's host has no proxy.
    Warning NoProxyOnMember "no-proxy-on-member";
    /// A network has one lighthouse.
    Warning SingleLighthouse "single-lighthouse";
    /// A failover may lose acknowledged rows.
    Warning TwoMembersAsync "two-members-async";
    /// No endpoint can ever match a firewall rule.
    Warning UnmatchedRule "unmatched-rule";
    /// No client can reach a cluster.
    Warning UnreachableCluster "unreachable-cluster";
    /// No client can reach the PostgreSQL of an export.
    Warning UnreachableExport "unreachable-export";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_kebab_case_and_used_once() {
        for code in Code::ALL {
            let word = code.as_str();
            assert_eq!(Code::parse(word), Some(*code), "{word} is used twice");
            let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!(word.chars().all(legal), "{word}");
        }
        assert_eq!(Code::parse("no-such-code"), None);
    }

    #[test]
    fn every_page_starts_with_its_word_and_shows_both_sides() {
        for code in Code::ALL {
            let (word, page) = (code.as_str(), code.explanation());
            assert!(page.starts_with(&format!("# {word}\n")), "{word}: heading");
            assert!(page.contains("\nWrong:\n"), "{word}: a wrong example");
            assert!(page.contains("\nRight:\n"), "{word}: a right example");
            assert!(
                page.ends_with('\n') && !page.ends_with("\n\n"),
                "{word}: final newline"
            );
        }
    }
}
