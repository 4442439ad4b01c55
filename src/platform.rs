//! What the platform is, whatever a description says: its names, ports, users, roles and places. Each fact stands here once.

pub mod images;
pub mod paths;
pub mod ports;
pub mod roles;
pub mod secrets;
pub mod services;
pub mod units;
pub mod users;
