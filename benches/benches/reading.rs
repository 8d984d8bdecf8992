//! What it costs to read verified bytes as samples, and to write the hub's answer.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use pingup_benches::messages::{BATCH_SAMPLES, Message, messages};
use pingup_protocol::{
    metrics::{MetricsBody, PushAnswer},
    time::Timestamp,
};
use std::hint::black_box;

fn read(bench: &mut Criterion) {
    let messages = messages().unwrap_or_else(|error| panic!("{error:?}"));
    let mut group = bench.benchmark_group("read");
    for Message { name, body, samples } in &messages {
        group.throughput(Throughput::Elements(*samples));
        group.bench_with_input(BenchmarkId::from_parameter(name), body, |bench, body| {
            bench.iter(|| MetricsBody::read(black_box(body)));
        });
    }
    group.finish();
}

fn moments(bench: &mut Criterion) {
    for text in ["2026-11-21T05:20:00Z", "2026-11-21T05:20:00.123457Z", "2026-11-21T06:20:00.123457+01:00"] {
        bench.bench_with_input(BenchmarkId::new("time/parse", text), &text, |bench, text| {
            bench.iter(|| Timestamp::parse(black_box(text)));
        });
    }
    let moment = Timestamp::from_micros(1_795_238_400_123_457);
    bench.bench_function("time/display", |bench| bench.iter(|| black_box(moment).to_string()));
    bench.bench_function("time/serialise", |bench| {
        let mut out = Vec::with_capacity(64);
        bench.iter(|| {
            out.clear();
            serde_json::to_writer(&mut out, &black_box(moment)).is_ok()
        });
    });
}

fn answer(bench: &mut Criterion) {
    let answer = PushAnswer {
        accepted: BATCH_SAMPLES,
        duplicates: 0,
        duplicates_expired: 0,
        expired: 0,
        rejected: Vec::new(),
        high_water: Some(123_456),
        server_time: Timestamp::from_micros(1_795_238_400_123_457),
    };
    bench.bench_function("answer", |bench| bench.iter(|| serde_json::to_vec(black_box(&answer))));
}

criterion_group!(benches, read, moments, answer);
criterion_main!(benches);
