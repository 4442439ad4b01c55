//! Ports. All but Nebula's are on the overlay, where each service has an address of its own.

/// A member's PostgreSQL, and that of an export.
pub const POSTGRES: u16 = 5432;
/// A proxy's way to the primary: PostgreSQL's own port, so that clients need not name one.
pub const PROXY_PRIMARY: u16 = POSTGRES;
/// A proxy's way to replicas.
pub const PROXY_REPLICAS: u16 = 5433;
/// A proxy's way to any member.
pub const PROXY_READ_ONLY: u16 = 5434;
/// A proxy's page and metrics.
pub const PROXY_STATS: u16 = 7000;
/// Patroni's REST API.
pub const PATRONI_API: u16 = 8008;
/// etcd's clients.
pub const ETCD_CLIENT: u16 = 2379;
/// etcd members among each other.
pub const ETCD_PEER: u16 = 2380;
/// The zone of connection tracking that flows of Nebula's ports have to themselves: any number that nobody else uses.
pub const CONNTRACK_ZONE: u16 = 4242;
/// First and last UDP port of the real network that endpoints get unless the description says other ones.
pub const NEBULA: [u16; 2] = [12500, 13000];
