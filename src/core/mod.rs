//! The pure floor: decides, and knows nobody: no clock, no I/O, no randomness.

pub mod name;
pub mod schedule;
pub mod snapshot;
