//! cops-gen turns one JSON description of a PostgreSQL platform into static files per host.

pub mod bundle;
pub mod decode;
pub mod format;
pub mod model;
pub mod plan;
pub mod pointer;
pub mod report;
pub mod shorthand;
pub mod source;
pub mod unique_map;
