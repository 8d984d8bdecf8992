//! A request that is sent until the hub says yes, or never will.

use crate::{
    answer::{Answer, OK},
    client::Client,
    error::LoadError,
};
use tokio::time::sleep;

/// Times that a request is sent where the hub asks to come again.
const TRIES_MAX: u32 = 20;

/// Sends a request until it is answered with yes.
pub(super) async fn delivered<'a>(
    client: &'a mut Client,
    what: &'static str,
    request: &[u8],
) -> Result<Answer<'a>, LoadError> {
    for _ in 1..TRIES_MAX {
        let answer = client.exchange(request).await?;
        let problem = answer.problem();
        match answer.retry_after(problem.as_ref().and_then(|problem| problem.problem_type())) {
            Some(wait) if answer.status != OK => sleep(wait).await,
            _ => break,
        }
    }
    match client.last() {
        Some(answer) if answer.status == OK => Ok(answer),
        Some(answer) => Err(LoadError::refused(what, &answer)),
        None => Err(LoadError::Nothing("the hub gives no answer")),
    }
}
