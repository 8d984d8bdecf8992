//! Random series: gauges that wander, counters that begin anew, gaps, markers, and numbers that are none.

use super::Random;
use crate::{labels::Labels, memory::MemorySource, source::STALE};

/// From one sample to the next, in milliseconds.
const INTERVAL_MS: i64 = 15_000;
/// What [`far_from_edges`] moves samples by. As seconds it is a number that a float holds exactly: it survives formats that
/// write moments so.
const EDGE_MS: i64 = 500;
/// Upper bounds of the histogram's buckets.
const BOUNDS: [&str; 4] = ["0.5", "1", "5", "+Inf"];

/// The metrics `g` and `i` (gauges), `c_total` (a counter), and `h_bucket` (a histogram), with the labels `job` and
/// `zone`, sampled every 15 s from the moment 0 for so many milliseconds. Values are multiples of a half.
pub fn counters_and_gauges(random: &mut Random, length_ms: i64) -> MemorySource {
    let mut source = MemorySource::default();
    for job in ["api", "web", "db"] {
        for zone in ["a", "b"] {
            for metric in ["g", "i", "c_total"] {
                if random.percent(85) {
                    let labels = Labels::new([("__name__", metric), ("job", job), ("zone", zone)]);
                    series(&mut source, random, &labels, metric == "c_total", length_ms);
                }
            }
        }
        for bound in BOUNDS {
            let labels = Labels::new([("__name__", "h_bucket"), ("job", job), ("le", bound)]);
            series(&mut source, random, &labels, true, length_ms);
        }
    }
    source
}

/// Moves every sample half a second on, so that none lies at the edge of a window that is asked for in whole
/// seconds: evaluators that differ only there then agree.
pub fn far_from_edges(source: &MemorySource) -> MemorySource {
    let mut moved = MemorySource::default();
    for (labels, timestamps, values) in source.iter() {
        for (at, value) in timestamps.iter().zip(values) {
            moved.put(labels, at + EDGE_MS, *value);
        }
    }
    moved
}

fn series(source: &mut MemorySource, random: &mut Random, labels: &Labels, counter: bool, length_ms: i64) {
    let wild = random.percent(10);
    let mut value = random.below(40) as f64 / 2.0;
    let mut at = 0;
    while at < length_ms {
        if random.percent(2) {
            source.put(labels, at, STALE);
            at += INTERVAL_MS * (1 + random.below(4) as i64);
        } else if random.percent(4) {
            at += INTERVAL_MS * (1 + random.below(30) as i64);
        }
        let step = random.below(9) as f64 / 2.0;
        value = match counter {
            true if random.percent(5) => step,
            true => value + step,
            false => value + step - 2.0,
        };
        let odd = wild && !counter && random.percent(10);
        let shown = if odd { [f64::NAN, f64::INFINITY, f64::NEG_INFINITY][random.below(3)] } else { value };
        source.put(labels, at, shown);
        at += INTERVAL_MS;
    }
}
