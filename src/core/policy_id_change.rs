//! A policy may switch to its server's other id, even before a listing has shown both ids. The
//! history, with its open calls and its pause, belongs to the server under either id.

use super::policy::Policy;
use super::second_server_id::NameField;
use super::server_history::ServerHistory;
use super::snapshot::ServerId;

/// How certain it is that two ids belong to one server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdChange {
    /// The provider has shown both ids, or gives the server the name that the policy states.
    Certain,
    /// The same policy file names a server by the other kind of id, and nothing shows that it is
    /// another server.
    Assumed,
}

impl ServerHistory {
    /// Returns true if nothing would be lost by treating the server as a new one.
    pub fn is_empty(&self) -> bool {
        self.is_new() && self.paused.is_none() && self.alerts.is_empty()
    }

    /// Stores the policy file that the server's last record in the trail names.
    pub(crate) fn note_policy(&mut self, file: Option<&str>) {
        if file.is_some() && self.policy.as_deref() != file {
            self.policy = file.map(Into::into);
        }
    }

    /// Returns the former stem of the policy file, if the file has been renamed.
    pub fn renamed_policy(&self, file: &str) -> Option<&str> {
        self.policy.as_deref().filter(|former| *former != file)
    }

    /// Returns how certain it is that the policy names the server of this history, whose id was
    /// `former` until now. Returns `None` if it names another server.
    pub fn id_change(&self, former: &ServerId, policy: &Policy) -> Option<IdChange> {
        if let Some(other) = self.other_id() {
            return (*other == policy.server).then_some(IdChange::Certain);
        }
        if former.is_same_kind(&policy.server) || self.policy.as_deref() != Some(&policy.file) {
            return None;
        }
        let (Some(answered), Some(name)) = (&self.answered_name, &policy.name) else {
            return Some(IdChange::Assumed);
        };
        let identity = self.identity.as_deref();
        let by_hostname = identity.and_then(|known| known.named_by) == Some(NameField::Hostname);
        if answered == name {
            Some(IdChange::Certain)
        } else {
            by_hostname.then_some(IdChange::Assumed)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::second_server_id::ServerIdentity;
    use crate::core::test_provider::TestProvider;

    fn id(text: &str) -> ServerId {
        text.parse().expect("an id")
    }

    /// Returns a history of server 1, and the test's policy, which now names the server by a UUID.
    fn renamed() -> (ServerHistory, Policy) {
        let mut policy = TestProvider::weekly(2).policy;
        policy.server = id("6f1c-a");
        let mut history = ServerHistory::default();
        history.note_policy(Some(&policy.file));
        (history, policy)
    }

    #[test]
    fn another_kind_of_id_in_the_same_file_names_the_same_server() {
        let (mut history, mut policy) = renamed();
        let change = |history: &ServerHistory, policy: &Policy| history.id_change(&id("1"), policy);
        assert_eq!(change(&history, &policy), Some(IdChange::Assumed));
        policy.name = Some("web".to_owned());
        assert_eq!(change(&history, &policy), Some(IdChange::Assumed));
        history.answered_name = Some("web".to_owned());
        assert_eq!(change(&history, &policy), Some(IdChange::Certain));
        history.answered_name = Some("db".to_owned());
        assert_eq!(
            change(&history, &policy),
            None,
            "the provider gives another name"
        );
        history.identity = Some(Box::new(ServerIdentity {
            other_id: None,
            named_by: Some(NameField::Hostname),
        }));
        assert_eq!(change(&history, &policy), Some(IdChange::Assumed));
    }

    #[test]
    fn another_server_is_never_mistaken_for_the_server_of_the_history() {
        let (history, policy) = renamed();
        assert_eq!(
            history.id_change(&id("6f1c-b"), &policy),
            None,
            "the ids are of one kind"
        );
        let mut elsewhere = policy.clone();
        elsewhere.file = "db".to_owned();
        assert_eq!(
            history.id_change(&id("1"), &elsewhere),
            None,
            "the policy is in another file"
        );
        let shown = |other: &str| ServerHistory {
            identity: Some(Box::new(ServerIdentity {
                other_id: Some(id(other)),
                named_by: None,
            })),
            ..history.clone()
        };
        assert_eq!(shown("6f1c-b").id_change(&id("1"), &policy), None);
        let (certain, elsewhere) = (Some(IdChange::Certain), &elsewhere);
        assert_eq!(shown("6f1c-a").id_change(&id("1"), elsewhere), certain);
    }
}
