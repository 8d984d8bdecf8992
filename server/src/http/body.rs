//! Reading bodies: no more than the route takes, no longer than a patient network needs.

use super::{problem::Refusal, single};
use axum::{body::Body, extract::Request};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use pingup_protocol::problem::ProblemType;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// How long a body may take to arrive, whole: a full batch over a line of 15 kB a second.
const BODY_DEADLINE: Duration = Duration::from_secs(300);
/// How long a body may pause.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// Refuses a body that is not JSON by its own account, or larger than `bytes_max` by its own account.
pub fn check_headers(headers: &HeaderMap, bytes_max: usize) -> Result<(), Refusal> {
    if !single(headers, &header::CONTENT_TYPE).is_some_and(is_json) {
        return Err(Refusal::new(ProblemType::UnsupportedMediaType, "send Content-Type: application/json"));
    }
    if headers.contains_key(header::CONTENT_ENCODING) {
        return Err(Refusal::new(
            ProblemType::UnsupportedMediaType,
            "send the body without a content encoding",
        ));
    }
    let announced = single(headers, &header::CONTENT_LENGTH).and_then(|text| text.parse::<usize>().ok());
    if announced.is_some_and(|length| length > bytes_max) {
        return Err(too_large(bytes_max));
    }
    Ok(())
}

/// `application/json`, and no charset but the only one that JSON has.
fn is_json(content_type: &str) -> bool {
    let mut parts = content_type.split(';').map(str::trim);
    let charset =
        |parameter: &str| parameter.to_ascii_lowercase().strip_prefix("charset=").map(str::to_owned);
    parts.next().is_some_and(|media_type| media_type.eq_ignore_ascii_case("application/json"))
        && parts.filter_map(charset).all(|charset| charset.trim_matches('"') == "utf-8")
}

/// What all bodies of callers with a token, being read or answered, may take together.
pub const BODIES_BYTES_MAX: usize = 64 * 1024 * 1024;
/// The same for strangers, who may only enrol: a pool of their own, so that filling it silences nobody else.
pub const STRANGERS_BODIES_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The memory for bodies, shared by all requests: this, not the number of connections, bounds what they fill.
#[derive(Clone, Debug)]
pub struct Budget(Arc<Semaphore>);

impl Budget {
    /// For callers whose token was checked.
    pub fn known() -> Self {
        Self(Arc::new(Semaphore::new(BODIES_BYTES_MAX)))
    }

    /// For everyone else.
    pub fn strangers() -> Self {
        Self(Arc::new(Semaphore::new(STRANGERS_BODIES_BYTES_MAX)))
    }
}

/// What of the budget a body takes, until this is dropped.
#[derive(Debug, Default)]
pub struct Share(Option<OwnedSemaphorePermit>);

impl Share {
    fn grow(&mut self, budget: &Budget, bytes: usize) -> Result<(), Refusal> {
        let more = u32::try_from(bytes)
            .ok()
            .and_then(|bytes| Arc::clone(&budget.0).try_acquire_many_owned(bytes).ok());
        let more = more.ok_or_else(|| {
            Refusal::new(ProblemType::Overloaded, "too many bodies arrive at once; try again")
        })?;
        match &mut self.0 {
            Some(share) => share.merge(more),
            None => self.0 = Some(more),
        }
        Ok(())
    }
}

/// Reads a body of at most `bytes_max`, and what it takes of the budget.
pub async fn read(request: Request, bytes_max: usize, budget: &Budget) -> Result<(Bytes, Share), Refusal> {
    collect(request.into_body(), bytes_max, budget).await
}

async fn collect(body: Body, bytes_max: usize, budget: &Budget) -> Result<(Bytes, Share), Refusal> {
    let mut body = Limited::new(body, bytes_max);
    let (mut whole, mut share) = (BytesMut::new(), Share::default());
    let arriving = async {
        loop {
            match timeout(PAUSE_MAX, body.frame()).await {
                Ok(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        share.grow(budget, data.len())?;
                        whole.extend_from_slice(&data);
                    }
                }
                Ok(None) => return Ok(()),
                Ok(Some(Err(error))) if error.is::<LengthLimitError>() => return Err(too_large(bytes_max)),
                Ok(Some(Err(_))) => {
                    return Err(Refusal::new(ProblemType::MalformedJson, "the body broke off"));
                }
                Err(_) => return Err(too_slow(PAUSE_MAX)),
            }
        }
    };
    match timeout(BODY_DEADLINE, arriving).await {
        Ok(arrived) => arrived.map(|()| (whole.freeze(), share)),
        Err(_) => Err(too_slow(BODY_DEADLINE)),
    }
}

/// Not the sender's fault, so it may try again.
fn too_slow(within: Duration) -> Refusal {
    let detail =
        format!("the body did not arrive within {} s; send less at once, or again", within.as_secs());
    Refusal::new(ProblemType::Overloaded, detail)
}

fn too_large(bytes_max: usize) -> Refusal {
    Refusal::new(
        ProblemType::PayloadTooLarge,
        format!("this route takes a body of at most {bytes_max} bytes"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_is_read_up_to_its_limit_and_no_further() {
        let budget = Budget::known();
        let read = |bytes: usize| collect(Body::from(vec![b' '; bytes]), 8, &budget);
        assert_eq!(read(8).await.unwrap().0.len(), 8);
        assert_eq!(read(9).await.unwrap_err().kind(), ProblemType::PayloadTooLarge);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_ends_is_given_up() {
        let (_sender, endless) = http_body_util::channel::Channel::<Bytes>::new(1);
        let endless = Body::new(endless);
        let refusal = collect(endless, 8, &Budget::known()).await.unwrap_err();
        assert!(refusal.problem().detail.contains("30 s"), "{refusal:?}");
    }

    #[tokio::test]
    async fn bodies_together_stay_within_the_budget() {
        let budget = Budget(Arc::new(Semaphore::new(10)));
        let read = |bytes: usize| collect(Body::from(vec![b' '; bytes]), 100, &budget);
        let first = read(8).await.unwrap();
        assert_eq!(read(3).await.unwrap_err().kind(), ProblemType::Overloaded);
        assert_eq!(read(2).await.unwrap().0.len(), 2);
        drop(first);
        assert_eq!(read(10).await.unwrap().0.len(), 10);
    }
}
