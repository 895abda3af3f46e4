//! The events whose records name the policy by which they came about.

use super::server_event::ServerEvent;

impl ServerEvent {
    /// Returns true for events whose record names the policy: added and changed rotations, renamed
    /// policy files, pauses and intents.
    pub fn is_by_policy(&self) -> bool {
        matches!(
            self,
            Self::RotationAdded { .. }
                | Self::PolicyRenamed { .. }
                | Self::RotationChanged { .. }
                | Self::CreateIntent { .. }
                | Self::DeleteIntent { .. }
                | Self::RestoreIntent { .. }
                | Self::StopIntent { .. }
                | Self::StartIntent { .. }
                | Self::Paused(_)
        )
    }
}
