//! The doors for other people's senders: remote write ([`write`]) and OTLP ([`otlp`]).
//!
//! A body is unpacked and read within its [`Allowance`], away from the threads that serve where it is long, into what the
//! room stores ([`Brought`]). What of it cannot be stored is left out and told, after the rest is committed: the hub never
//! refuses good samples for the sake of bad ones. What may succeed later is 503; what never will is 400, for senders let
//! that go and would repeat anything else for ever.

mod brought;
mod delete;
mod otlp;
mod outcome;
mod shares;
mod write;

pub use delete::delete;
pub use otlp::otlp;
pub use write::write;

use super::{Series, Taken};
use crate::http::{
    body::{Budget, SENDER_BYTES_MAX, SENDERS_BODIES_BYTES_MAX, SENDERS_RESERVED_BYTES},
    problem::Refusal,
    unpack::Allowance,
};
use brought::Brought;
use outcome::{Outcome, Unfit};
use shares::Shares;
use std::sync::Arc;

/// A body of OTLP, as it comes.
pub const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// A body of remote write, as it comes: vmagent makes blocks of 8 MiB unless told otherwise, and snappy may make them a
/// sixth longer.
pub const WRITE_BODY_BYTES_MAX: usize = 10 * 1024 * 1024;
/// A body, unpacked.
const UNPACKED_BYTES_MAX: usize = 16 * 1024 * 1024;
/// An unpacked body and all that is made of it: a message may be much smaller than what it tells.
const REQUEST_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Bodies above this, unpacked, are read off the threads that serve connections.
const INLINE_BYTES_MAX: usize = 64 * 1024;
const _: () = assert!(UNPACKED_BYTES_MAX < REQUEST_BYTES_MAX);
const _: () = assert!(BODY_BYTES_MAX <= WRITE_BODY_BYTES_MAX);
const _: () = assert!(
    WRITE_BODY_BYTES_MAX + REQUEST_BYTES_MAX + SENDERS_RESERVED_BYTES <= SENDERS_BODIES_BYTES_MAX,
    "one always fits"
);
const _: () = assert!(REQUEST_BYTES_MAX <= SENDER_BYTES_MAX, "one of a sender always fits");

/// What the doors have.
#[derive(Debug)]
pub struct Doors {
    series: Arc<Series>,
    memory: Budget,
    /// What each sender has of it.
    shares: Shares,
}

impl Doors {
    /// Doors to the room, whose requests share this memory with each other's bodies.
    pub fn new(series: Arc<Series>, memory: Budget) -> Self {
        Self { series, memory, shares: Shares::default() }
    }

    /// Reads a request of some `bytes`, unpacked, and stores what it brings: answers once that is committed, with what
    /// `read` says.
    async fn take<T: Send + 'static>(
        &self,
        sender: String,
        bytes: usize,
        read: impl FnOnce(&mut Brought) -> Result<T, Unfit> + Send + 'static,
    ) -> Result<(T, Outcome), Unfit> {
        let allowance = Allowance::of(&self.memory, REQUEST_BYTES_MAX).within(&self.shares.of(&sender));
        let mut brought = Brought::by(sender, allowance);
        let reading = move || read(&mut brought).map(|read| (read, brought));
        let (read, brought) = match bytes {
            ..=INLINE_BYTES_MAX => reading()?,
            _ => tokio::task::spawn_blocking(reading)
                .await
                .map_err(|error| Refusal::internal("a body could not be read", &error))??,
        };
        Ok((read, self.store(brought).await?))
    }

    /// The memory that a request takes is given back when all of it is committed.
    async fn store(&self, brought: Brought) -> Result<Outcome, Unfit> {
        let Brought { pushes, refused, ends, allowance, .. } = brought;
        let mut outcome = Outcome::new(refused, ends);
        for push in pushes {
            let samples = push.series.iter().map(|series| series.points.len()).sum();
            outcome.count(samples, self.series.push(push).await)?;
        }
        drop(allowance);
        Ok(outcome)
    }
}
