//! Rotates the snapshots of VPS.org servers by policy.
//!
//! The engine observes, decides, records, acts, and looks again; a crash at any point needs
//! no repair, since the next decision starts from the inventory and the trail:
//!
//! ```text
//! policy ─► slots ─┐
//! inventory ───────┼─► decide(policy, inventory, history, rules, now) ─► Step
//! trail ───────────┘                                                      │
//!   ▲                                                                     ▼
//!   └── outcome ◄── the provider's answer ◄── call ◄── intent, synced ◄── act
//! ```
//!
//! Data flows one way, and a room knows only rooms below it, from top to bottom:
//!
//! - [`cli`]: one file a command; `main` only parses, runs and returns the exit code. `cli::audit` reads the
//!   trail for people; `cli::help_text` is what help and manual pages say beyond the options.
//! - [`daemon`]: wires everything: the select loop, signals, systemd, the lock, the log, the tick.
//! - [`status`]: what others may see of the running service, and ask of it.
//! - [`engine`]: performs steps: `observer`, `account`, `server` (the loop of one), `act`,
//!   `holds`, `orders` and `pauses` of operators, `fleet`.
//! - [`hooks`]: what is run around snapshots, by a process of its own that outlives ours.
//! - [`notify`]: delivers to receivers what is to be told of alerts; none holds anything up.
//! - [`config`]: TOML into validated settings, all problems at once.
//! - [`api`]: the provider's calls, errors by what can be done about them, limits.
//! - [`audit`]: the trail, its format, and what holds after a failure; `audit::witness`: signed
//!   checkpoints of it, and what they show.
//! - [`alerts`]: what each receiver knows of each alert, and what it must hear next; pure.
//! - [`core`]: pure; no clock, no I/O, no randomness:
//!   - [`core::name_pattern`]: a slot's local time into a name and back; what is own and what foreign.
//!   - [`core::schedule`]: the slots of a cron schedule in a zone, with the gap and fold rules.
//!   - [`core::policy`]: what is wanted of one server.
//!   - [`core::event`], [`core::server_history`], [`core::slot_log`]: what can happen, and what the trail says of
//!     it and of each slot, as a value.
//!     `core::apply` makes the value fact by fact, `core::settled_ranges` keeps the slots of long ago.
//!   - [`core::retention`]: which snapshot may go, and which goes first; `core::deletion_budget`: what a
//!     delete is paid with (I19), [`core::rotation_terms`]: the edits that it may be announced by.
//!   - [`core::lateness`]: how late a snapshot was taken after its slot.
//!   - [`core::decide`]: the one decision; its rules stand in `core::pause` (0), `decide` (1),
//!     `core::pending_op` (2 and 3), [`core::due`] and `core::capacity` (4 to 6); `core::alert_rules` says what
//!     stands beside the step, [`core::settled_slots`] which slots have their snapshot, `core::resume`
//!     what a person's word ends.
//!   - [`core::hook_lease`]: what hooks did by the trail, and when the server is released;
//!     [`core::downtime`], [`core::server_restart`]: the same of a server that is
//!     stopped, and when it is started.
//!   - [`core::operator_order`]: what an operator may order, and what speaks against it now.
//!   - [`core::sanitize`]: foreign text made fit for a log.
//!   - [`core::retention_verdict`], [`core::plan`]: what each snapshot is and why; the steps that a run would take,
//!     which `core::dry_run` finds.
//!   - [`core::pattern_detection`]: which naming patterns of existing snapshots already rotate.
//!   - [`core::forecast`], [`core::recovery_points`]: what a policy yields in the long run, by the same
//!     decision, lived through in `core::forecast_simulation`; how much could be lost, and how far back one
//!     can go.
//! - [`sandbox`]: the stand-in of the API for `demo`, tests and benchmarks; shares no rule with `core`.
//! - [`child`]: other people's programs, run to their end; [`clock`]: the one place that asks what
//!   time it is, in the words of `core`; [`safe_fs`]: files in folders that another user may own.
//!
//! The promises, I1 to I20, and where each is kept: `docs/invariants.md`.
//!
//! With the feature `proof`, which no release has, there are also `sim`, where the engine lives
//! through seeded months of faults, `core::breaks`, which break it on purpose, and
//! `api::fuzz_entry`, by which fuzzing reads answers without a network.

pub mod alerts;
pub mod api;
pub mod audit;
pub mod child;
pub mod cli;
pub mod clock;
pub mod config;
pub mod core;
pub mod daemon;
pub mod engine;
pub mod hooks;
mod logged;
pub mod notify;
pub mod safe_fs;
pub mod sandbox;
#[cfg(feature = "proof")]
pub mod sim;
pub mod status;
