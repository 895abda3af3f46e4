//! The pure core: all decisions, as functions of their arguments. It uses no clock, no I/O, no
//! random numbers, and no other module of the crate.

mod alert_kind;
mod alert_rules;
mod announced_deletes;
mod apply;
mod apply_power;
pub mod attempts;
#[cfg(feature = "proof")]
mod broken_input;
mod capacity;
mod clock_reading;
mod create_outcome;
mod cron_expression;
mod dated_name;
pub mod decide;
mod deletion_payment;
pub mod deliberate_breaks;
pub mod dry_run;
mod dry_run_steps;
pub mod due;
pub mod event;
pub mod forecast;
mod forecast_simulation;
pub mod hook_lease;
pub mod id;
mod identification;
mod inventory;
pub mod name_pattern;
pub mod operator_order;
mod operator_resume;
pub mod pattern_detection;
mod pause;
pub mod payment;
mod payment_rules;
mod pending_op;
pub mod plan;
pub mod plan_text;
pub mod policy;
pub mod power_state;
pub mod provider_mismatch;
pub mod recorded_terms;
pub mod recovery_points;
pub mod retention;
pub mod retention_verdict;
pub mod sanitize;
pub mod schedule;
pub mod server_downtime;
pub mod server_history;
pub mod server_identity;
pub mod server_restart;
mod server_stop;
mod settled_ranges;
pub mod settled_slots;
mod shrink_grace;
pub mod shutdown_start;
pub mod slot_log;
mod slot_queries;
pub mod snapshot;
pub mod snapshot_lateness;
mod snapshot_log;
mod stopped_alert;

#[cfg(test)]
mod regression_tests;
#[cfg(test)]
pub(crate) mod test_provider;
