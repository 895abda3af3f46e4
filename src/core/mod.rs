//! The pure floor: decides, and knows nobody: no clock, no I/O, no randomness.

pub mod snapshot;
