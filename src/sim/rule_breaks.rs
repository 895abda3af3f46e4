//! Deliberately broken rules whose input comes from outside the core: policies, settings, answers.

use std::sync::Arc;

use jiff::SignedDuration;

use super::ids;
use crate::api::{ApiError, ErrorKind};
use crate::core::deliberate_breaks::Break;
use crate::core::policy::{Policy, Rules};

/// Returns the policy that the engine gets. The judge keeps the unaltered one.
pub(super) fn altered_policy(policy: Arc<Policy>) -> Arc<Policy> {
    let mut altered = Policy::clone(&policy);
    if Break::ProtectionIgnored.on() {
        altered.protected_names.clear();
        altered.protected_ids.clear();
    } else if Break::NoMinimum.on() {
        altered.min_completed = 0;
    } else if Break::KeepOneLess.on() {
        let rotations = altered.rotations.iter_mut();
        rotations.for_each(|rotation| rotation.keep = rotation.keep.saturating_sub(1));
    } else if Break::BeforeLeftOut.on() {
        let rotations = altered.rotations.iter_mut();
        rotations.for_each(|rotation| rotation.hooks = None);
    } else if Break::StopLeftOut.on() {
        let rotations = altered.rotations.iter_mut();
        rotations.for_each(|rotation| rotation.stop = None);
    } else if Break::IdEditForgotten.on() && ids::is_other(&policy.server) {
        altered.file.push_str("-renamed");
    } else {
        return policy;
    }
    Arc::new(altered)
}

/// Returns the settings that the engine gets.
pub(super) fn altered_settings(mut rules: Rules) -> Rules {
    if Break::NoRoomCheck.on() {
        rules.limit = usize::MAX;
    }
    if Break::NoSettleWindow.on() {
        rules.settle_window = SignedDuration::ZERO;
    }
    rules
}

/// Returns the error that the engine gets.
pub(super) fn altered_error(mut error: ApiError) -> ApiError {
    if Break::BlindRetry.on() && error.kind == ErrorKind::Unknown {
        error.kind = ErrorKind::Later;
    }
    error
}
