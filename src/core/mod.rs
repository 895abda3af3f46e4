//! The pure floor: decides, and knows nobody: no clock, no I/O, no randomness.

mod alert;
pub mod decide;
pub mod due;
pub mod fact;
pub mod history;
pub mod name;
pub mod policy;
pub mod retention;
pub mod schedule;
pub mod snapshot;

#[cfg(test)]
mod world;
