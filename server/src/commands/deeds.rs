//! What is done with commands, in the audit's words. Of parameters there is a digest: they may hold what nobody is to
//! read, and whoever knows them can tell that they are the same.

use super::{BatchOrder, BatchView, Change, CommandView, Order, SignedBatch};
use crate::deed::{Act, By, Deed, digest};
use pingup_protocol::{
    command::{CommandStatus, ResultBody},
    ids::AgentId,
    order::Signature,
    time::Timestamp,
};
use std::{collections::BTreeMap, slice};

/// Commands that the row of a lapse names; the others are counted.
const LAPSED_NAMED_MAX: usize = 64;

/// A command for one agent.
pub(super) fn queued<'a>(view: &CommandView, order: &Order, by: &'a By) -> Deed<'a> {
    let deed = Deed::new(Act::CommandQueued, by, view.created_at)
        .agent(view.agent_id.as_str())
        .on(&view.command_id)
        .with("action", view.action.as_str())
        .with("paramsSha256", digest(order.task.params.as_bytes()))
        .with("expiresAt", view.expires_at.to_string());
    signed(
        deed,
        view.signed_by.as_deref(),
        order.signed.as_ref().map(|order| slice::from_ref(&order.signature)),
    )
}

/// By whose word, and by which of their orders: SHA-256 of the signature's bytes, of a batch of all, in the order of the
/// agents' ids.
fn signed<'a>(deed: Deed<'a>, by: Option<&str>, signatures: Option<&[Signature]>) -> Deed<'a> {
    match by.zip(signatures) {
        Some((by, signatures)) => {
            let bytes: Vec<u8> = signatures.iter().flat_map(Signature::as_bytes).copied().collect();
            deed.with("signedBy", by).with("orderSha256", digest(&bytes))
        }
        None => deed,
    }
}

/// A command for many: one row, whatever their number.
pub(super) fn batch_queued<'a>(
    view: &BatchView,
    order: &BatchOrder,
    agents: &[Change],
    by: &'a By,
) -> Deed<'a> {
    let ids: Vec<_> = agents.iter().map(|queued| queued.agent_id.as_str()).collect();
    let deed = Deed::new(Act::BatchQueued, by, view.created_at)
        .on(&view.batch_id)
        .with("action", view.action.as_str())
        .with("paramsSha256", digest(order.task.params.as_bytes()))
        .with("agents", agents.len())
        .with("agentsSha256", digest(ids.join("\n").as_bytes()))
        .with("leftOut", view.left_out_count)
        .with("expiresAt", view.expires_at.to_string());
    signed(deed, view.signed_by.as_deref(), order.signed.as_ref().map(SignedBatch::signatures))
}

/// Taken back, or asked for: `view` is as it is now.
pub(super) fn cancelled<'a>(view: &CommandView, by: &'a By, now: Timestamp) -> Deed<'a> {
    Deed::new(Act::CommandCancelled, by, now)
        .agent(view.agent_id.as_str())
        .on(&view.command_id)
        .with("status", view.status.as_str())
}

/// What of a batch was not over: so many are cancelled, so many agents are asked.
pub(super) fn batch_cancelled<'a>(
    batch_id: &str,
    (cancelled, asked): (usize, usize),
    by: &'a By,
    now: Timestamp,
) -> Deed<'a> {
    let deed = Deed::new(Act::BatchCancelled, by, now).on(batch_id);
    deed.with("cancelled", cancelled).with("asked", asked)
}

/// An agent said how a command ended.
pub(super) fn ended<'a>(
    agent_id: &AgentId,
    command_id: &str,
    body: &Ended,
    by: &'a By,
    now: Timestamp,
) -> Deed<'a> {
    let deed = Deed::new(Act::CommandEnded, by, now).agent(agent_id.as_str()).on(command_id);
    deed.with("status", body.status).with("exitCode", body.exit_code)
}

/// What of a result stands in the audit.
pub(super) struct Ended {
    status: &'static str,
    exit_code: Option<i64>,
}

impl From<&ResultBody> for Ended {
    fn from(body: &ResultBody) -> Self {
        Self { status: CommandStatus::from(body.status).as_str(), exit_code: body.exit_code }
    }
}

/// What time alone ended; none where that is nothing.
pub fn lapsed<'a>(changes: &[Change], by: &'a By, now: Timestamp) -> Option<Deed<'a>> {
    if changes.is_empty() {
        return None;
    }
    let mut counts = BTreeMap::<_, usize>::new();
    changes.iter().for_each(|change| *counts.entry(change.status.as_str()).or_default() += 1);
    let named: Vec<_> = changes.iter().take(LAPSED_NAMED_MAX).map(|change| &*change.command_id).collect();
    let deed = Deed::new(Act::CommandsLapsed, by, now).with("commandIds", named);
    Some(counts.into_iter().fold(deed, |deed, (status, count)| deed.with(status, count)))
}

/// All commands of a batch are over; `view` counts how.
pub fn batch_ended<'a>(view: &BatchView, by: &'a By, now: Timestamp) -> Deed<'a> {
    let counts = serde_json::to_value(view.counts).unwrap_or_default();
    Deed::new(Act::BatchEnded, by, now).on(&view.batch_id).with("counts", counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    #[test]
    fn a_lapse_names_some_and_counts_all() {
        assert!(lapsed(&[], &By::HUB, NOW).is_none(), "nothing is no deed");
        let change = |number: usize| Change {
            command_id: format!("CMD-2027-{number:03}"),
            agent_id: AgentId::parse("a").unwrap(),
            status: if number.is_multiple_of(3) { CommandStatus::Unknown } else { CommandStatus::Expired },
            at: NOW,
        };
        let changes: Vec<_> = (0..3 * LAPSED_NAMED_MAX).map(change).collect();
        let detail = lapsed(&changes, &By::HUB, NOW).unwrap().detail;
        assert_eq!(detail["commandIds"].as_array().unwrap().len(), LAPSED_NAMED_MAX);
        assert_eq!((&detail["unknown"], &detail["expired"]), (&64.into(), &128.into()));
    }
}
