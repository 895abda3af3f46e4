//! The pure floor: decides, and knows nobody: no clock, no I/O, no randomness.

mod alert;
mod answer;
pub mod belief;
pub mod breaks;
mod dated;
pub mod decide;
pub mod downtime;
pub mod due;
mod erosion;
mod expression;
pub mod fact;
mod fold;
pub mod forecast;
mod foresight;
pub mod history;
pub mod hold;
pub mod id;
pub mod identity;
pub mod lateness;
pub mod name;
pub mod noted;
mod open;
pub mod order;
mod passed;
mod pause;
pub mod plan;
mod plan_text;
pub mod policy;
pub mod printable;
pub mod recognise;
pub mod recovery;
mod rehearsal;
mod remembered;
pub mod restart;
mod resume;
pub mod retention;
mod room;
pub mod schedule;
pub mod settled;
mod shrink;
pub mod snapshot;
pub mod terms;
mod unpaid;
pub mod verdict;

#[cfg(test)]
mod return_tests;
#[cfg(test)]
pub(crate) mod world;
