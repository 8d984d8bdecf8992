//! Histograms at a limit of series: each is there whole or not at all, and what is told are points.

use super::*;
use crate::series::{handler::tests::doors, tests::NOW_MS};
use tokio::runtime::Runtime;

const BOUNDS: usize = 900;
/// Buckets, the last of which has no bound, and a count.
const SERIES: usize = BOUNDS + 2;

fn histograms(count: usize) -> Value {
    let bounds: Vec<_> = (0..BOUNDS).collect();
    let point = |n: usize| {
        json!({
            "timeUnixNano": (NOW_MS * 1_000_000).to_string(), "count": BOUNDS + 1, "explicitBounds": bounds,
            "bucketCounts": vec![1; BOUNDS + 1], "attributes": [{"key": "i", "value": {"intValue": n}}]
        })
    };
    let points: Vec<_> = (0..count).map(point).collect();
    of_service(json!([{"name": "h", "histogram": {"aggregationTemporality": 2, "dataPoints": points}}]))
}

#[test]
fn at_a_limit_a_histogram_is_kept_whole_or_not_at_all_and_counts_once() {
    let (count, whole) = (30, 17);
    let (doors, _bench, room) = doors(whole * SERIES + 100);
    let body = serde_json::to_vec(&histograms(count)).unwrap();
    let told = Runtime::new().unwrap().block_on(async {
        let reading = move |brought: &mut Brought| read(Encoding::Json, &body, brought);
        // As one that is short: all of it is committed once it is read.
        let taken = doors.take("ada".to_owned(), 0, reading).await;
        let Ok((points, outcome)) = taken else { panic!("it is taken") };
        let answer = answer::taken(Encoding::Json, points, outcome);
        axum::body::to_bytes(answer.into_body(), usize::MAX).await.unwrap()
    });
    let told: Value = serde_json::from_slice(&told).unwrap();
    let rejected = told["partialSuccess"]["rejectedDataPoints"].as_str().unwrap();
    let rejected: usize = rejected.parse().unwrap();

    let of = |name: &str| {
        let counts = room.register.counts();
        counts.metrics.iter().find(|(metric, _)| **metric == *name).map_or(0, |(_, count)| *count)
    };
    let kept = of("h_count");
    assert!((1..=whole).contains(&kept), "{kept}");
    assert_eq!(of("h_bucket"), kept * (BOUNDS + 1), "none is torn");
    assert!((count - kept..=count).contains(&rejected), "{rejected} of {count}, {kept} were kept");
}
