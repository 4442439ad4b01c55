//! cops-gen turns one JSON description of a PostgreSQL platform into static files per host.

pub mod bundle;
pub mod model;
pub mod plan;
