//! What somebody did to this hub, in the words of the audit. Every room does deeds and one room keeps them: it hands a
//! [`Record`] to the others, which they call inside the write that the deed is. So there is no deed without its row, and
//! no row without its deed.

mod act;

pub use act::Act;

use crate::auth::{Operator, Role};
use pingup_protocol::{
    ids::AgentId,
    limits::{LABEL_VALUE_BYTES_MAX, LABELS_MAX, NAME_CHARS_MAX},
    problem::ProblemType,
    time::Timestamp,
};
use rusqlite::Connection;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::{fmt::Write, net::IpAddr, sync::Arc};

/// Bytes that a deed's detail may take: some hundred are usual, an agent's labels take most.
pub const DETAIL_BYTES_MAX: usize = 16 * 1024;

/// A label in JSON: every letter of its value may need a backslash.
const LABEL_BYTES_MAX: usize = NAME_CHARS_MAX + 2 * LABEL_VALUE_BYTES_MAX + r#""":"","#.len();
/// What a deed's detail calls the token of the operator who did it.
const TOKEN_ID: &str = "tokenId";
const _: () = assert!(LABELS_MAX * LABEL_BYTES_MAX < DETAIL_BYTES_MAX);

/// Who does something.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Who {
    /// Whoever has this operator's token.
    Operator {
        /// The name in it.
        name: String,
        /// What it allows.
        role: Role,
        /// The token's id, if it has a row: names are given out twice.
        token: Option<String>,
    },
    /// An agent, by its key.
    Agent(AgentId),
    /// Whoever has the join token of this id.
    JoinToken(String),
    /// A user of the hub's machine, at its command line.
    CommandLine(String),
    /// The hub, of itself.
    Hub,
    /// Several of this kind, who are counted together: there were more of them than are told apart.
    Several(&'static str),
    /// Nobody knows.
    Unknown,
}

/// What several are called together, where there are too many.
pub const SEVERAL: &str = "*";

impl Who {
    /// An operator, by the token of this id.
    pub fn operator(operator: Operator, token: Option<&str>) -> Self {
        let Operator { name, role } = operator;
        Self::Operator { name, role, token: token.map(str::to_owned) }
    }

    /// The id of the token that an operator came with.
    pub fn token_id(&self) -> Option<&str> {
        match self {
            Self::Operator { token, .. } => token.as_deref(),
            _ => None,
        }
    }

    /// The word for what kind of doer that is.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Operator { .. } => "operator",
            Self::Agent(_) => "agent",
            Self::JoinToken(_) => "join-token",
            Self::CommandLine(_) => "command-line",
            Self::Hub => "hub",
            Self::Several(kind) => kind,
            Self::Unknown => "unknown",
        }
    }

    /// Its name, where it has one.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Operator { name, .. } | Self::JoinToken(name) | Self::CommandLine(name) => Some(name),
            Self::Agent(id) => Some(id.as_str()),
            Self::Several(_) => Some(SEVERAL),
            Self::Hub | Self::Unknown => None,
        }
    }

    /// The role it had.
    pub const fn role(&self) -> Option<Role> {
        match self {
            Self::Operator { role, .. } => Some(*role),
            _ => None,
        }
    }
}

/// Who did it, and from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct By {
    /// Who.
    pub who: Who,
    /// From which address; none where no network is between.
    pub address: Option<IpAddr>,
}

impl By {
    /// The hub itself.
    pub const HUB: Self = Self { who: Who::Hub, address: None };

    /// Somebody over the network.
    pub fn over(who: Who, address: IpAddr) -> Self {
        Self { who, address: Some(address.to_canonical()) }
    }

    /// For the log; empty where nobody is known.
    pub fn name(&self) -> &str {
        self.who.name().unwrap_or_default()
    }
}

/// Something that was done, or refused.
#[derive(Clone, Debug)]
pub struct Deed<'a> {
    pub(crate) act: Act,
    pub(crate) by: &'a By,
    pub(crate) at: Timestamp,
    pub(crate) agent_id: Option<String>,
    pub(crate) subject: Option<String>,
    pub(crate) detail: Map<String, Value>,
    pub(crate) refused: Option<ProblemType>,
    pub(crate) times: u64,
}

impl<'a> Deed<'a> {
    /// It was done once, just now.
    pub fn new(act: Act, by: &'a By, at: Timestamp) -> Self {
        let token = by.who.token_id().map(|id| (TOKEN_ID.to_owned(), id.into()));
        let detail = token.into_iter().collect();
        Self { act, by, at, agent_id: None, subject: None, detail, refused: None, times: 1 }
    }

    /// To this agent.
    #[must_use]
    pub fn agent(mut self, id: &str) -> Self {
        self.agent_id = Some(id.to_owned());
        self
    }

    /// To this command, batch or token.
    #[must_use]
    pub fn on(mut self, subject: &str) -> Self {
        self.subject = Some(subject.to_owned());
        self
    }

    /// With this detail. No secret may stand in it, nor what may hold one: of such, its [`digest`].
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.detail.insert(name.to_owned(), value.into());
        self
    }

    /// It was not done, and this is why.
    #[must_use]
    pub const fn refused(mut self, kind: ProblemType) -> Self {
        self.refused = Some(kind);
        self
    }

    /// So often.
    #[must_use]
    pub const fn times(mut self, times: u64) -> Self {
        self.times = times;
        self
    }
}

/// Writes a deed down, inside the caller's transaction.
pub type Record = fn(&Connection, &Deed<'_>) -> rusqlite::Result<()>;

/// SHA-256 in hexadecimal: says that something is the same, and not what it is.
pub fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

/// Somebody tried to change something and may not, or too often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// From where.
    pub address: IpAddr,
    /// Who, where a token said so that is one of this hub's.
    pub who: Option<Who>,
    /// What: the method and path of a row of the route table.
    pub route: String,
    /// Why not.
    pub kind: ProblemType,
}

/// Told of every attempt; it must not take long.
pub type TellAttempt = Arc<dyn Fn(Attempt) + Send + Sync>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_one_notation() {
        let by = By::over(Who::Unknown, "::ffff:10.0.0.1".parse().unwrap());
        assert_eq!(by.address, "10.0.0.1".parse().ok());
        assert_eq!(digest(b"").len(), 64);
    }
}
