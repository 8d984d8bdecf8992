//! One question for commands, and its answer: the hub's, to this question, for this agent.

use crate::transport::{Failure, Session, nonce};
use pingup_protocol::{command::PendingAnswer, limits::INTEGER_MAX};
use std::time::Duration;

/// How long the hub is asked to hold the request open: below what proxies commonly allow.
const WAIT: Duration = Duration::from_secs(50);

/// Asks for commands beyond `after`.
pub(super) async fn ask(session: &mut Session, after: u64) -> Result<PendingAnswer, Failure> {
    let nonce = nonce()?;
    let agent_id = session.link().identity().agent_id.clone();
    let wait = WAIT.as_secs();
    let route = format!("/api/v1/commands/pending/{agent_id}?nonce={nonce}&wait={wait}&after={after}");
    let body = session.get(&route, WAIT).await?;
    let answer: PendingAnswer = session.verified(&body)?;
    if answer.nonce != nonce || answer.agent_id != agent_id {
        return Err(Failure::Unverified("it answers another request".to_owned()));
    }
    Ok(answer)
}

/// Asks for no commands, only for what is to be ended: by a number that none can be beyond.
pub(super) async fn ask_what_to_end(session: &mut Session) -> Result<PendingAnswer, Failure> {
    ask(session, INTEGER_MAX).await
}
