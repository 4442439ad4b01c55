//! What one service adds to its pod, in the words of the service; `pod` alone turns it into units.

use std::borrow::Cow;

use crate::bundle::{File, Member, OnChange};
use crate::plan::{EgressRule, PublishedPort, SecretTarget};

/// What one service adds to its pod. Paths are absolute paths on the host.
#[derive(Debug, Default)]
pub(super) struct Part {
    /// The containers, in any order.
    pub(super) containers: Vec<ContainerPart>,
    /// Files by their path on the host; those in a [`ConfigDirectory`] count as its content.
    pub(super) files: Vec<(String, File)>,
    /// Directories that `systemd-tmpfiles` makes.
    pub(super) directories: Vec<DataDirectory>,
    /// Size of the pod's `/dev/shm` in MiB, where Podman's 64 MB are too few.
    pub(super) shm_size_mib: Option<u32>,
    /// Lines of the pod's `/etc/hosts`: host name and address. A changed line restarts the pod.
    pub(super) add_hosts: Vec<(String, std::net::Ipv4Addr)>,
    /// Images that are built on the host.
    pub(super) builds: Vec<Build>,
    /// What the host runs by the clock.
    pub(super) timers: Vec<TimerPart>,
    /// What the host runs once, when the pod's container is there.
    pub(super) once: Vec<OncePart>,
    /// Commands of the host that run in the pod's container.
    pub(super) commands: Vec<CommandPart>,
    /// Ports that the host's real network reaches.
    pub(super) publish: Vec<PublishedPort>,
    /// Ways out beside the overlay.
    pub(super) egress: Vec<EgressRule>,
    /// Podman secrets whose values Patroni sets as passwords: it can't set every one.
    pub(super) patroni_passwords: Vec<String>,
}

impl Part {
    /// Says who restarts what all the containers of `parts` fall with.
    pub(super) fn most_careful<'p>(parts: impl IntoIterator<Item = &'p Self>) -> OnChange {
        let mut containers = parts.into_iter().flat_map(|part| &part.containers);
        if containers.any(|container| container.on_change == OnChange::Operator) {
            OnChange::Operator
        } else {
            OnChange::Restart
        }
    }
}

/// A command of the host, run in a container of ours.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct CommandPart {
    /// What is typed.
    pub(super) name: &'static str,
    /// The kind of pod and the program with its first arguments, as `in-member` takes them.
    pub(super) words: &'static str,
}

/// A program of the host that runs to its end, and not again until the host starts anew. It may take hours, and it may fail: nobody waits for it
/// but who says so.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct OncePart {
    /// The unit file.
    pub(super) unit_file: String,
    /// What the file is, in a few words.
    pub(super) about: String,
    /// What the unit is for.
    pub(super) description: String,
    /// Another unit that it brings along, besides the container's.
    pub(super) wants: Option<String>,
    /// The program and its arguments.
    pub(super) command: Vec<String>,
}

/// A timer of the host, and the command that it runs to its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TimerPart {
    /// Stem of the `.timer` and the `.service` file.
    pub(super) name: String,
    /// What it is for, in a few words.
    pub(super) about: String,
    /// When it runs.
    pub(super) elapses: Elapses,
    /// The program and its arguments.
    pub(super) command: Vec<String>,
    /// Seconds that it may take; none for as long as it takes.
    pub(super) timeout_secs: Option<u32>,
    /// A path of the host whose file system it needs.
    pub(super) needs_path: Option<String>,
}

/// When a timer elapses.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Elapses {
    /// At each of these calendar events.
    Calendar(Vec<String>),
    /// So long after the timer was started, and after the end of each run.
    Every {
        /// Seconds.
        secs: u32,
    },
}

/// One container of a pod.
#[derive(Debug)]
pub(super) struct ContainerPart {
    /// Name within the pod; the unit is `POD-NAME.container`.
    pub(super) name: String,
    /// The image.
    pub(super) image: Image,
    /// Program and first arguments; empty for the image's own.
    pub(super) entrypoint: Vec<String>,
    /// Arguments; empty for the image's own.
    pub(super) command: Vec<String>,
    /// Uid and gid of the first process; none for the image's own.
    pub(super) user: Option<(u32, u32)>,
    /// Environment variables.
    pub(super) environment: Vec<(String, String)>,
    /// Files of more environment variables, `NAME=VALUE` a line, read at each start. By itself a changed one restarts nothing.
    pub(super) environment_files: Vec<String>,
    /// Podman secrets by name, and where the container finds each.
    pub(super) secrets: Vec<(String, SecretTarget)>,
    /// Directories and files of the host.
    pub(super) volumes: Vec<VolumePart>,
    /// Directories of our own files, each mounted read-only.
    pub(super) config: Vec<ConfigDirectory>,
    /// Paths in the container that live in memory.
    pub(super) tmpfs: Vec<String>,
    /// Whether it loses every capability that isn't in `capabilities`, and can't gain any.
    pub(super) drops_capabilities: bool,
    /// Capabilities to add, as `CAP_…`.
    pub(super) capabilities: Vec<String>,
    /// Devices.
    pub(super) devices: Vec<String>,
    /// Kernel parameters.
    pub(super) sysctls: Vec<(String, String)>,
    /// Whether its root file system is read-only.
    pub(super) is_read_only: bool,
    /// Whether process 1 is Podman's init: where a shell would be it.
    pub(super) runs_init: bool,
    /// A check that reports and never kills.
    pub(super) health: Option<Health>,
    /// Signal that stops it; none for the image's own.
    pub(super) stop_signal: Option<&'static str>,
    /// Seconds between that signal and SIGKILL; the unit waits longer by itself.
    pub(super) stop_timeout_secs: u32,
    /// How it reads its config again; without one, changed config restarts it.
    pub(super) reload: Option<Reload>,
    /// Whether a restart is safe unattended.
    pub(super) on_change: OnChange,
    /// The cluster that it is a member of.
    pub(super) member: Option<Member>,
    /// Containers of the pod, by name, that are started before.
    pub(super) after: Vec<String>,
    /// Units of the host without which it isn't started; it may wait for them for hours.
    pub(super) requires: Vec<String>,
    /// Seconds before it is started again.
    pub(super) restart_delay_secs: u32,
    /// Commands that the host runs before each start.
    pub(super) before_start: Vec<Vec<String>>,
    /// The nice value of process 1, and of what doesn't set its own; none for 0.
    pub(super) nice: Option<i8>,
}

impl ContainerPart {
    /// Makes a container that has nothing but its image.
    pub(super) fn new(name: &str, image: Image) -> Self {
        Self {
            name: name.to_owned(),
            image,
            entrypoint: Vec::new(),
            command: Vec::new(),
            user: None,
            environment: Vec::new(),
            environment_files: Vec::new(),
            secrets: Vec::new(),
            volumes: Vec::new(),
            config: Vec::new(),
            tmpfs: Vec::new(),
            drops_capabilities: false,
            capabilities: Vec::new(),
            devices: Vec::new(),
            sysctls: Vec::new(),
            is_read_only: false,
            runs_init: false,
            health: None,
            stop_signal: None,
            stop_timeout_secs: 10,
            reload: None,
            on_change: OnChange::Restart,
            member: None,
            after: Vec::new(),
            requires: Vec::new(),
            restart_delay_secs: 2,
            before_start: Vec::new(),
            nice: None,
        }
    }
}

/// An image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Image {
    /// What `Image=` says.
    pub(super) reference: String,
    /// Whether it is built on the host, so that it is never pulled.
    pub(super) is_built: bool,
}

impl Image {
    /// Names an image of a registry.
    pub(super) fn pulled(reference: &str) -> Self {
        Self {
            reference: reference.to_owned(),
            is_built: false,
        }
    }

    /// Says when Podman may pull it.
    pub(super) fn pull_policy(&self) -> &'static str {
        if self.is_built { "never" } else { "missing" }
    }
}

/// An image that is built on the host.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Build {
    /// Stem of the `.build` file.
    pub(super) name: String,
    /// The tag it gets.
    pub(super) tag: String,
    /// Directory of its `Containerfile`; the files themselves are in [`Part::files`].
    pub(super) directory: String,
}

/// A directory or file of the host in a container.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct VolumePart {
    /// Path on the host.
    pub(super) source: String,
    /// Path in the container.
    pub(super) mount: String,
    /// Whether the container can't write to it.
    pub(super) is_read_only: bool,
    /// Whose it is, on hosts with `SELinux`.
    pub(super) relabel: Relabel,
}

/// Whose a volume is, on hosts with `SELinux`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Relabel {
    /// This container's alone (`Z`).
    Private,
    /// Several containers' (`z`).
    Shared,
    /// The host's: its labels stay.
    Never,
}

/// A directory of our own files, mounted read-only as a whole.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ConfigDirectory {
    /// Path on the host.
    pub(super) path: String,
    /// Path in the container.
    pub(super) mount: String,
    /// What a change of its files means to the container.
    pub(super) on_change: ConfigChange,
}

/// What a change of config means to a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConfigChange {
    /// A reload where the container has one, else a restart.
    Reload,
    /// A restart: it is read when the container starts.
    Restart,
    /// Nothing: it is read anew each time, or only once.
    Nothing,
}

/// How a container reads its config again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reload {
    /// A signal to its first process, as `HUP`.
    Signal(String),
}

/// A check of a container. It reports; it never kills.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Health {
    /// The command, without a shell.
    pub(super) command: Vec<String>,
    /// Seconds between two checks.
    pub(super) interval_secs: u32,
    /// Seconds that one may take.
    pub(super) timeout_secs: u32,
}

/// A directory that `systemd-tmpfiles` makes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct DataDirectory {
    /// Path on the host.
    pub(super) path: String,
    /// Permission bits.
    pub(super) mode: u32,
    /// Owner.
    pub(super) uid: u32,
    /// Group.
    pub(super) gid: u32,
}

/// Makes a file that everybody may read.
pub(super) fn text(text: impl Into<Cow<'static, str>>) -> File {
    File {
        mode: 0o644,
        bytes: into_bytes(text.into()),
    }
}

/// Makes a file that everybody may run.
pub(super) fn script(text: impl Into<Cow<'static, str>>) -> File {
    File {
        mode: 0o755,
        bytes: into_bytes(text.into()),
    }
}

fn into_bytes(text: Cow<'static, str>) -> Cow<'static, [u8]> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}
