//! Operators and what they may do.

use serde::{Deserialize, Serialize};

/// What an operator's token allows. Roles have no order: see [`Role::allows`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// `GET /metrics` and nothing else: for a scraper.
    Scrape,
    /// Writes series and nothing else: for a sender, who reads nothing.
    Writer,
    /// Sees everything, and changes nothing.
    Viewer,
    /// Registers agents, queues commands, sets configurations, writes series.
    Operator,
    /// Removes.
    Admin,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Scrape, Self::Writer, Self::Viewer, Self::Operator, Self::Admin];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scrape => "scrape",
            Self::Writer => "writer",
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }

    /// The role of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == word)
    }

    /// Whether a token of this role opens a door that asks for `asked`: operators and admins may do what the roles before
    /// them may. Who only writes reads nothing, not even the hub's figures, and who only looks writes nothing.
    pub const fn allows(self, asked: Self) -> bool {
        match asked {
            Self::Scrape => !matches!(self, Self::Writer),
            Self::Writer => matches!(self, Self::Writer | Self::Operator | Self::Admin),
            Self::Viewer => matches!(self, Self::Viewer | Self::Operator | Self::Admin),
            Self::Operator => matches!(self, Self::Operator | Self::Admin),
            Self::Admin => matches!(self, Self::Admin),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_opens_its_doors_and_no_others() {
        use Role::*;
        for (role, opens) in [
            (Scrape, &[Scrape][..]),
            (Writer, &[Writer]),
            (Viewer, &[Scrape, Viewer]),
            (Operator, &[Scrape, Writer, Viewer, Operator]),
            (Admin, &Role::ALL),
        ] {
            let opened: Vec<_> = Role::ALL.into_iter().filter(|&asked| role.allows(asked)).collect();
            assert_eq!(opened, opens, "{role:?}");
            assert_eq!(Role::from_word(role.as_str()), Some(role));
        }
    }
}
