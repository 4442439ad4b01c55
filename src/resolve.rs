//! Finds out what a description means, and everything that is wrong with it, at once.
//!
//! Each section has a module that checks its entries and adds them to the model. An entry that
//! is wrong is left out and the rest goes on; a model is returned only when no error was found.
//! What only all entries together show stands in `cross`.

mod address;
mod allocate;
mod barman;
mod choices;
mod container;
mod cross;
mod endpoint;
mod etcd;
mod export;
mod firewall;
mod host;
mod mount;
mod names;
mod network;
mod overrides;
mod patroni;
mod pod;
mod postgres;
mod resolver;

use resolver::Resolver;

pub use resolver::{Input, Resolved};

/// Resolves a description.
pub fn resolve(input: Input<'_>) -> Resolved {
    let mut resolver = Resolver::new(input);
    network::resolve(&mut resolver);
    host::resolve(&mut resolver);
    etcd::resolve(&mut resolver);
    patroni::resolve(&mut resolver);
    barman::resolve(&mut resolver);
    pod::resolve(&mut resolver);
    let lock = allocate::allocate(&mut resolver, input.lock);
    network::resolve_lighthouses(&mut resolver);
    firewall::resolve(&mut resolver);
    overrides::resolve(&mut resolver);
    cross::check(&mut resolver);
    resolver.finish(lock)
}
