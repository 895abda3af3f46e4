//! Rotates the snapshots of VPS.org servers by policy.

pub mod core;
