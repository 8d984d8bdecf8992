//! The largest bodies, and the largest group that the writer makes of them, in a segment that is all but full.

use super::*;
use crate::{
    ingest::writer::GROUP_ROWS_MAX,
    tsdb::{
        Tier,
        head::{SEGMENT_BYTES_MAX, SEGMENT_ROWS_MAX},
        record::OwnedRows,
    },
};
use pingup_protocol::limits::BATCH_SAMPLES_MAX;

#[tokio::test]
async fn a_large_batch_is_read_off_the_serving_threads_and_stored_whole() {
    let hub = hub().await;
    let samples: Vec<_> = (1..=3_000).map(|seq| (seq, 0, r#"{"cpu":1,"load1":0.5}"#)).collect();
    assert_eq!(hub.metrics(batch(1, &samples)).await.unwrap().accepted, 3_000);
    let stored = hub.samples();
    assert_eq!(stored.len(), 3_000);
    assert!(stored.iter().all(|sample| sample.metrics.further == [("load1".to_owned(), 0.5)]));
}

/// Several full batches that waited together are one group, and a group is never parted: so much a segment may have
/// beyond its bound, in rows and in memory.
#[test]
fn several_full_batches_go_into_one_segment_whole() {
    let mut bench = Bench::new();
    let before = SEGMENT_ROWS_MAX as u64 - 1;
    let samples = (1..=before).map(|seq| history::sample("z", (1, seq), NOW));
    bench.append(&OwnedRows { samples: samples.collect(), ..OwnedRows::default() }).unwrap();
    assert!(!bench.tsdb.view().segments[0].is_full(), "one row is missing");
    let batch = BATCH_SAMPLES_MAX as u64;
    // The last is taken because a row is missing before it.
    let missing = GROUP_ROWS_MAX as u64 % batch + batch - 1;
    let full = (GROUP_ROWS_MAX as u64 - 1 - missing) / batch;
    let sizes = std::iter::repeat_n(batch, usize::try_from(full).unwrap()).chain([missing, batch, 1]);
    let figures = Arc::<Figures>::default();
    let queue = Arc::new(Queue::new(100, usize::MAX, Arc::clone(&figures)));
    let waiting: Vec<_> = sizes
        .clone()
        .enumerate()
        .map(|(agent, rows)| queue.push(testing::numbered(&format!("agent-{agent}"), 1, 1..=rows)).unwrap())
        .collect();
    let Bench { tsdb, appender, scratch: _scratch, .. } = bench;
    let writer = Writer::start(Arc::clone(&queue), appender, Arc::default(), Arc::clone(&figures)).unwrap();
    for (waiting, rows) in waiting.into_iter().zip(sizes.clone()) {
        assert_eq!(waiting.blocking_recv().unwrap().unwrap().accepted, rows);
    }
    writer.stop();
    let all: u64 = sizes.sum();
    assert_eq!(figures.batches.get(), 2, "the last sample is a group of its own");
    let view = tsdb.view();
    let [first, second] = &view.segments[..] else { panic!("{} segments", view.segments.len()) };
    assert_eq!((first.samples() as u64, second.samples()), (before + all - 1, 1));
    assert!(all - 1 < (GROUP_ROWS_MAX + BATCH_SAMPLES_MAX) as u64);
    assert!(first.is_full() && first.bytes() < 2 * SEGMENT_BYTES_MAX, "{} bytes", first.bytes());
    drop(view);
    assert!(tsdb.seal_oldest().unwrap());
    let parts: u64 =
        tsdb.view().parts_for(Tier::Raw, None, &history::EVER).iter().map(|part| part.row().rows).sum();
    assert_eq!(parts, before + all - 1);
}
