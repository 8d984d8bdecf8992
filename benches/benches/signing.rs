//! What it costs to look through a signed body, to verify it, and to sign one.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use pingup_benches::messages::{Message, key, messages, samples, single};
use pingup_protocol::{
    ids::AgentId,
    metrics::BatchBody,
    signing::{self, Key},
};
use std::hint::black_box;

fn receive(bench: &mut Criterion) {
    let messages = messages().unwrap_or_else(|error| panic!("{error:?}"));
    let key = key();
    let mut group = bench.benchmark_group("receive");
    for Message { name, body, .. } in &messages {
        assert!(signing::scan(body).is_ok_and(|scanned| scanned.verify(&key)), "{name}");
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_with_input(BenchmarkId::new("scan", name), body, |bench, body| {
            bench.iter(|| signing::scan(black_box(body)).is_ok());
        });
        group.bench_with_input(BenchmarkId::new("scan and verify", name), body, |bench, body| {
            bench.iter(|| signing::scan(black_box(body)).is_ok_and(|scanned| scanned.verify(&key)));
        });
    }
    group.finish();
}

/// A short message costs four blocks of SHA-256: the keyed state is made once, not for every message.
fn mac(bench: &mut Criterion) {
    let key = key();
    let mut group = bench.benchmark_group("mac");
    for bytes in [32_usize, 400, 64 * 1024] {
        let message = vec![b'x'; bytes];
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_with_input(BenchmarkId::from_parameter(bytes), &message, |bench, message| {
            bench.iter(|| signing::signature_of(&key, &[black_box(message)]));
        });
    }
    group.finish();
    bench.bench_function("mac/keying", |bench| {
        let secret = pingup_protocol::keys::Secret::new([9; 32]);
        bench.iter(|| Key::new(black_box(&secret)));
    });
}

fn sign(bench: &mut Criterion) {
    let (key, samples) = (key(), samples());
    let single = single().unwrap_or_else(|error| panic!("{error:?}"));
    let agent_id = AgentId::parse("AGENT-000123").unwrap_or_else(|error| panic!("{error}"));
    bench.bench_function("sign/single", |bench| {
        bench.iter(|| signing::sign(&key, black_box(&single)).is_ok());
    });
    bench.bench_function("sign/batch", |bench| {
        let body = BatchBody { agent_id: &agent_id, boot: 7, samples: &samples };
        bench.iter(|| signing::sign(&key, black_box(&body)).is_ok());
    });
}

criterion_group!(benches, receive, mac, sign);
criterion_main!(benches);
