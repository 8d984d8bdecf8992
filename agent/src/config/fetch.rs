//! Fetching: what the hub says is newer is asked for, verified, and handed to the keeper.

use super::ConfigKeeper;
use crate::{
    backoff::{Backoff, REFUSED, random},
    stop::Stop,
    transport::{Failure, Revoked, Session, nonce},
};
use pingup_protocol::config::ConfigAnswer;
use std::time::Duration;

/// Fetches what the hub says is newer, until told to stop.
pub async fn run(keeper: &ConfigKeeper, session: &mut Session, stop: &Stop) -> Result<(), Revoked> {
    let mut backoff = Backoff::new(REFUSED);
    while stop.or(keeper.newer.notified()).await.is_some() {
        while keeper.is_wanting() && !stop.is_set() {
            let wait = match fetch(session).await.map(|answer| keeper.decide(answer)) {
                Ok(true) => {
                    backoff.reset();
                    continue;
                }
                Ok(false) => backoff.after_failure(None, random()),
                Err(failure) if failure.is_revoked() => return Err(Revoked::because(&failure)),
                Err(failure) => {
                    failure.log_unexpected("config");
                    failure.wait(&mut backoff)
                }
            };
            stop.sleep(wait).await;
        }
    }
    Ok(())
}

async fn fetch(session: &mut Session) -> Result<ConfigAnswer, Failure> {
    let nonce = nonce()?;
    let agent_id = session.link().identity().agent_id.clone();
    let body = session.get(&format!("/api/v1/config/{agent_id}?nonce={nonce}"), Duration::ZERO).await?;
    let answer: ConfigAnswer = session.verified(&body)?;
    if answer.nonce != nonce || answer.agent_id != agent_id {
        return Err(Failure::Unverified("it answers another request".to_owned()));
    }
    Ok(answer)
}
