//! A token's row: what is kept of it, which is not its text.

use crate::{
    auth::{digest::TokenDigest, role::Role, token::OperatorToken},
    deed::{Act, By, Deed},
};
use pingup_protocol::time::Timestamp;

/// A token as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What it is called by.
    pub id: String,
    /// By which its text is known.
    pub digest: TokenDigest,
    /// Whose it is.
    pub name: String,
    /// What it allows.
    pub role: Role,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Who made it; nobody: the command line.
    pub made_by: Option<Maker>,
    /// It was made before tokens had rows.
    pub is_former: bool,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// Who revoked it; nobody: the command line.
    pub revoked_by: Option<String>,
    /// When it opened a door last, as far as it was written down.
    pub used_at: Option<Timestamp>,
    /// From where.
    pub used_from: Option<String>,
}

/// An operator who made a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Maker {
    /// Their name.
    pub name: String,
    /// The token they came with, if it has a row.
    pub token_id: Option<String>,
}

impl Row {
    /// The row of a token that is made now.
    pub fn new(token: &OperatorToken, digest: TokenDigest, made_by: Option<Maker>) -> Self {
        Self {
            id: token.id.clone(),
            digest,
            name: token.operator.name.clone(),
            role: token.operator.role,
            created_at: token.made_at,
            expires_at: token.expires_at,
            made_by,
            is_former: false,
            revoked_at: None,
            revoked_by: None,
            used_at: None,
            used_from: None,
        }
    }

    /// What was done with it, for the audit.
    pub fn deed<'a>(&self, act: Act, by: &'a By, at: Timestamp) -> Deed<'a> {
        let deed = Deed::new(act, by, at).on(&self.id).with("name", &*self.name);
        deed.with("role", self.role.as_str()).with("expiresAt", self.expires_at.to_string())
    }

    /// Whether it opens doors.
    pub fn is_good(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && now < self.expires_at
    }
}
