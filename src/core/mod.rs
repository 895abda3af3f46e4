//! The pure core: all decisions, as functions of their arguments. It uses no clock, no I/O, no
//! random numbers, and no other module of the crate.

mod alert_kind;
mod alert_rules;
mod alternate_ids;
mod apply;
mod apply_create;
mod apply_power;
mod clock_reading;
mod cron_expression;
pub mod decide;
mod deletion_payment;
#[cfg(feature = "proof")]
mod deliberate_break_input;
#[cfg(feature = "proof")]
pub mod deliberate_breaks;
pub mod dry_run;
mod dry_run_effects;
pub mod due_rules;
pub mod event;
pub mod forecast;
mod forecast_simulation;
pub mod hook_lease;
pub mod id;
mod inventory;
mod make_room;
pub mod name_pattern;
mod open_call_rules;
pub mod operator_order;
mod operator_resume;
pub mod pattern_detection;
mod pattern_inference;
mod pause_rule;
pub mod payment;
mod payment_rules;
pub mod plan;
pub mod plan_text;
pub mod policy;
pub mod power_state;
pub mod provider_mismatch;
pub mod recovery_points;
pub mod retention;
pub mod retention_verdict;
pub mod retry_backoff;
pub mod rotation_log;
pub mod rotation_terms;
pub mod sanitize;
pub mod schedule;
pub mod server_downtime;
pub mod server_history;
pub mod server_identity;
pub mod server_start;
mod server_stop;
mod settled_ranges;
pub mod settled_slots;
mod shrink_grace;
mod slot_records;
pub mod snapshot;
pub mod snapshot_lateness;
mod snapshot_log;
pub mod start_at_shutdown;
mod stopped_alert;
mod unpaid_deletes;

#[cfg(test)]
mod regression_tests;
#[cfg(test)]
pub(crate) mod test_provider;
