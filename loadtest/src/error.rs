//! Why there was no run. One line each, for people; [`LoadError`] ends the program with exit code 1.

use crate::{answer::Answer, client::ClientError};

/// Why there was no run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    /// The system gave no threads.
    #[error("the runtime cannot start: {0}")]
    Runtime(std::io::Error),
    /// No answer.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// An answer that says no.
    #[error("{what}: the hub answered {status}: {detail}")]
    Refused {
        /// What was asked for.
        what: &'static str,
        /// The HTTP status.
        status: u16,
        /// What it said.
        detail: String,
    },
    /// An answer that cannot be read.
    #[error("{what}: the hub's answer makes no sense here: {reason}")]
    Senseless {
        /// What was asked for.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// An answer that is not the protocol's.
    #[error("registering agents: the hub answered 201 without credentials that can be used: {0}")]
    Credentials(String),
    /// The hub's program did not do what it was to do.
    #[error("{program}: {reason}")]
    Program {
        /// Which program.
        program: String,
        /// What happened.
        reason: String,
    },
    /// A folder or file of ours.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// There is nothing to ask about.
    #[error("{0}")]
    Nothing(&'static str),
    /// More connections than the system lets a process have.
    #[error(
        "this takes {needed} open files and the system grants {granted}: raise its limit (ulimit -Hn), keep fewer \
             connections (--lines 1), or take fewer --agents"
    )]
    OpenFiles {
        /// How many it takes.
        needed: usize,
        /// How many there are.
        granted: u64,
    },
    /// What was waited for did not come.
    #[error("{0}")]
    Waited(String),
    /// A task of ours died.
    #[error("a connection's task died: {0}")]
    Task(#[from] tokio::task::JoinError),
}

impl LoadError {
    /// What the hub said instead of yes.
    pub(crate) fn refused(what: &'static str, answer: &Answer<'_>) -> Self {
        let said = answer.problem().map(|problem| problem.detail);
        let detail = said.unwrap_or_else(|| "no more is known".to_owned());
        Self::Refused { what, status: answer.status, detail }
    }
}
