//! Who sends bad tokens to operators' doors is not listened to for a while; those beside are.

mod hosts;

use super::ASKED;
use crate::harness::{Hub, agent::now, eventually, refused};

#[test]
fn an_address_that_guesses_is_locked_and_nobody_beside_it_is() {
    let mut hub = Hub::start_with(&[("PINGUP_BAD_TOKENS_PER_MINUTE", "3"), ("PINGUP_LOG", "warn")]);
    let (viewer, agent) = (hub.operator("viewer"), hub.register("A"));
    viewer.get(ASKED).expect(200);
    let bad = hub.wire.with_token("guessed");
    for _ in 0..4 {
        refused(&bad.get(ASKED), 401, "token-invalid");
    }
    // The first lock may be over on a slow machine; then the next, which is longer.
    let locked =
        eventually("the address is locked", || Some(bad.get(ASKED)).filter(|answer| answer.status == 429));
    assert_eq!(refused(&locked, 429, "rate-limited")["retryable"], true);
    assert!(locked.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);

    viewer.get(ASKED).expect(200);
    agent.post("/api/v1/metrics", &agent.sample(now(), 1.0)).expect(200);
    agent.pending("");
    let sender = hub.operator("writer");
    let young = eventually("a token that was just made is heard of", || {
        let answer = sender.get(ASKED);
        (answer.status != 429).then_some(answer)
    });
    refused(&young, 403, "scope-denied");

    // A fleet behind the same address is not counted: neither at agents' doors, nor where both may come.
    let elsewhere = Hub::start().register("A").wire.token().to_owned();
    let stranger = hub.wire.with_token(&elsewhere);
    for _ in 0..10 {
        refused(&stranger.get("/api/v1/config/A?nonce=n"), 401, "token-invalid");
        refused(&stranger.post_bytes("/api/v1/metrics", b"{}"), 401, "token-invalid");
    }
    let figures = viewer.get("/metrics");
    let counted = |reason: &str| {
        let start = format!("pingup_operator_tokens_refused_total{{reason=\"{reason}\"}} ");
        let line = figures.text().lines().find_map(|line| line.strip_prefix(&start)).unwrap().to_owned();
        line.parse::<u64>().unwrap()
    };
    assert!(counted("invalid") >= 4 && counted("locked") >= 1 && counted("role") >= 1, "{}", figures.text());
    let log = hub.stop();
    assert!(
        log.contains("too many bad tokens") && log.contains("127.0.0.1") && !log.contains("guessed"),
        "{log}"
    );
}

#[test]
fn agents_that_come_with_bad_tokens_lock_nobody() {
    let hub = Hub::start_with(&[("PINGUP_BAD_TOKENS_PER_MINUTE", "0")]);
    let elsewhere = Hub::start().register("A").wire.token().to_owned();
    let stranger = hub.wire.with_token(&elsewhere);
    for _ in 0..10 {
        refused(&stranger.get("/api/v1/config/A?nonce=n"), 401, "token-invalid");
        refused(&stranger.get("/api/v1/commands/pending/A?nonce=n"), 401, "token-invalid");
    }
    // Nor does one of this hub that knocks at operators' doors.
    let own = hub.register("A");
    for _ in 0..10 {
        refused(&own.wire.get(ASKED), 401, "token-invalid");
    }
    // The first bad one of an operator locks; that it is 401 says that nothing was locked before it.
    refused(&hub.wire.with_token("guessed").get(ASKED), 401, "token-invalid");
}
