//! Tests of the engine with a scripted provider and paused time.

mod account_health;
mod enqueue_news;
mod hooked_create;
mod listing_lapses;
mod listings;
mod loop_scheduler;
mod order_execution;
mod power_cycle;
mod provider;
mod scripted_hooks;
mod snapshot_owners;
mod support;
mod trail;
mod unknown_outcomes;
