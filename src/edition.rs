//! Editions: the choices that a platform was begun with, and keeps until somebody moves it.
//!
//! A cure reaches every platform with the next `activate`. A changed *choice* (a mode, a timing, what holds data) would change a running platform
//! that nobody asked to change; it waits for the edition number in the lock file. A new lock gets the newest edition, a lock without a number is of
//! the first one, and `cops-gen lock --edition N` moves it.
//!
//! [`Edition::choices`] is the one table of what each edition chooses, and `docs/editions.md` its page. A later choice is a field of [`Choices`], a
//! value for each edition, a line in [`made`], and a row on that page.

use crate::model::{Model, PatroniCluster, Size, Synchronous, Timing};

/// A set of choices with a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Edition {
    /// What every platform had before there were editions.
    V1,
    /// A shorter gap at a failover, and replicas that are far behind serve nobody.
    V2,
}

/// What an edition chooses where the description says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choices {
    /// The timing of a Patroni cluster.
    pub timing: Timing,
    /// From so many members on commits wait for a quorum; none where they never do.
    pub quorum_from: Option<usize>,
    /// The WAL that a replica may be behind and still be read through the proxies; none for any.
    pub replica_max_lag: Option<Size>,
}

impl Edition {
    /// Every edition, the oldest first.
    pub const ALL: [Self; 2] = [Self::V1, Self::V2];
    /// What a new lock gets.
    pub const NEWEST: Self = Self::V2;

    /// Returns what the edition chooses.
    pub const fn choices(self) -> Choices {
        match self {
            Self::V1 => Choices {
                timing: Timing::FIRST,
                quorum_from: None,
                replica_max_lag: None,
            },
            Self::V2 => Choices {
                timing: Timing::STEADY,
                quorum_from: Some(3),
                replica_max_lag: Some(Size::mebibytes(64)),
            },
        }
    }

    /// Returns the number that stands in the lock.
    pub const fn number(self) -> u32 {
        match self {
            Self::V1 => 1,
            Self::V2 => 2,
        }
    }

    /// Returns the edition with this number.
    pub fn of(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.number() == number)
    }
}

/// A choice as it came out for one part of a platform.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Made {
    /// The part.
    pub place: String,
    /// The field of the description that overrides the choice.
    pub field: &'static str,
    /// What it came to.
    pub value: String,
}

/// Lists what everything came to that an edition may choose, whoever chose it: the edition or the description.
pub fn made(model: &Model) -> Vec<Made> {
    model.patroni_clusters.iter().flat_map(of_cluster).collect()
}

/// Says what differs between two lists of [`made`], a line each.
pub fn differences(old: &[Made], new: &[Made]) -> Vec<String> {
    let changed = |it: &&Made| !old.contains(it);
    let line = |it: &Made| {
        let before = old
            .iter()
            .find(|old| old.place == it.place && old.field == it.field);
        let before = before.map_or("nothing", |old| old.value.as_str());
        format!("{}: `{}` {before} -> {}", it.place, it.field, it.value)
    };
    new.iter().filter(changed).map(line).collect()
}

fn of_cluster(cluster: &PatroniCluster) -> Vec<Made> {
    let Timing {
        ttl,
        loop_wait,
        retry_timeout,
    } = cluster.timing;
    let synchronous = match cluster.synchronous {
        Synchronous::Off => "off",
        Synchronous::On => "on",
        Synchronous::Quorum => "quorum",
    };
    let lag = cluster
        .replica_max_lag
        .map_or_else(|| "off".to_owned(), |size| size.to_string());
    [
        ("ttl", ttl.to_string()),
        ("loop_wait", loop_wait.to_string()),
        ("retry_timeout", retry_timeout.to_string()),
        ("synchronous_mode", synchronous.to_owned()),
        ("replica_max_lag", lag),
    ]
    .into_iter()
    .map(|(field, value)| Made {
        place: format!("Patroni cluster `{}`", cluster.name),
        field,
        value,
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_back_and_the_newest_is_the_last() {
        for (edition, number) in Edition::ALL.into_iter().zip(1..) {
            assert_eq!(edition.number(), number);
            assert_eq!(Edition::of(number), Some(edition));
        }
        assert_eq!(Edition::ALL.last(), Some(&Edition::NEWEST));
        assert_eq!(Edition::of(0), None);
        assert_eq!(Edition::of(3), None);
    }

    #[test]
    fn every_timing_keeps_patronis_law() {
        let named = [Timing::FAST, Timing::STEADY];
        for timing in Edition::ALL
            .map(|it| it.choices().timing)
            .iter()
            .chain(&named)
        {
            assert!(u64::from(timing.ttl) >= timing.least_ttl(), "{timing:?}");
        }
    }
}
