//! What can go wrong with agents.

use super::ENROLMENT_AGE_SECONDS_MAX;
use crate::{standing::NotLiving, storage::StorageError};
use pingup_protocol::{labels::TooManyLabels, limits::FUTURE_SECONDS_MAX};

/// Why an agent was not read, made, changed, removed or heard.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// No such agent, or only its tombstone.
    #[error(transparent)]
    NotLiving(#[from] NotLiving),
    /// Unknown, or the enrolment was not signed with it; which of the two is not said.
    #[error(
        "the join token is unknown here, or the enrolment was not signed with it; make a new one with \
             `pingup-server join-token create`"
    )]
    JoinTokenInvalid,
    /// Its time is over.
    #[error("the join token has expired; make a new one with `pingup-server join-token create`")]
    JoinTokenExpired,
    /// Its uses are used.
    #[error("every use of the join token is used; make a new one with `pingup-server join-token create`")]
    JoinTokenExhausted,
    /// One machine, one agent.
    #[error(
        "this machine is enrolled as {agent_id}; run the agent with the state it kept, or, if that is lost, with a \
             token of `pingup-server join-token create --replace ID`, which removes that agent; on a copied disk run \
             `pingup-agent reset` instead"
    )]
    MachineEnrolled {
        /// Under which id.
        agent_id: String,
    },
    /// Ids are not used twice.
    #[error("the agent id {0} was used before, and none is used twice; choose another")]
    IdRetired(String),
    /// There is nothing to rotate.
    #[error(
        "agent {0:?} has no keys, since they were called compromised; give it others with \
             `pingup-server join-token create --rekey {0}`"
    )]
    NoKeys(String),
    /// The agent would have more labels than it may.
    #[error(transparent)]
    TooManyLabels(#[from] TooManyLabels),
    /// The sender's clock is ahead.
    #[error(
        "the timestamp lies more than {FUTURE_SECONDS_MAX} s ahead of the hub's clock (serverTime); correct \
             the clock, or the offset, and sign anew"
    )]
    TimestampInFuture,
    /// An enrolment that took too long, or a clock that is behind.
    #[error(
        "made at most {ENROLMENT_AGE_SECONDS_MAX} s ago by the hub's clock (serverTime) expected; correct the \
             clock, or the offset, and sign anew"
    )]
    EnrolmentTooOld,
    /// The records could not be read or written.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl From<rusqlite::Error> for RegistryError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Storage(error.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pingup_protocol::{limits::AGENT_ID_CHARS_MAX, problem::DETAIL_CHARS_MAX};

    #[test]
    fn agents_repeat_what_is_refused_whole() {
        let id = "i".repeat(AGENT_ID_CHARS_MAX);
        let enrolled = RegistryError::MachineEnrolled { agent_id: id.clone() };
        assert!(enrolled.to_string().contains("`pingup-agent reset`"), "{enrolled}");
        let refusals = [
            enrolled,
            RegistryError::NotLiving(NotLiving::Unknown(id.clone())),
            RegistryError::NotLiving(NotLiving::Removed(id.clone())),
            RegistryError::JoinTokenInvalid,
            RegistryError::JoinTokenExpired,
            RegistryError::JoinTokenExhausted,
            RegistryError::IdRetired(id.clone()),
            RegistryError::NoKeys(id),
            RegistryError::TooManyLabels(TooManyLabels),
            RegistryError::TimestampInFuture,
            RegistryError::EnrolmentTooOld,
        ];
        for refusal in refusals {
            let detail = refusal.to_string();
            assert!(
                detail.chars().count() <= DETAIL_CHARS_MAX,
                "{} characters: {detail}",
                detail.chars().count()
            );
        }
    }
}
