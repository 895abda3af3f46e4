//! Tests of the engine over a scripted provider, with time paused.

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
