//! A token as it is shown.

use crate::auth::{
    Role,
    operators::{Use, store::Row},
};
use pingup_protocol::time::Timestamp;
use serde::Serialize;

/// Whether a token opens doors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TokenStatus {
    /// It does.
    Active,
    /// Its time is over.
    Expired,
    /// Somebody revoked it.
    Revoked,
}

/// Who made a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MadeBy {
    /// Their name.
    pub name: String,
    /// The token they came with.
    pub token_id: Option<String>,
}

/// A token, without what would make it one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TokenView {
    /// What it is called by.
    pub id: String,
    /// Whose it is.
    pub name: String,
    /// What it allows.
    pub role: Role,
    /// Whether it opens doors now.
    pub status: TokenStatus,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Who made it; null: the command line.
    pub made_by: Option<MadeBy>,
    /// It was made before tokens had rows, and taken in when it came.
    pub former: bool,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// Who revoked it; null beside `revokedAt`: the command line.
    pub revoked_by: Option<String>,
    /// When it opened a door last.
    pub last_used_at: Option<Timestamp>,
    /// From which address.
    pub last_used_from: Option<String>,
}

impl TokenView {
    /// A row, seen `now`; `newest` is its last use, if that is known better than the row says.
    pub fn new(row: Row, newest: Option<Use>, now: Timestamp) -> Self {
        let status = match (row.revoked_at, row.is_good(now)) {
            (Some(_), _) => TokenStatus::Revoked,
            (None, true) => TokenStatus::Active,
            (None, false) => TokenStatus::Expired,
        };
        let written = row.used_at.zip(row.used_from);
        let used = newest.map(|Use { at, from }| (at, from.to_string())).or(written).unzip();
        Self {
            id: row.id,
            name: row.name,
            role: row.role,
            status,
            created_at: row.created_at,
            expires_at: row.expires_at,
            made_by: row.made_by.map(|maker| MadeBy { name: maker.name, token_id: maker.token_id }),
            former: row.is_former,
            revoked_at: row.revoked_at,
            revoked_by: row.revoked_by,
            last_used_at: used.0,
            last_used_from: used.1,
        }
    }
}
