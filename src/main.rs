//! The `cops-gen` program: see [`cops_gen`] for what it does.

fn main() {}
