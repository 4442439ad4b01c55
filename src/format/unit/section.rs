//! Names the sections of unit files, in the order in which they are written.

/// Names a section of a Quadlet or systemd unit file; the order of the variants is the order in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Section {
    /// `[Unit]`, read by systemd.
    Unit,
    /// `[Quadlet]`, read by Quadlet in every kind of file.
    Quadlet,
    /// `[Container]` of a `.container` file.
    Container,
    /// `[Pod]` of a `.pod` file.
    Pod,
    /// `[Network]` of a `.network` file.
    Network,
    /// `[Volume]` of a `.volume` file.
    Volume,
    /// `[Image]` of an `.image` file.
    Image,
    /// `[Build]` of a `.build` file.
    Build,
    /// `[Kube]` of a `.kube` file.
    Kube,
    /// `[Artifact]` of an `.artifact` file.
    Artifact,
    /// `[Service]`, read by systemd.
    Service,
    /// `[Timer]`, read by systemd.
    Timer,
    /// `[Path]`, read by systemd.
    Path,
    /// `[Socket]`, read by systemd.
    Socket,
    /// `[Scope]`, read by systemd.
    Scope,
    /// `[Install]`, read by systemd.
    Install,
}

impl Section {
    /// Lists every section, in the order of a file.
    pub const ALL: [Self; 16] = [
        Self::Unit,
        Self::Quadlet,
        Self::Container,
        Self::Pod,
        Self::Network,
        Self::Volume,
        Self::Image,
        Self::Build,
        Self::Kube,
        Self::Artifact,
        Self::Service,
        Self::Timer,
        Self::Path,
        Self::Socket,
        Self::Scope,
        Self::Install,
    ];

    /// Reads a section from its heading, without brackets.
    pub fn parse(heading: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|section| section.heading() == heading)
    }

    /// Returns the heading, without brackets.
    pub fn heading(self) -> &'static str {
        match self {
            Self::Unit => "Unit",
            Self::Quadlet => "Quadlet",
            Self::Container => "Container",
            Self::Pod => "Pod",
            Self::Network => "Network",
            Self::Volume => "Volume",
            Self::Image => "Image",
            Self::Build => "Build",
            Self::Kube => "Kube",
            Self::Artifact => "Artifact",
            Self::Service => "Service",
            Self::Timer => "Timer",
            Self::Path => "Path",
            Self::Socket => "Socket",
            Self::Scope => "Scope",
            Self::Install => "Install",
        }
    }

    /// Says whether systemd reads the section, and Quadlet only passes it through.
    pub fn is_read_by_systemd(self) -> bool {
        match self {
            Self::Unit
            | Self::Service
            | Self::Timer
            | Self::Path
            | Self::Socket
            | Self::Scope
            | Self::Install => true,
            Self::Quadlet
            | Self::Container
            | Self::Pod
            | Self::Network
            | Self::Volume
            | Self::Image
            | Self::Build
            | Self::Kube
            | Self::Artifact => false,
        }
    }

    /// Says whether a unit file whose name ends in `extension` (no dot) may hold the section.
    pub fn belongs_to(self, extension: &str) -> bool {
        let own = match extension {
            "container" => Self::Container,
            "pod" => Self::Pod,
            "network" => Self::Network,
            "volume" => Self::Volume,
            "image" => Self::Image,
            "build" => Self::Build,
            "kube" => Self::Kube,
            "artifact" => Self::Artifact,
            "service" => return matches!(self, Self::Unit | Self::Service | Self::Install),
            "timer" => return matches!(self, Self::Unit | Self::Timer | Self::Install),
            "path" => return matches!(self, Self::Unit | Self::Path | Self::Install),
            "socket" => return matches!(self, Self::Unit | Self::Socket | Self::Install),
            "scope" => return matches!(self, Self::Unit | Self::Scope),
            "target" => return matches!(self, Self::Unit | Self::Install),
            _ => return false,
        };
        self == own
            || matches!(
                self,
                Self::Unit | Self::Quadlet | Self::Service | Self::Install
            )
    }
}
