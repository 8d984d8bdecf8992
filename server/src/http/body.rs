//! Reading bodies: no more than the route takes, no longer than a patient network needs.

use super::{problem::Refusal, single};
use axum::{body::Body, extract::Request};
use bytes::Bytes;
use http::{HeaderMap, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use pingup_protocol::problem::ProblemType;
use std::time::Duration;

/// How long a body may take to arrive, whole.
const BODY_DEADLINE: Duration = Duration::from_secs(30);

/// Refuses a body that is not JSON by its own account, or larger than `bytes_max` by its own account.
pub fn check_headers(headers: &HeaderMap, bytes_max: usize) -> Result<(), Refusal> {
    let media_type = single(headers, &header::CONTENT_TYPE).and_then(|text| text.split(';').next());
    if !media_type.is_some_and(|text| text.trim().eq_ignore_ascii_case("application/json")) {
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

/// Reads a body of at most `bytes_max`.
pub async fn read(request: Request, bytes_max: usize) -> Result<Bytes, Refusal> {
    collect(request.into_body(), bytes_max, BODY_DEADLINE).await
}

async fn collect(body: Body, bytes_max: usize, deadline: Duration) -> Result<Bytes, Refusal> {
    match tokio::time::timeout(deadline, Limited::new(body, bytes_max).collect()).await {
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large(bytes_max)),
        Ok(Err(_)) => Err(Refusal::new(ProblemType::MalformedJson, "the body broke off")),
        Err(_) => {
            let detail = format!("the body did not arrive within {} s", deadline.as_secs());
            Err(Refusal::new(ProblemType::MalformedJson, detail))
        }
    }
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
        let read = |bytes: usize| collect(Body::from(vec![b' '; bytes]), 8, BODY_DEADLINE);
        assert_eq!(read(8).await.unwrap().len(), 8);
        assert_eq!(read(9).await.unwrap_err().kind(), ProblemType::PayloadTooLarge);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_ends_is_given_up() {
        let (_sender, endless) = http_body_util::channel::Channel::<Bytes>::new(1);
        let endless = Body::new(endless);
        let refusal = collect(endless, 8, BODY_DEADLINE).await.unwrap_err();
        assert!(refusal.problem().detail.contains("30 s"), "{refusal:?}");
    }
}
