//! The provider's calls for an operator: `create`, `delete`, `restore`.
//!
//! What a command shows is asked of the provider first. The change itself goes through the
//! running service, which looks again and refuses what has changed since; where none runs,
//! this process takes the lock and does the same.

mod confirm;
mod create;
mod delete;
mod resolve;
mod restore;
mod wait;

pub use create::{Create, create};
pub use delete::{Delete, delete};
pub use restore::{Restore, restore};
