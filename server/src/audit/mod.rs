//! The audit: what was done to this hub, by whom, from where, when, and what came of it, as rows that are only added.
//!
//! # The story
//! Every room that changes something calls [`store::record`], as the function that `app` handed to it, inside the write
//! that the change is: both are on disk, or neither. Each row has the SHA-256 of the hash before it and of its own
//! canonical bytes (RFC 8785 of what the API tells of it, without `hash`). So whoever knows the last hash knows all rows:
//! none can be changed, taken out, or put elsewhere without its being seen ([`walk`]). The first goes on from a random
//! value that each hub makes for itself.
//!
//! What is refused for want of a right (401, 403, 429) changes nothing and has no write to be in. It is counted in memory
//! ([`refused`]) and written down once a minute, folded, so that a flood of it does not fill the disk.
//!
//! # Promises
//! Rows are never deleted or changed; SQLite itself refuses that. They hold no secret: of parameters and configurations
//! there is a digest alone. Whoever can write the file can make the whole chain anew; against that helps a head that is
//! kept elsewhere.

pub mod guards;
pub mod handler;
pub mod refused;
pub mod store;
#[cfg(test)]
mod tests;
pub mod walk;

pub use crate::deed::DETAIL_BYTES_MAX;
pub use handler::Audit;

use crate::deed::{Act, hex};
use pingup_protocol::{canonical, time::Timestamp};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

/// Bytes of a hash.
pub const HASH_BYTES: usize = 32;
/// What came of a deed that was done.
pub const DONE: &str = "done";
/// Bytes of the name of whoever did something; what is longer is cut.
pub const NAME_BYTES_MAX: usize = 256;

/// A row's hash.
pub type Hash = [u8; HASH_BYTES];

/// A row of the audit.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Its place in the chain, from 1.
    pub seq: u64,
    /// When, by the hub's clock.
    pub at: Timestamp,
    /// What was done; the list is closed, and grows with versions.
    #[schema(schema_with = acts)]
    pub act: String,
    /// What kind of doer: operator, agent, join-token, command-line, hub, unknown.
    pub by: String,
    /// The doer's name: an operator's, an agent's or a join token's id, a user of the hub's machine; `*` or `oidc:*` for
    /// several of that kind who were refused and are counted together.
    pub who: Option<String>,
    /// The role an operator had.
    pub role: Option<String>,
    /// From which address; null where no network is between, and where several are counted as one.
    pub from: Option<String>,
    /// The agent it was done to.
    pub agent_id: Option<String>,
    /// What else it was done to: a command, a batch, a token.
    pub on: Option<String>,
    /// What there is to say of it, by act.
    #[schema(value_type = Object)]
    pub detail: Box<RawValue>,
    /// `done`, or the name of the refusal.
    pub result: String,
    /// How often: refusals are counted.
    pub times: u64,
    /// SHA-256 over the hash before it and the canonical rest of this; hexadecimal.
    #[serde(serialize_with = "as_hex")]
    #[schema(value_type = String)]
    pub hash: Hash,
}

/// The words of all acts, and what each means.
fn acts() -> Object {
    let words = Act::ALL.iter().map(|act| act.as_str());
    let explained: Vec<_> =
        Act::ALL.iter().map(|act| format!("- `{}`: {}", act.as_str(), act.what())).collect();
    let description =
        format!("What was done; the list is closed, and grows with versions.\n\n{}", explained.join("\n"));
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(words))
        .description(Some(description))
        .build()
}

fn as_hex<S: Serializer>(hash: &Hash, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&hex(hash))
}

/// What there is of an entry before its hash; the members of [`Entry`].
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Told<'a> {
    seq: u64,
    at: Timestamp,
    act: &'a str,
    by: &'a str,
    who: Option<&'a str>,
    role: Option<&'a str>,
    from: Option<&'a str>,
    agent_id: Option<&'a str>,
    on: Option<&'a str>,
    detail: &'a RawValue,
    result: &'a str,
    times: u64,
}

impl Entry {
    /// The hash that belongs to it behind a row that has `previous`; none where its detail is no JSON that can be signed.
    pub fn hash_behind(&self, previous: &Hash) -> Option<Hash> {
        let told = Told {
            seq: self.seq,
            at: self.at,
            act: &self.act,
            by: &self.by,
            who: self.who.as_deref(),
            role: self.role.as_deref(),
            from: self.from.as_deref(),
            agent_id: self.agent_id.as_deref(),
            on: self.on.as_deref(),
            detail: &self.detail,
            result: &self.result,
            times: self.times,
        };
        let text = serde_json::to_vec(&told).ok()?;
        let canonical = canonical::rewrite(&text).ok()?;
        Some(Sha256::new().chain_update(previous).chain_update(canonical.bytes).finalize().into())
    }

    /// What it takes in an answer, about.
    fn bytes(&self) -> usize {
        /// Names of members, and what has a length of its own.
        const REST: usize = 300;
        REST + self.detail.get().len() + self.who.as_ref().map_or(0, String::len)
    }
}

/// The end of the chain: who keeps it elsewhere can tell later that nothing before it was touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Head {
    /// How many rows there are.
    pub count: u64,
    /// The hash of the last one, or where the chain begins; hexadecimal.
    #[serde(serialize_with = "as_hex")]
    #[schema(value_type = String)]
    pub hash: Hash,
}
