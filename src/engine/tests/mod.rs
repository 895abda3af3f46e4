//! Tests of the engine over a scripted provider, with time paused.

mod account;
mod fleet;
mod hands;
mod holds;
mod listings;
mod looks;
mod news;
mod orders;
mod provider;
mod support;
mod trail;
mod untold;
