//! cops-gen turns one JSON description of a `PostgreSQL` platform into static files per host.

pub mod bundle;
pub mod cli;
mod command;
pub mod compare;
pub mod decode;
pub mod description;
pub mod failure;
pub mod format;
pub mod lock;
pub mod lower;
pub mod manifest;
pub mod model;
pub mod name;
pub mod plan;
pub mod pointer;
pub mod report;
pub mod resolve;
pub mod schema;
pub mod shorthand;
pub mod source;
pub mod unique_map;
pub mod write;
