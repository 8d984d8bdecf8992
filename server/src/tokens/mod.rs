//! Operators' tokens over the API: admins list, make and revoke them. What a token is, and how one is known when it
//! comes, is told at [`crate::auth::operators`]; the command line does the same beside a hub or without one.
//!
//! # Refuses
//! A role that the maker's own does not allow; names and times that no token may have; more tokens than there may be.

pub mod handler;
#[cfg(test)]
mod tests;
mod view;

pub use view::{MadeBy, TokenStatus, TokenView};

use crate::auth::{
    Role,
    operators::{NAME_BYTES_MAX, TTL_SECONDS_MAX, is_name},
};
use pingup_protocol::schema::{Checked, SchemaError};
use serde::{Deserialize, Serialize};

/// `POST /api/v1/tokens`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TokenBody {
    /// What it is to allow; not more than the maker's own role does.
    pub role: Role,
    /// Whose it is, as it will stand beside what they change; the role, if left out.
    #[serde(default)]
    pub name: Option<String>,
    /// How long it lives. Left out: 12 hours for an operator or admin, else 30 days.
    #[serde(default)]
    pub ttl_seconds: Option<i64>,
}

impl Checked for TokenBody {
    fn check(&self) -> Result<(), SchemaError> {
        if self.name.as_deref().is_some_and(|name| !is_name(name)) {
            let detail = format!(
                "1 to {NAME_BYTES_MAX} bytes expected, without control characters or turns of direction"
            );
            return Err(SchemaError::at("/name", detail));
        }
        if self.ttl_seconds.is_some_and(|seconds| !(1..=TTL_SECONDS_MAX).contains(&seconds)) {
            return Err(SchemaError::at("/ttlSeconds", format!("1 to {TTL_SECONDS_MAX} expected")));
        }
        Ok(())
    }
}

/// The answer to a token that was made.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Made {
    /// What is kept of it.
    pub token: TokenView,
    /// The token itself, for `Authorization: Bearer`; shown this once.
    pub bearer: String,
}
