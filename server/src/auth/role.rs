//! Operators and what they may do.

use serde::{Deserialize, Serialize};

/// What an operator's token allows; each role allows all that stands before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// `GET /metrics` and nothing else: for a scraper.
    Scrape,
    /// Sees everything.
    Viewer,
    /// Registers agents, queues commands, sets configurations.
    Operator,
    /// Removes.
    Admin,
}

impl Role {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scrape => "scrape",
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }

    /// The role of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Scrape, Self::Viewer, Self::Operator, Self::Admin]
            .into_iter()
            .find(|role| role.as_str() == word)
    }
}

/// An operator whose token was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    /// The name the token was made with.
    pub name: String,
    /// What it allows.
    pub role: Role,
}
