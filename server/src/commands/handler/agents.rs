//! How agents get their commands: signed, over a request that is held open until there is something.

use super::{Commands, hand_out::HandedOut};
use crate::{
    auth::{AgentCaller, keyring::revoked},
    commands::waiters::{Waiter, Woken},
    http::{held::held, problem::Refusal, query::Params, respond},
};
use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;
use http::StatusCode;
use pingup_protocol::{
    command::PendingAnswer,
    ids::is_nonce,
    limits::{INTEGER_MAX, WAIT_SECONDS_MAX},
};
use std::{sync::Arc, time::Duration};

/// How far an agent is, by what it asks with.
#[derive(Clone, Copy, Debug)]
pub(super) enum After {
    /// It does not say; it may have begun anything.
    Unsaid,
    /// It has taken down the commands up to this one, and holds none beyond.
    Taken(u64),
    /// It wants none now, since it has enough to do: only what it is to end.
    Busy,
}

impl After {
    fn read(params: &Params) -> Result<Self, Refusal> {
        let seq = params.number("after", 0..=INTEGER_MAX, 0)?;
        Ok(match params.text("after") {
            None => Self::Unsaid,
            Some(_) if seq == INTEGER_MAX => Self::Busy,
            Some(_) => Self::Taken(seq),
        })
    }

    /// The last command that it may have begun.
    pub(super) const fn seq(self) -> u64 {
        match self {
            Self::Unsaid => 0,
            Self::Taken(seq) => seq,
            Self::Busy => INTEGER_MAX,
        }
    }
}

/// `GET /api/v1/commands/pending/:agentId`: what is due to the agent, each command and the answer signed, and which of
/// those that it has it is to end. With `wait`, held open until there is something. Marked as delivered on disk before
/// the answer leaves.
///
/// A bearer token alone opens it, so no keys are ever handed over here: that is the heartbeat's, which is signed.
pub async fn pending(
    State(room): State<Arc<Commands>>,
    agent: AgentCaller,
    params: Params,
) -> Result<Response, Refusal> {
    let nonce = params.required("nonce")?;
    if !is_nonce(nonce) {
        return Err(Refusal::parameter("nonce", "1 to 128 visible ASCII characters expected"));
    }
    let after = After::read(&params)?;
    let patience = Duration::from_secs(params.number("wait", 0..=WAIT_SECONDS_MAX, 0)?);
    let pull = Pull { agent, nonce: nonce.to_owned(), after };
    if patience.is_zero() {
        let out = room.hand_out(pull.agent.keys(), after).await?;
        return pull.answer(&room, out);
    }
    // Registered before the first look: what is queued after it is a call, not a loss.
    let waiter = room.waiters.register(pull.agent.agent_id())?;
    // The first look is a part of the wait: when a whole fleet comes back, it is the looks that take their time.
    Ok(held(pull.outwait(room, waiter, patience).map(IntoResponse::into_response)))
}

/// What an agent asked, as much of it as its answer needs.
struct Pull {
    agent: AgentCaller,
    nonce: String,
    after: After,
}

impl Pull {
    /// Says what there is for the agent; where that is nothing, waits until there may be something.
    #[expect(
        clippy::manual_async_fn,
        reason = "an async fn keeps what it is given twice, and thousands wait at once"
    )]
    fn outwait(
        self,
        room: Arc<Commands>,
        mut waiter: Waiter,
        patience: Duration,
    ) -> impl Future<Output = Result<Response, Refusal>> {
        async move {
            // In a box, each time: those who wait need not hold the room for it.
            let mut out = Box::pin(room.hand_out(self.agent.keys(), self.after)).await?;
            if !out.is_news(self.after) {
                if waiter.wait(patience).await == Woken::Called {
                    drop(waiter);
                    out = Box::pin(room.hand_out(self.agent.keys(), self.after)).await?;
                } else if !self.agent.keys().live(&room.clock) {
                    // Whoever ends keys at once calls; a generation that was ending ends by time alone.
                    return Err(revoked(self.agent.agent_id()));
                }
            }
            self.answer(&room, out)
        }
    }

    fn answer(&self, room: &Commands, out: HandedOut) -> Result<Response, Refusal> {
        let HandedOut { commands, cancel, config_version, .. } = out;
        room.waiters.tell(self.agent.agent_id(), config_version);
        let answer = PendingAnswer {
            agent_id: self.agent.agent_id().clone(),
            nonce: self.nonce.clone(),
            server_time: room.clock.now(),
            commands,
            cancel,
            config_version,
        };
        Ok(respond::signed(StatusCode::OK, self.agent.keys().sign(&answer)?))
    }
}
