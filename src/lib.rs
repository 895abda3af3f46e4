//! Rotates the snapshots of VPS.org servers by policy.
//!
//! The engine observes a server, decides, records, acts, and looks again. A crash at any point
//! needs no repair: the next decision starts from the inventory and the trail.
//!
//! ```text
//! policy ─► slots ─┐
//! inventory ───────┼─► decide(policy, inventory, history, rules, now) ─► Step
//! trail ─► history ┘                                                      │
//!   ▲                                                                     ▼
//!   └── outcome ◄── the provider's answer ◄── call ◄── intent, synced ◄── perform
//! ```
//!
//! To find a rule, find its folder below, and then its file: here, or at the head of the folder's
//! `mod.rs`. A module imports only modules further down (`docs/design.md`, "Layout"). Terms are
//! defined in `docs/reference/glossary.md`. `docs/invariants.md` lists the files that keep I1 to
//! I20.
//!
//! - [`cli`]: one file per command; `main` parses, runs and returns the exit code.
//! - [`daemon`]: the process: lock, signals, systemd, startup, reload, main loop;
//!   `witness_publisher` signs checkpoints of the trail.
//! - [`status`]: the view of the running service, and the requests that it accepts.
//! - [`engine`]: performs steps. `loop_scheduler` runs each server's `server_loop`;
//!   `shared_listing` and `listing_confirmation` list; `mutation`, `hooked_create` and
//!   `power_cycle` act; `account_health` and `trail_health` stop mutations; `order_execution` and
//!   `pauses` serve the operator.
//! - [`hooks`]: runs programs around a snapshot, in a process that outlives the service.
//! - [`notify`]: delivers alerts to receivers without delaying the engine.
//! - [`config`]: TOML files into validated settings, with all problems in one report.
//! - [`api`]: the provider's calls, their failures by what can be done, and the rate limits.
//! - [`audit`]: the trail: its format, and what holds after a failure; `witness`: its checkpoints.
//! - [`sandbox`]: the stand-in of the API for the demo and tests; shares no rule with `core`.
//! - [`alerts`]: the alerts that each receiver has been sent, and its next message
//!   (`receiver_state`).
//! - [`clock`]: the only clock; [`child`]: external programs; `logged`: ids in the log's form.
//! - [`core`]: every rule of the rotation; pure: no clock, no I/O, no random numbers.
//!   - The decision: `decide`, with rule 1 (doubt); `pause_and_restore_rule`: rule 0;
//!     `unconfirmed_call_rules`: rules 2 and 3 (open calls, snapshots in progress);
//!     `due_and_surplus_rules` and `create_or_prune`: rules 4 to 6 (due, given up, surplus, rest);
//!     `retry_backoff`: when a slot is tried again.
//!   - Slots: `schedule` and `cron_parse`: their times; `name_pattern`: their names; `policy`
//!     decides which names are own; `rotation_record`, `slot_record`, `slot_record_access`,
//!     `newest_due_slot` and `ended_slot_ranges`: their ends; `snapshot_lateness_text`;
//!     `slots_after_edit`.
//!   - Deletions: `retention`: which and in what order; `deletion_payment`, `payment` and
//!     `payment_rules`: what pays for them (I19); `shrink_grace`, `unpaid_deletes` and
//!     `recorded_settings`: deletions after an edit.
//!   - Around a create: `hook_lease` (I18); `server_stop`, `server_start`, `downtime_state`,
//!     `downtime_alerts` and `start_at_shutdown` (I20); `server_info`.
//!   - A provider that errs: `trail_contradictions`, `other_id_records`, `server_other_id`,
//!     `id_change`; an answered id that can't be: `engine::call_outcome`; a listing of another
//!     server's snapshots: `engine::snapshot_owners`.
//!   - A refused call: `engine::mutation`, `api::error` (its kind), `api::retry_after` and
//!     `api::rate_limit` (the pace), `engine::call_outcome`, `apply_create_outcome` (whether it
//!     counts), `retry_backoff` (when again).
//!   - People: `operator_order`, `operator_resume`; `alert_rules` and `alert_kind`: each server's
//!     alerts.
//!   - State: `event` is what the trail records, with an `outcome`, at a `clock_reading`; `apply`,
//!     `apply_create_outcome` and `apply_power` turn it into a `server_history`, with its
//!     `recorded_snapshots`, each `contested_snapshot` and the `snapshot_ownership`; `inventory` is
//!     what a listing shows.
//!   - Previews: `plan`, `plan_text`, `dry_run`, `dry_run_effects`, `retention_verdict`;
//!     `policy_forecast`, `forecast_simulation`, `recovery_ages`. For `init`:
//!     `name_pattern_detection`, `name_pattern_candidate`.
//!   - Values: `snapshot`, `id`, `names`; `sanitize` makes foreign text safe to print.
//!   - For the proof: `deliberate_breaks`, `deliberate_break_input`; for tests: `test_provider`.
//! - [`safe_fs`]: files in folders that another user may own.
//!
//! The feature `proof`, which no release has, adds `sim` (seeded weeks of faults),
//! `core::deliberate_breaks` (deliberate violations that `sim` must detect) and `api::fuzz_entry`
//! (answers without a network).

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
