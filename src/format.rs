//! Knows the file formats of a bundle: units, templates and YAML. Nobody else writes a quote, a backslash or an indent.

pub mod template;
pub mod unit;
pub mod yaml;
