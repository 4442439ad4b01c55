//! Roles of PostgreSQL that the platform has by itself.

/// The superuser.
pub const SUPERUSER: &str = "postgres";
/// What standbys stream as.
pub const REPLICATION: &str = "replicator";
/// What an old primary reads its successor as before it follows.
pub const REWIND: &str = "rewind";
/// What Barman asks and tells the primary as.
pub const BARMAN: &str = "barman";
/// What Barman streams WAL as.
pub const BARMAN_STREAMING: &str = "streaming_barman";
/// What writes the row by which a restore shows how much it lost.
pub const BARMAN_CANARY: &str = "barman_canary";

/// Those that Patroni makes.
pub const OF_PATRONI: [&str; 3] = [SUPERUSER, REPLICATION, REWIND];
/// Those that Barman logs in as, all with one password.
pub const OF_BARMAN: [&str; 3] = [BARMAN, BARMAN_STREAMING, BARMAN_CANARY];

/// The database that is always there.
pub const DATABASE: &str = "postgres";
/// Barman's replication slot, on whichever member is the primary.
pub const BARMAN_SLOT: &str = "barman";
