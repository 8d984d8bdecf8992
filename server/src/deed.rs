//! What somebody did to this hub, in the words of the audit. Every room does deeds and one room keeps them: it hands a
//! [`Record`] to the others, which they call inside the write that the deed is. So there is no deed without its row, and
//! no row without its deed.

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

macro_rules! acts {
    ($(#[doc = $what:literal] $variant:ident $name:literal;)*) => {
        /// What can be done, a closed list: who adds a deed adds its line.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Act { $(#[doc = $what] $variant,)* }

        impl Act {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The word for it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What that is, a sentence.
            pub const fn what(self) -> &'static str {
                match self { $(Self::$variant => $what.trim_ascii(),)* }
            }
        }
    };
}

acts! {
    /// An operator registered an agent.
    AgentRegistered "agent.registered";
    /// A machine enrolled itself with a join token.
    AgentEnrolled "agent.enrolled";
    /// A machine came with a join token made by `--rekey`: the agent stays who it is, with keys anew, and all before are dead.
    AgentRekeyed "agent.rekeyed";
    /// An operator changed an agent's name, metadata or labels.
    AgentChanged "agent.changed";
    /// An agent is gone, and its keys are dead: by an operator, or for the one that took its place.
    AgentRemoved "agent.removed";
    /// An agent is offered the next generation of its keys: an operator asked, the last was too old, or comes from the former master key.
    KeysOffered "keys.offered";
    /// The first message under keys that were offered: they are in use, and those before come to their end.
    KeysUsed "keys.used";
    /// Generations that came to their end, all of a sweep.
    KeysEnded "keys.ended";
    /// An operator called an agent's keys compromised: all are dead.
    KeysCompromised "keys.compromised";
    /// A command for one agent was queued.
    CommandQueued "command.queued";
    /// A command was taken back, or its agent asked to end it.
    CommandCancelled "command.cancelled";
    /// A command of no batch ended, by its agent's word.
    CommandEnded "command.ended";
    /// Commands that time alone ended, all of a sweep.
    CommandsLapsed "commands.lapsed";
    /// A command for many agents was queued, in one write.
    BatchQueued "batch.queued";
    /// What of a batch was not over was taken back.
    BatchCancelled "batch.cancelled";
    /// All commands of a batch are over.
    BatchEnded "batch.ended";
    /// An agent got a new version of its configuration.
    ConfigSet "config.set";
    /// An operator's token was made.
    TokenCreated "token.created";
    /// An operator's token was revoked.
    TokenRevoked "token.revoked";
    /// An operator's token that was made before tokens had rows came, and was taken in.
    TokenTakenIn "token.taken-in";
    /// A join token was made, for machines that enrol.
    JoinTokenCreated "join-token.created";
    /// Another master key is in force.
    MasterKeyRotated "master-key.rotated";
    /// The former master key was destroyed: nothing came from it any more, or what did was ended.
    MasterKeyRetired "master-key.retired";
    /// The master key's file was sealed with a passphrase.
    MasterKeySealed "master-key.sealed";
    /// The seal was taken off the master key's file.
    MasterKeyUnsealed "master-key.unsealed";
    /// The running hub took up another certificate.
    CertificateReplaced "certificate.replaced";
    /// The records were restored from a backup, into a new data folder.
    RecordsRestored "records.restored";
    /// Damaged files of the history were taken out.
    HistoryDropped "history.dropped";
    /// An operator deleted series that others wrote.
    SeriesDeleted "series.deleted";
    /// Somebody tried what they may not.
    RequestRefused "request.refused";
}

impl Act {
    /// The act of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|act| act.as_str() == word)
    }
}

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
    /// Nobody knows.
    Unknown,
}

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
            Self::Unknown => "unknown",
        }
    }

    /// Its name, where it has one.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Operator { name, .. } | Self::JoinToken(name) | Self::CommandLine(name) => Some(name),
            Self::Agent(id) => Some(id.as_str()),
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
    fn acts_are_known_by_their_words_and_no_two_have_one() {
        for (place, act) in Act::ALL.iter().enumerate() {
            assert_eq!(Act::from_word(act.as_str()), Some(*act));
            assert!(Act::ALL[..place].iter().all(|before| before.as_str() != act.as_str()));
        }
        assert_eq!(Act::from_word("agent"), None);
    }

    #[test]
    fn every_act_is_explained_where_operators_read() {
        let (_, told) = include_str!("../../docs/operations.md").split_once("## Who did what").unwrap();
        let (told, _) = told.split_once("\n## ").unwrap();
        let rows: Vec<_> = told.lines().filter_map(|line| line.strip_prefix("| `")).collect();
        for act in Act::ALL {
            let of_it: Vec<_> = rows
                .iter()
                .filter(|row| row.split_once('`').is_some_and(|row| row.0 == act.as_str()))
                .collect();
            assert_eq!(of_it.len(), 1, "{} has its row", act.as_str());
            assert!(of_it[0].contains(act.what()), "{}: {}", act.as_str(), act.what());
        }
        assert_eq!(rows.len(), Act::ALL.len(), "and nothing else has one");
    }

    #[test]
    fn an_address_has_one_notation() {
        let by = By::over(Who::Unknown, "::ffff:10.0.0.1".parse().unwrap());
        assert_eq!(by.address, "10.0.0.1".parse().ok());
        assert_eq!(digest(b"").len(), 64);
    }
}
