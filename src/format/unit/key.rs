//! The one table of keys: for each key of each section, how its reader takes the value apart.
//!
//! A wrong pair of section and key doesn't compile: each section has its own enum of keys.
//! References: <https://docs.podman.io/en/latest/markdown/podman-systemd.unit.5.html>,
//! <https://www.freedesktop.org/software/systemd/man/latest/systemd.syntax.html>; for Quadlet the reading rule of each
//! key was read in `pkg/systemd/quadlet/quadlet.go` and `pkg/systemd/parser` at v5.4.2 and v5.8.2.

use super::known::{PodmanVersion, known_since};
use super::section::Section;

/// Says how the reader of a key takes the value apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Quadlet takes the last value whole, less outer blanks and outer double quotes, as one argument of `podman`.
    Text,
    /// As [`Encoding::Text`]; `podman` reads the argument as a JSON list of words.
    JsonWords,
    /// As [`Encoding::JsonWords`], where a single text means a shell command.
    JsonHealthCommand,
    /// Quadlet takes every value whole, less outer blanks, as one argument each.
    EachText,
    /// Quadlet splits at blanks, removes quotes and keeps backslashes; one argument per word.
    EachStrings,
    /// Quadlet splits at blanks, removes quotes and resolves C escapes; one argument per word.
    EachWords,
    /// As [`Encoding::EachWords`], of the last value alone.
    LastWords,
    /// Quadlet takes the value whole and gives it to no command line: unit names, switches.
    Plain,
    /// systemd takes the value whole, less outer blanks, and expands specifiers.
    SystemdText,
    /// systemd splits at blanks, removes quotes and keeps backslashes, and expands specifiers.
    SystemdStrings,
    /// systemd splits at blanks, removes quotes and resolves C escapes, and expands specifiers.
    SystemdWords,
    /// systemd reads a command line: as [`Encoding::SystemdWords`], and expands variables.
    SystemdCommand,
}

/// Says what the option of `podman` that a value ends in makes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flag {
    /// It takes the argument as it is.
    Whole,
    /// It reads the argument as a line of comma-separated values.
    Csv,
    /// `name=value`.
    Assignment,
    /// `name,option=value,…`.
    Secret,
    /// `source:target:options`; Quadlet also writes the source into `RequiresMountsFor=` unquoted.
    Volume,
}

/// A key of one section of unit files.
pub trait Key: Copy {
    /// The section that the key belongs to.
    const SECTION: Section;

    /// Returns the key's name, as the file spells it.
    fn name(self) -> &'static str;

    /// Returns how the reader takes the value apart.
    fn encoding(self) -> Encoding;

    /// Returns what podman's own option makes of the argument.
    fn flag(self) -> Flag;

    /// Returns the first Podman version that knows the key; systemd's own keys count as always known.
    fn since(self) -> PodmanVersion {
        known_since(Self::SECTION, self.name()).unwrap_or(PodmanVersion(u16::MAX, 0))
    }
}

/// Declares the enum of one section's keys with its table of encodings.
macro_rules! keys {
    ($(#[$doc:meta])* $enum:ident in $section:ident {
        $($encoding:ident / $flag:ident: $($key:ident)+;)+
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[expect(missing_docs, reason = "each variant is the key of that very name")]
        pub enum $enum { $($($key,)+)+ }

        impl $enum {
            /// Lists the section's keys that have a place in the table.
            pub const ALL: &'static [Self] = &[$($(Self::$key,)+)+];
        }

        impl Key for $enum {
            const SECTION: Section = Section::$section;

            fn name(self) -> &'static str {
                match self { $($(Self::$key => stringify!($key),)+)+ }
            }

            fn encoding(self) -> Encoding {
                match self { $($(Self::$key)|+ => Encoding::$encoding,)+ }
            }

            fn flag(self) -> Flag {
                match self { $($(Self::$key)|+ => Flag::$flag,)+ }
            }
        }
    };
}

keys! {
    /// Keys of `[Container]`.
    ContainerKey in Container {
        Plain / Whole: Pod Notify NoNewPrivileges ReadOnly ReadOnlyTmpfs RunInit StartWithPod
            ServiceName EnvironmentHost SecurityLabelDisable;
        Text / Whole: ContainerName Image Pull User Group StopTimeout StopSignal HealthInterval
            HealthTimeout HealthRetries HealthStartPeriod HealthOnFailure HealthStartupInterval
            HealthStartupRetries HealthStartupSuccess HealthStartupTimeout HealthLogDestination
            HealthMaxLogCount HealthMaxLogSize ShmSize LogDriver Timezone ReloadSignal WorkingDir
            HostName IP CgroupsMode PidsLimit SeccompProfile UserNS Memory;
        JsonWords / Whole: Entrypoint;
        JsonHealthCommand / Whole: HealthCmd HealthStartupCmd;
        EachText / Whole: Tmpfs Network;
        EachText / Csv: AddHost Ulimit DNS DNSOption DNSSearch NetworkAlias GroupAdd PublishPort;
        EachText / Volume: Volume;
        EachStrings / Whole: AddDevice LogOpt;
        EachStrings / Csv: AddCapability DropCapability Sysctl UIDMap GIDMap;
        EachWords / Assignment: Environment Label Annotation;
        EachWords / Secret: Secret;
        EachWords / Whole: EnvironmentFile Mount PodmanArgs GlobalArgs Mask Unmask;
        LastWords / Whole: Exec ReloadCmd;
    }
}

keys! {
    /// Keys of `[Pod]`.
    PodKey in Pod {
        Plain / Whole: ServiceName;
        Text / Whole: PodName IP ShmSize UserNS HostName ExitPolicy StopTimeout;
        EachText / Whole: Network;
        EachText / Csv: PublishPort AddHost DNS DNSOption DNSSearch NetworkAlias;
        EachText / Volume: Volume;
        EachStrings / Csv: UIDMap GIDMap;
        EachWords / Assignment: Label;
        EachWords / Whole: PodmanArgs GlobalArgs;
    }
}

keys! {
    /// Keys of `[Network]`.
    NetworkKey in Network {
        Plain / Whole: DisableDNS IPv6 Internal ServiceName NetworkDeleteOnStop;
        Text / Whole: NetworkName Driver IPAMDriver InterfaceName;
        EachText / Whole: Subnet Gateway IPRange;
        EachText / Csv: DNS;
        EachWords / Assignment: Options Label;
        EachWords / Whole: PodmanArgs GlobalArgs;
    }
}

keys! {
    /// Keys of `[Build]`.
    BuildKey in Build {
        Plain / Whole: ForceRM TLSVerify ServiceName;
        Text / Whole: File SetWorkingDirectory Pull Target Arch AuthFile Variant;
        EachText / Whole: ImageTag Network;
        EachText / Csv: DNS GroupAdd;
        EachText / Volume: Volume;
        EachWords / Assignment: Environment Label Annotation;
        EachWords / Whole: PodmanArgs GlobalArgs Secret;
    }
}

keys! {
    /// Keys of `[Quadlet]`.
    QuadletKey in Quadlet {
        Plain / Whole: DefaultDependencies;
    }
}

keys! {
    /// Keys of `[Unit]`.
    UnitKey in Unit {
        SystemdText / Whole: Description StartLimitIntervalSec StartLimitBurst StartLimitAction
            FailureAction SuccessAction DefaultDependencies StopWhenUnneeded RefuseManualStart
            RefuseManualStop AllowIsolate JobTimeoutSec ConditionPathExists
            ConditionPathIsDirectory ConditionPathIsMountPoint ConditionDirectoryNotEmpty
            ConditionFileNotEmpty AssertPathExists CollectMode;
        SystemdStrings / Whole: Documentation After Before Wants Requires Requisite BindsTo PartOf
            Upholds Conflicts OnFailure OnSuccess PropagatesReloadTo ReloadPropagatedFrom
            PropagatesStopTo StopPropagatedFrom JoinsNamespaceOf RequiresMountsFor WantsMountsFor;
    }
}

keys! {
    /// Keys of `[Service]`.
    ServiceKey in Service {
        SystemdText / Whole: Type RemainAfterExit Restart RestartSec RestartMode RestartSteps
            RestartMaxDelaySec TimeoutSec TimeoutStartSec TimeoutStopSec TimeoutAbortSec
            RuntimeMaxSec WatchdogSec KillMode KillSignal SendSIGKILL PIDFile NotifyAccess User
            Group DynamicUser WorkingDirectory RootDirectory UMask EnvironmentFile StandardInput
            StandardOutput StandardError SyslogIdentifier LogLevelMax Slice Delegate OOMPolicy
            OOMScoreAdjust Nice CPUWeight IOWeight CPUQuota MemoryMax MemoryHigh MemoryMin
            MemoryLow MemorySwapMax TasksMax LimitNOFILE LimitMEMLOCK LimitCORE PrivateTmp
            PrivateDevices PrivateNetwork ProtectHome ProtectSystem ProtectProc NoNewPrivileges
            RuntimeDirectoryMode StateDirectoryMode RuntimeDirectoryPreserve LoadCredential
            NetworkNamespacePath IOSchedulingClass IOSchedulingPriority CPUSchedulingPolicy
            FileDescriptorStoreMax GuessMainPID;
        SystemdStrings / Whole: RuntimeDirectory StateDirectory CacheDirectory LogsDirectory
            ReadWritePaths ReadOnlyPaths InaccessiblePaths CapabilityBoundingSet
            AmbientCapabilities SupplementaryGroups SuccessExitStatus RestartPreventExitStatus
            RestartForceExitStatus BindPaths BindReadOnlyPaths;
        SystemdWords / Assignment: Environment;
        SystemdWords / Whole: PassEnvironment;
        SystemdCommand / Whole: ExecCondition ExecStartPre ExecStart ExecStartPost ExecReload
            ExecStop ExecStopPost;
    }
}

keys! {
    /// Keys of `[Timer]`.
    TimerKey in Timer {
        SystemdText / Whole: OnCalendar OnBootSec OnStartupSec OnActiveSec OnUnitActiveSec
            OnUnitInactiveSec Persistent AccuracySec RandomizedDelaySec FixedRandomDelay
            RemainAfterElapse Unit WakeSystem;
    }
}

keys! {
    /// Keys of `[Install]`.
    InstallKey in Install {
        SystemdStrings / Whole: WantedBy RequiredBy UpheldBy Alias Also;
        SystemdText / Whole: DefaultInstance;
    }
}
