//! What a query cost, as it is told when asked.

use serde::Serialize;

/// What a query cost, in Prometheus's members.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Stats {
    timings: Timings,
    samples: SamplesRead,
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Timings {
    /// Seconds that the evaluation took.
    eval_total_time: f64,
    /// Seconds that the question waited for its turn.
    exec_queue_time: f64,
    /// Both.
    exec_total_time: f64,
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SamplesRead {
    total_queryable_samples: u64,
}

impl Stats {
    /// Of a query that waited and was evaluated for so many seconds, and read so many samples.
    pub(super) fn new(queued: f64, evaluated: f64, samples: u64) -> Self {
        Self {
            timings: Timings {
                eval_total_time: evaluated,
                exec_queue_time: queued,
                exec_total_time: queued + evaluated,
            },
            samples: SamplesRead { total_queryable_samples: samples },
        }
    }
}
