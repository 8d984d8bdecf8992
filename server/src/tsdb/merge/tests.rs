//! What a merge holds in memory does not follow the size of its rows.

use super::*;
use crate::tsdb::{
    Tier,
    record::{OwnedRows, OwnedScan},
    rows::{PointRow, SeriesId},
    schema::double_at,
    testing::{Bench, NOW, agent_id, sample},
};
use pingup_protocol::discovery::{Host, Scan};
use std::net::{IpAddr, Ipv4Addr};

/// Scans of a network that does not change: nothing that repeats may hide how large they are.
fn scan(seq: u64, hosts: u16) -> OwnedScan {
    let host = |number: u16| {
        let [high, low] = number.to_be_bytes();
        Host {
            ip: IpAddr::from(Ipv4Addr::new(10, 0, high, low)),
            latency: None,
            ports: vec![22, 80],
            hostname: None,
            mac: None,
        }
    };
    let scan = Scan { duration: 1.0, hosts: (0..hosts).map(host).collect(), ..Scan::default() };
    OwnedScan { agent_id: agent_id("a"), stream: Some((1, seq)), timestamp: NOW.plus_seconds(-300), scan }
}

/// The largest batch of two merged parts, each of `rows`: its rows, and the bytes of its largest column.
fn largest(rows: impl Fn(u64) -> OwnedRows, tier: Tier, order: Order) -> (usize, usize) {
    let mut bench = Bench::new();
    for half in 0..2 {
        bench.append(&rows(half)).unwrap();
        bench.seal_all();
    }
    let parts: Vec<_> =
        bench.tsdb.view().parts.iter().filter(|part| part.row().tier == tier).cloned().collect();
    assert_eq!(parts.len(), 2);
    let inputs = Merged::open(&parts, order).unwrap().inputs;
    let batches = inputs
        .into_iter()
        .flat_map(|Input { reader, batch, .. }| std::iter::once(Ok(batch)).chain(reader).map(Result::unwrap));
    let sizes = batches.map(|batch| {
        let bytes = batch.columns().iter().map(|column| column.get_array_memory_size());
        (batch.num_rows(), bytes.max().unwrap())
    });
    sizes.fold((0, 0), |(rows, bytes), (r, b)| (rows.max(r), bytes.max(b)))
}

#[test]
fn large_rows_make_small_batches() {
    let scans = |half| OwnedRows {
        scans: (0..100).map(|seq| scan(half * 100 + seq, 1_000)).collect(),
        ..OwnedRows::default()
    };
    let (rows, bytes) = largest(scans, Tier::Scans, SCANS_ORDER);
    assert!(rows < 100, "{rows} rows in a batch");
    // Buffers grow by doubling.
    assert!(bytes as u64 <= 4 * BATCH_BYTES, "{bytes} bytes in a batch");
}

#[test]
fn small_rows_make_batches_of_full_length() {
    let samples = |half| OwnedRows {
        samples: (0..5_000).map(|seq| sample("a", (1, half * 5_000 + seq), NOW.plus_seconds(-300))).collect(),
        ..OwnedRows::default()
    };
    let (rows, _) = largest(samples, Tier::Raw, RAW_ORDER);
    assert_eq!(rows, BATCH_ROWS_MAX);
}

/// A moment that is in every part counts once, also where its rows lie in different batches.
#[test]
fn points_that_were_sent_again_are_written_once() {
    let mut bench = Bench::new();
    let at = |n: i64| NOW.as_micros() / 1_000 - 20_000_000 + n * 1_000;
    for value in [2.0, f64::NAN, 7.0, 2.0] {
        let point = |n: i64| PointRow { series: SeriesId::new(1 + (n / 5_000) as u32), at_ms: at(n), value };
        let points = (0..10_000).map(point).collect();
        bench.append(&OwnedRows { points, ..OwnedRows::default() }).unwrap();
        bench.seal_all();
    }
    let parts = bench.tsdb.view().parts.clone();
    assert_eq!(parts.iter().map(|part| part.row().rows).sum::<u64>(), 40_000);
    for inputs in [&parts[..], &parts[1..2]] {
        let rows: usize = Once::new(Merged::open(inputs, Order::Points).unwrap())
            .map(|batch| {
                let batch = batch.unwrap();
                let values = (0..batch.num_rows()).map(|row| double_at(&batch, 2, row).unwrap());
                assert!(inputs.len() == 1 || values.into_iter().all(|value| value == 7.0));
                batch.num_rows()
            })
            .sum();
        assert_eq!(rows, 10_000);
    }
}
