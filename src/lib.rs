//! cops-gen turns one JSON description of a PostgreSQL platform into static files per host.
//!
//! Data flows one way, through stages that are modules:
//!
//! [`decode`] reads `cluster.json` into a [`description::Description`], what was written;
//! [`resolve`] makes a [`model::Model`] of it and the [`lock`], what it means, or says everything
//! that is wrong; [`plan`] looks at the model from one host; [`lower`] turns that into a
//! [`bundle::Bundle`], files as bytes; [`survey`] looks at what is on disk, [`compare`] words
//! it, and [`mod@write`] puts bundles there. After resolve nothing can fail but I/O.

pub mod bundle;
pub mod cli;
pub mod command;
pub mod compare;
pub mod decode;
pub mod description;
pub mod edition;
pub mod failure;
pub mod format;
pub mod lock;
pub mod lower;
pub mod manifest;
pub mod model;
pub mod name;
pub mod plan;
pub mod platform;
pub mod pointer;
pub mod report;
pub mod resolve;
pub mod schema;
pub mod shorthand;
pub mod source;
pub mod survey;
pub mod unique_map;
pub mod write;
