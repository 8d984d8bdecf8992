//! What a body must be before anyone reads it: strict JSON; from an agent, signed; from an operator, such that it can
//! be signed for one. What leaves here is in canonical form. Long bodies are checked off the threads that serve.

use crate::http::problem::Refusal;
use bytes::Bytes;
use pingup_protocol::{
    canonical::{self, JsonError},
    problem::ProblemType,
    signing::{self, Key},
};

/// Bodies above this are verified off the threads that serve connections: a batch takes milliseconds.
const INLINE_BYTES_MAX: usize = 64 * 1024;

/// The canonical form of a body that verifies; `None` for one that does not.
pub(super) async fn verify(bytes: Bytes, key: &Key) -> Result<Option<Bytes>, Refusal> {
    match bytes.len() {
        ..=INLINE_BYTES_MAX => scan_and_verify(bytes, key),
        // In a box: every request would have to hold the room for it.
        _ => Box::pin(verify_aside(bytes, key.clone())).await,
    }
}

async fn verify_aside(bytes: Bytes, key: Key) -> Result<Option<Bytes>, Refusal> {
    tokio::task::spawn_blocking(move || scan_and_verify(bytes, &key))
        .await
        .unwrap_or_else(|error| Err(Refusal::internal("a body could not be verified", &error)))
}

fn scan_and_verify(bytes: Bytes, key: &Key) -> Result<Option<Bytes>, Refusal> {
    let scanned = signing::scan(&bytes).map_err(|error| Refusal::new(error.problem(), error.to_string()))?;
    if !scanned.verify(key) {
        return Ok(None);
    }
    let rewritten = scanned.into_rewritten();
    Ok(Some(rewritten.map_or(bytes, Bytes::from)))
}

/// Bodies that are not signed here are held to the same strictness; this is their canonical form.
pub(super) fn strict_json(bytes: &[u8]) -> Result<Bytes, Refusal> {
    let refuse = |error: JsonError| Refusal::new(error.problem(), error.to_string());
    Ok(Bytes::from(canonical::rewrite(bytes).map_err(refuse)?.bytes))
}

/// What operators write is handed to agents inside signed answers, so it must be writable there.
pub(super) fn signable_json(bytes: &[u8]) -> Result<Bytes, Refusal> {
    let canonical = strict_json(bytes)?;
    canonical::rewrite(&canonical).map_err(|_| {
        let detail = "a whole number beyond 2^53-1 cannot be signed for an agent; write it as text";
        Refusal::new(ProblemType::NumberOutOfRange, detail)
    })?;
    Ok(canonical)
}
