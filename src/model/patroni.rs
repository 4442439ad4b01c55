//! Numbers of a Patroni cluster that mean something together.

use std::fmt;

/// Seconds of Patroni's loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// Seconds that a leader's lock lives.
    pub ttl: u32,
    /// Seconds between two rounds.
    pub loop_wait: u32,
    /// Seconds that etcd and PostgreSQL are retried.
    pub retry_timeout: u32,
}

impl Timing {
    /// What every cluster had before timings had names.
    pub const FIRST: Self = Self {
        ttl: 20,
        loop_wait: 5,
        retry_timeout: 5,
    };
    /// A lock that outlives a stall of 10 s: as long as Patroni allows by itself, and renewed as late as fits, since a lease that was renewed
    /// just before its holder died is the one that is waited for.
    pub const STEADY: Self = Self {
        ttl: 20,
        loop_wait: 10,
        retry_timeout: 5,
    };
    /// The shortest gap: half of Patroni's least lock, which the fence makes safe.
    pub const FAST: Self = Self {
        ttl: 9,
        loop_wait: 3,
        retry_timeout: 3,
    };

    /// Returns the shortest lock that Patroni takes beside the other two.
    pub fn least_ttl(self) -> u64 {
        u64::from(self.loop_wait) + 2 * u64::from(self.retry_timeout)
    }
}

/// What resets a primary that has lost its lock and does not stop by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watchdog {
    /// Process 1 of its container.
    Container,
    /// The host's `/dev/watchdog`.
    Device,
}

/// A number of bytes. It is written as PostgreSQL and Patroni read it: a whole number and `B`, `kB`, `MB`, `GB` or `TB`, each 1024 of the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(u64);

/// The units, from the largest, with the power of two of each.
const UNITS: [(&str, u32); 5] = [("TB", 40), ("GB", 30), ("MB", 20), ("kB", 10), ("B", 0)];

impl Size {
    /// So many times 1024 × 1024 bytes.
    pub const fn mebibytes(count: u64) -> Self {
        Self(count << 20)
    }

    /// Returns the number of bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }

    /// Reads a size, or nothing where the text is none. Upper and lower case count, as they do for PostgreSQL.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit = text.strip_prefix(digits)?;
        let (_, power) = UNITS.iter().find(|(name, _)| *name == unit)?;
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let number: u64 = digits.parse().ok()?;
        number.checked_mul(1 << power).map(Self)
    }
}

impl fmt::Display for Size {
    /// Writes the largest unit that holds it without a rest.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |(_, power): &&(&str, u32)| self.0 != 0 && self.0.is_multiple_of(1 << power);
        let (unit, power) = UNITS.iter().find(fits).unwrap_or(&("B", 0));
        write!(f, "{}{unit}", self.0 >> power)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_read_as_postgres_reads_it() {
        for (text, bytes) in [
            ("0B", 0),
            ("1B", 1),
            ("16kB", 16 << 10),
            ("64MB", 64 << 20),
            ("007MB", 7 << 20),
            ("3GB", 3 << 30),
            ("1TB", 1 << 40),
        ] {
            assert_eq!(Size::parse(text).map(Size::bytes), Some(bytes), "{text}");
        }
        for text in [
            "",
            "B",
            "MB",
            "16",
            "16mb",
            "16KB",
            "16 MB",
            " 16MB",
            "16MB ",
            "-1MB",
            "+1MB",
            "1.5GB",
            "0x10MB",
            "16MBB",
            "1_000MB",
            "١MB",
            "16777216TB",
        ] {
            assert_eq!(Size::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_size_is_written_in_its_largest_unit() {
        for (text, written) in [
            ("0B", "0B"),
            ("1024B", "1kB"),
            ("1025B", "1025B"),
            ("65536kB", "64MB"),
            ("1536MB", "1536MB"),
            ("2048GB", "2TB"),
        ] {
            let size = Size::parse(text).unwrap();
            assert_eq!(size.to_string(), written);
            assert_eq!(Size::parse(written), Some(size));
        }
    }
}
