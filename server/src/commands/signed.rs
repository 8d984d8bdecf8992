//! Orders that an operator signed: what of them stands in the body of a new command, and whether it was signed for what
//! that body asks.
//!
//! The hub needs to know no operator's key: an order names the public key that it verifies with. Whether that key may give
//! orders is the agent's to judge. Checked here is what would make every agent refuse it, so that its operator hears at once.

use super::{BATCH_PARAMS_BYTES_MAX, CommandBody, CommandsError};
use pingup_protocol::{
    ids::AgentId,
    limits::{COMMAND_TTL_SECONDS_MAX, ORDER_AGENTS_MAX},
    order::{Asked, KeyId, Order, OrderError, Signature, check_nonce, whole_seconds},
    schema::SchemaError,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

/// What an operator signed: `signature` for `agentId`, or `signatures` for `agentIds`, in their order.
#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignedBody {
    /// The public key that it verifies with.
    pub key_id: KeyId,
    /// 1 to 128 visible ASCII characters; an agent takes each once.
    pub nonce: String,
    /// When it may no longer be begun: UTC in whole seconds, exactly `YYYY-MM-DDTHH:MM:SSZ`.
    #[serde(deserialize_with = "whole_seconds")]
    #[schema(value_type = String)]
    pub expires_at: Timestamp,
    /// Ed25519 over what is asked of `agentId`, 64 bytes in base64.
    #[serde(default)]
    pub signature: Option<Signature>,
    /// One for each of `agentIds`.
    #[serde(default)]
    pub signatures: Option<Vec<Signature>>,
}

/// The order of a batch: a signature for each of its agents, in the order of their ids.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SignedBatch {
    key_id: KeyId,
    nonce: String,
    expires_at: Timestamp,
    signatures: Vec<Signature>,
}

impl SignedBatch {
    /// Whose word it is.
    pub const fn key_id(&self) -> &KeyId {
        &self.key_id
    }

    /// When none of it may be begun any more.
    pub const fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// All signatures, in the order of the agents' ids.
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// The order to the agent at `place` among those who were asked.
    pub fn to_agent(&self, place: usize) -> Option<Order> {
        let Self { key_id, nonce, expires_at, signatures } = self;
        let signature = signatures.get(place)?.clone();
        Some(Order { key_id: *key_id, nonce: nonce.clone(), expires_at: *expires_at, signature })
    }
}

impl SignedBody {
    /// Whether it has the form that `body` needs, in which it stands.
    pub(super) fn check(&self, body: &CommandBody) -> Result<(), SchemaError> {
        if body.ttl_seconds.is_some() {
            return Err(SchemaError::at(
                "/ttlSeconds",
                "absent expected: the order itself says when it expires",
            ));
        }
        check_nonce("/order/nonce", &self.nonce)?;
        let many = "a signature for each of agentIds expected, in their order, as signatures";
        match (&body.agent_id, &body.agent_ids, &self.signature, &self.signatures) {
            (Some(_), None, Some(_), None) => Ok(()),
            (Some(_), ..) => Err(SchemaError::at("/order", "one signature expected, and no signatures")),
            (None, Some(agents), ..) if agents.len() > ORDER_AGENTS_MAX => {
                let detail = format!("at most {ORDER_AGENTS_MAX} agents in a signed batch expected");
                Err(SchemaError::at("/agentIds", detail))
            }
            (None, Some(agents), None, Some(signatures)) if agents.len() == signatures.len() => Ok(()),
            (None, Some(_), ..) => Err(SchemaError::at("/order/signatures", many)),
            (None, None, ..) => {
                let detail = "agentId or agentIds expected beside an order: with a selector the hub would choose who is meant, \
                              and that is what a signature is to prevent";
                Err(SchemaError::at("/order", detail))
            }
        }
    }

    /// The order to one agent.
    pub(super) fn into_one(self) -> Option<Order> {
        let Self { key_id, nonce, expires_at, signature, .. } = self;
        signature.map(|signature| Order { key_id, nonce, expires_at, signature })
    }

    /// The order to `agents`, with its signatures in the order of the ids, in which the agents are put too.
    pub(super) fn into_batch(self, agents: &mut Vec<AgentId>) -> Option<SignedBatch> {
        let Self { key_id, nonce, expires_at, signatures, .. } = self;
        let mut pairs: Vec<_> = std::mem::take(agents).into_iter().zip(signatures?).collect();
        pairs.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        let (sorted, signatures) = pairs.into_iter().unzip();
        *agents = sorted;
        Some(SignedBatch { key_id, nonce, expires_at, signatures })
    }
}

/// Whether what is signed in `body`, if anything, is what `body` asks, and can still be begun at `now`. Takes a moment for
/// each agent of a batch.
pub fn verify_order(body: &CommandBody, now: Timestamp) -> Result<(), CommandsError> {
    let Some(order) = &body.order else { return Ok(()) };
    let latest = now.plus_seconds(i64::try_from(COMMAND_TTL_SECONDS_MAX).unwrap_or(i64::MAX));
    if order.expires_at <= now || order.expires_at > latest {
        let detail = format!("a moment after {now}, which is now here, and not after {latest} expected");
        return Err(SchemaError::at("/order/expiresAt", detail).into());
    }
    let one = body.agent_id.iter().zip(&order.signature);
    let many = body.agent_ids.iter().flatten().zip(order.signatures.iter().flatten());
    let params_bytes = serde_json::to_vec(&body.params).map_or(usize::MAX, |json| json.len());
    let agents = body.agent_ids.as_ref().map_or(1, Vec::len);
    if params_bytes.saturating_mul(agents) > BATCH_PARAMS_BYTES_MAX {
        return Err(CommandsError::BatchTooLarge);
    }
    for (place, (agent_id, signature)) in one.chain(many).enumerate() {
        if let Err(error) = verify_one(body, order, agent_id, signature) {
            let pointer = match body.agent_id {
                Some(_) => "/order/signature".to_owned(),
                None => format!("/order/signatures/{place}"),
            };
            let detail = format!(
                "{error} of {agent_id}: what is signed must be exactly this action, params, timeoutSeconds, nonce and \
                 expiresAt"
            );
            return Err(SchemaError::at(pointer, detail).into());
        }
    }
    Ok(())
}

fn verify_one(
    body: &CommandBody,
    order: &SignedBody,
    agent_id: &AgentId,
    signature: &Signature,
) -> Result<(), OrderError> {
    let asked =
        Asked { agent_id, action: &body.action, params: &body.params, timeout_seconds: body.timeout_seconds };
    let SignedBody { key_id, nonce, expires_at, .. } = order;
    Order { key_id: *key_id, nonce: nonce.clone(), expires_at: *expires_at, signature: signature.clone() }
        .verify(&asked)
}

#[cfg(test)]
mod tests;
