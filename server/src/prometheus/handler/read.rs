//! `read`: series as they are, for a Prometheus in front of the hub (`remote_read`), which evaluates them itself.
//!
//! Requests and answers are protobuf ([`proto`]) in snappy's block format. Of the types of answers that the protocol
//! knows, the one that everybody knows is made: samples. An answer is one message, so it has to fit its bound.

use super::{complaint, proto};
use crate::{
    auth::PlainBody,
    http::{
        envelope::Complaint,
        pack::ANSWER_BYTES_MAX,
        problem::Refusal,
        respond::{self, Representation},
        unpack::Snappy,
    },
    prometheus::{Prometheus, QUERY_HELD_MAX, Source, limits},
    storage::Wanted,
};
use axum::{extract::State, response::Response};
use http::{HeaderValue, header};
use pingup_promql::{
    Cancel, Claim, Error, Intake, Labels, MOMENT_MS_MAX, Moments, Reading, Selection, SeriesSource,
};
use proto::{Malformed, ReadQuery};
use std::sync::Arc;

/// A request, unpacked.
const REQUEST_BYTES_MAX: usize = 1024 * 1024;

/// `POST /prometheus/api/v1/read`.
pub async fn read(State(room): State<Arc<Prometheus>>, body: PlainBody) -> Result<Response, Complaint> {
    let asked = proto::queries(&unpack(&body.0)?).map_err(bad)?;
    asked.iter().try_for_each(check)?;
    let (outbox, claim) = (room.outbox().clone(), room.claim());
    let answer = move |source: &Source, cancel: &Cancel, wanted: &Wanted| {
        let mut message = Vec::new();
        for query in asked {
            let room_left = ANSWER_BYTES_MAX.saturating_sub(message.len());
            proto::put_result(&mut message, &Taken::all(source, query, (cancel, &claim), room_left)?);
        }
        let packed = snap::raw::Encoder::new().compress_vec(&message);
        drop(message);
        let packed = packed.map_err(|error| Refusal::internal("an answer could not be packed", &error))?;
        let mut response = respond::of(Representation::Protobuf.media_type(), outbox.hold(packed, wanted)?);
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("snappy"));
        Ok(response)
    };
    room.ask(answer).await
}

fn unpack(packed: &[u8]) -> Result<Vec<u8>, Complaint> {
    let unpacked = Snappy::new(packed, REQUEST_BYTES_MAX).and_then(Snappy::unpack);
    unpacked.map_err(|error| Complaint::bad_data(error.to_string()))
}

/// A query that asks for everything there is was not meant.
fn check(query: &ReadQuery) -> Result<(), Complaint> {
    match query.matchers.iter().any(|matcher| !matcher.accepts("")) {
        true => Ok(()),
        false => Err(Complaint::bad_data("a query must have a matcher that the empty value does not fulfil")),
    }
}

fn bad(error: Malformed) -> Complaint {
    Complaint::bad_data(error.to_string())
}

fn selection(query: ReadQuery) -> Selection {
    let within = |at: i64| at.clamp(-MOMENT_MS_MAX, MOMENT_MS_MAX);
    let (first_ms, last_ms) = (within(query.first_ms), within(query.last_ms));
    Selection {
        matchers: query.matchers,
        first_ms,
        last_ms,
        reading: reading(&query.function),
        moments: Moments { first_ms: last_ms, step_ms: 0, count: 1 },
    }
}

/// What becomes of the samples there. A Prometheus that does not say so gets what was measured.
fn reading(function: &str) -> Reading {
    const KNOWN: [&str; 8] = [
        "min_over_time",
        "max_over_time",
        "sum_over_time",
        "avg_over_time",
        "count_over_time",
        "last_over_time",
        "present_over_time",
        "absent_over_time",
    ];
    if function.is_empty() {
        return Reading::Samples;
    }
    let known = KNOWN.into_iter().find(|known| *known == function);
    Reading::Window { function: known.unwrap_or("this function of windows"), range_ms: 0 }
}

/// A query's series, written as they come.
struct Taken<'a> {
    message: Vec<u8>,
    first_ms: i64,
    last_ms: i64,
    cancel: &'a Cancel,
    claim: &'a Claim,
    room_left: usize,
    series: u64,
    too_much: bool,
}

impl<'a> Taken<'a> {
    /// All of them, in at most `room_left` bytes.
    fn all(
        source: &Source,
        query: ReadQuery,
        (cancel, claim): (&'a Cancel, &'a Claim),
        room_left: usize,
    ) -> Result<Vec<u8>, Complaint> {
        let selection = selection(query);
        let mut taken = Taken {
            message: Vec::new(),
            first_ms: selection.first_ms,
            last_ms: selection.last_ms,
            cancel,
            claim,
            room_left,
            series: 0,
            too_much: false,
        };
        match source.select(&[selection], &mut taken) {
            Ok(()) => Ok(taken.message),
            Err(_) if taken.too_much => {
                let most = ANSWER_BYTES_MAX / (1024 * 1024);
                Err(Complaint::execution(format!("more than {most} MiB of samples: ask for less at once")))
            }
            Err(error) => Err(complaint(&error)),
        }
    }
}

impl Taken<'_> {
    fn check(&self) -> Result<(), Error> {
        match self.cancel.is_cancelled() {
            true => Err(Error::source("nobody waits any more")),
            false => Ok(()),
        }
    }
}

impl Intake for Taken<'_> {
    fn keeps(&mut self, points: usize) -> Result<(), Error> {
        let points = points as u64;
        self.too_much = points > QUERY_HELD_MAX;
        if self.too_much {
            return Err(Error::source("too much"));
        }
        self.claim.admit(points, || self.check())
    }

    fn series(&mut self, _: usize, labels: &Labels, timestamps: &[i64], values: &[f64]) -> Result<(), Error> {
        self.check()?;
        let from = timestamps.partition_point(|&at| at < self.first_ms);
        let to = timestamps.partition_point(|&at| at <= self.last_ms);
        if from >= to {
            return Ok(());
        }
        let samples = timestamps[from..to].iter().copied().zip(values[from..to].iter().copied());
        self.series += 1;
        self.too_much = self.series > limits().series
            || self.message.len() + (to - from) * proto::SAMPLE_BYTES_MAX > self.room_left;
        if self.too_much {
            return Err(Error::source("too much"));
        }
        proto::put_series(&mut self.message, labels, samples);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_prometheus_says_that_it_computes_is_known_where_samples_were_let_go() {
        let window = |function| Reading::Window { function, range_ms: 0 };
        assert_eq!(reading("avg_over_time"), window("avg_over_time"));
        assert_eq!(reading("mad_over_time"), window("this function of windows"));
        assert_eq!(reading(""), Reading::Samples);
    }
}
