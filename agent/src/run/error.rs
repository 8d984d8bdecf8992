//! Why an agent ended that nobody told to.

use crate::{
    enrol::EnrolError,
    exit::Exit,
    join_token::JoinTokenFileError,
    spool::SpoolError,
    state::StateError,
    transport::{Revoked, TlsError},
};
use std::io;

/// Why an agent ended that nobody told to.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The hub cannot be known by what was said.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The state cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// The spool cannot be used.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// Signals cannot be heard.
    #[error("cannot listen for signals: {0}")]
    Signals(io::Error),
    /// There is no identity, and nothing to get one with.
    #[error(
        "this machine is not enrolled (nothing in {0}); make a join token on the hub with \
         `pingup-server join-token create` and give it with --join-token or PINGUP_JOIN_TOKEN"
    )]
    NoJoinToken(std::path::PathBuf),
    /// There is none any more, and the mark of a copy is still there.
    #[error("{0} is what a `pingup-agent reset` left that was cut short; call it again")]
    HalfReset(std::path::PathBuf),
    /// What was to enrol it is no token.
    #[error(transparent)]
    JoinToken(#[from] JoinTokenFileError),
    /// The hub would not have this machine.
    #[error("cannot enrol: {0}")]
    NotEnrolled(#[from] EnrolError),
    /// The hub revoked this agent.
    #[error(
        "{0}; nothing is sent any more. To come back as a new agent: empty the state directory, and enrol with a new join \
         token; as the same one, where only its keys were dropped: delete identity*.json in it, and enrol with one of \
         `pingup-server join-token create --rekey ID`"
    )]
    Revoked(#[from] Revoked),
}

impl From<&RunError> for Exit {
    fn from(error: &RunError) -> Self {
        match error {
            RunError::State(_) | RunError::Spool(_) | RunError::Signals(_) => Self::Io,
            RunError::Tls(_) | RunError::NoJoinToken(_) | RunError::JoinToken(_) => Self::Usage,
            RunError::NotEnrolled(_) | RunError::HalfReset(_) => Self::NotEnrolled,
            RunError::Revoked(_) => Self::Revoked,
        }
    }
}
