//! The tests that see the program from outside: one binary, one link step.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failing helper is a failing test"
)]

mod cli;
mod errors;
mod facts;
mod golden;
mod modules;
mod page;
mod pages;
mod properties;
mod reference;
mod structure;
mod support;
mod trees;
