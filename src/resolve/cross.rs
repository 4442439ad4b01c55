//! What only all entries together show: names that collide, things that are shared, what will hurt one day.

mod advice;
pub(super) mod units;
mod unmatched;
mod watchdog;

use super::resolver::Resolver;

/// Checks the whole.
pub(super) fn check(resolver: &mut Resolver<'_>) {
    watchdog::check(resolver);
    units::check(resolver);
    advice::check(resolver);
}
