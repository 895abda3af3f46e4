//! Rotates the snapshots of VPS.org servers by policy.
//!
//! Data flows one way, and a room knows only rooms below it:
//!
//! ```text
//! policy ─► slots ─┐
//! inventory ───────┼─► decide(policy, inventory, history, rules, now) ─► Step
//! trail ───────────┘
//! ```
//!
//! - [`core::name`]: a slot's local time into a name and back; what is own and what foreign.
//! - [`core::schedule`]: the slots of a cron schedule in a zone, with the gap and fold rules.
//! - [`core::policy`]: what is wanted of one server.
//! - [`core::fact`]: what can happen on a server, in the words of the trail.
//! - [`core::history`]: what the trail says of it, as a value.
//! - [`core::retention`]: which snapshot may go, and which goes first.
//! - [`core::decide`]: the one decision that all of these serve; `core::due` holds its rules for slots and surplus.
//! - [`core::verdict`] and [`core::plan`]: what each snapshot is and why, and the steps that a run would take.

pub mod api;
pub mod audit;
pub mod cli;
pub mod clock;
pub mod config;
pub mod core;
pub mod daemon;
pub mod engine;
pub mod sandbox;
