//! Reading bodies: limits, parts, deadlines, and the memory they share.

use super::*;
use futures_util::future::join_all;
use http_body_util::{
    Full,
    channel::{Channel, Sender},
};

fn full(bytes: usize) -> Full<Bytes> {
    Full::new(Bytes::from(vec![b' '; bytes]))
}

#[tokio::test]
async fn a_body_is_read_up_to_its_limit_and_no_further() {
    let budget = Budget::known();
    assert_eq!(read(full(8), 8, &budget, None).await.unwrap().0.len(), 8);
    assert_eq!(read(full(9), 8, &budget, None).await.unwrap_err().kind(), ProblemType::PayloadTooLarge);
}

#[tokio::test]
async fn what_is_left_of_a_refused_body_is_read_up_to_a_bound() {
    let most = DROPPED_BYTES_MAX >> 20;
    for parts in [3, most, 2 * most] {
        let (mut sender, mut body) = Channel::<Bytes>::new(1);
        let send = async move {
            let mut sent = 0;
            let part = Bytes::from(vec![0; 1 << 20]);
            while sent < parts && sender.send_data(part.clone()).await.is_ok() {
                sent += 1;
            }
            sent
        };
        let drop_all = async {
            drop_rest(&mut body).await;
            drop(body);
        };
        let (sent, ()) = tokio::join!(send, drop_all);
        // One more is on its way, and one passes the bound.
        assert!(sent >= parts.min(most) && sent <= most + 2, "{sent} of {parts}");
    }
}

#[tokio::test]
async fn a_body_in_one_part_is_taken_as_it_lies() {
    let sent = Bytes::from_static(b"as it lies");
    let budget = Budget::known();
    let (read, _share) = read(Full::new(sent.clone()), 100, &budget, None).await.unwrap();
    assert_eq!(read.as_ptr(), sent.as_ptr());
}

#[tokio::test(start_paused = true)]
async fn a_body_in_parts_is_put_together_and_counted_as_a_whole() {
    for (bytes_max, long) in [(6, Ok("abcdef")), (5, Err(ProblemType::PayloadTooLarge))] {
        let (mut sender, body) = Channel::<Bytes>::new(1);
        let budget = Budget::known();
        let send = async move {
            for part in ["ab", "cd", "ef"] {
                tokio::time::sleep(PAUSE_MAX / 2).await;
                if sender.send_data(Bytes::from(part)).await.is_err() {
                    break;
                }
            }
        };
        let (read, ()) = tokio::join!(read(body, bytes_max, &budget, None), send);
        let read = read.map(|(bytes, _)| bytes).map_err(|refusal| refusal.kind());
        assert_eq!(read, long.map(Bytes::from));
        assert!(budget.share().grow(BODIES_BYTES_MAX - (2 << 20)), "all of it was given back");
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_ends_is_given_up() {
    let (_sender, endless) = Channel::<Bytes>::new(1);
    let budget = Budget::known();
    let refusal = read(endless, 8, &budget, None).await.unwrap_err();
    assert!(refusal.problem().detail.contains("30 s"), "{refusal:?}");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_only_drips_is_given_up() {
    let (mut sender, drips) = Channel::<Bytes>::new(1);
    let budget = Budget::known();
    let drip = async move {
        while sender.send_data(Bytes::from_static(b" ")).await.is_ok() {
            tokio::time::sleep(PAUSE_MAX / 2).await;
        }
    };
    let (read, ()) = tokio::join!(read(drips, 1_000, &budget, None), drip);
    let refusal = read.unwrap_err();
    assert!(refusal.problem().detail.contains("300 s"), "{refusal:?}");
}

#[tokio::test]
async fn bodies_together_stay_within_the_budget() {
    let budget = Budget::of(10);
    let first = read(full(8), 100, &budget, None).await.unwrap();
    assert_eq!(read(full(3), 100, &budget, None).await.unwrap_err().kind(), ProblemType::Overloaded);
    assert_eq!(read(full(2), 100, &budget, None).await.unwrap().0.len(), 2);
    drop(first);
    assert_eq!(read(full(10), 100, &budget, None).await.unwrap().0.len(), 10);
}

#[tokio::test(start_paused = true)]
async fn bodies_of_one_agent_that_are_on_their_way_stay_within_what_it_has() {
    let (budget, own) = (Budget::known(), AtomicUsize::new(WAITING_BYTES + 10));
    let (mut sender, slow) = Channel::<Bytes>::new(1);
    sender.send_data(Bytes::from_static(b"12345678")).await.unwrap();
    let first = read(slow, 100, &budget, Some(Own::of_agent(&own)));
    let second = async {
        tokio::time::sleep(PAUSE_MAX / 2).await;
        assert_eq!(own.load(std::sync::atomic::Ordering::Relaxed), 2);
        let (mut other, slow) = Channel::<Bytes>::new(1);
        other.send_data(Bytes::from_static(b"123")).await.unwrap();
        let refusal = read(slow, 100, &budget, Some(Own::of_agent(&own))).await.unwrap_err();
        assert_eq!(refusal.kind(), ProblemType::RateLimited);
        assert_eq!(
            read(full(50), 100, &budget, Some(Own::of_agent(&own))).await.unwrap().0.len(),
            50,
            "it was there at once"
        );
        drop(sender);
    };
    let (first, ()) = tokio::join!(first, second);
    assert_eq!(first.unwrap().0.len(), 8);
    assert_eq!(own.into_inner(), WAITING_BYTES + 10, "all of it was given back");
}

#[tokio::test(start_paused = true)]
async fn bodies_that_say_nothing_are_counted_too() {
    let silent = || Channel::<Bytes>::new(1);
    let strangers = Budget::of(WAITING_BYTES);
    let (senders, bodies): (Vec<_>, Vec<_>) = (0..2).map(|_| silent()).unzip();
    let all = join_all(bodies.into_iter().map(|body| read(body, 8, &strangers, None))).await;
    drop(senders);
    let details: Vec<_> = all.into_iter().map(|read| read.unwrap_err().problem().detail.clone()).collect();
    assert!(details.contains(&too_many().problem().detail), "one may not wait: {details:?}");
    assert!(details.contains(&too_slow(PAUSE_MAX).problem().detail), "the other may: {details:?}");
    assert_eq!(read(full(8), 8, &strangers, None).await.unwrap().0.len(), 8, "all of it was given back");

    let (agents, own) = (Budget::of(1), AtomicUsize::new(2 * WAITING_BYTES));
    let (senders, bodies): (Vec<_>, Vec<_>) = (0..3).map(|_| silent()).unzip();
    let all =
        join_all(bodies.into_iter().map(|body| read(body, 8, &agents, Some(Own::of_agent(&own))))).await;
    drop(senders);
    let kinds: Vec<_> = all.into_iter().map(|read| read.unwrap_err().kind()).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == ProblemType::RateLimited).count(), 1, "{kinds:?}");
    assert_eq!(own.into_inner(), 2 * WAITING_BYTES);
}

/// A body of which this is there, and whoever goes on with it.
async fn begun_with(part: &'static [u8]) -> (Sender<Bytes>, Channel<Bytes>) {
    let (mut sender, body) = Channel::new(1);
    sender.send_data(Bytes::from_static(part)).await.unwrap();
    (sender, body)
}

/// A sender's bodies are counted of its own and of what all senders have, waiting and all; another one's are not touched.
#[tokio::test(start_paused = true)]
async fn bodies_of_one_sender_that_are_on_their_way_stay_within_its_share() {
    let (budget, shares) = (Budget::of(10 * WAITING_BYTES), Shares::of_each(WAITING_BYTES + 10));
    let (one, other) = (shares.of("one"), shares.of("other"));
    let (begun, first) = begun_with(b"12345678").await;
    let first = read(first, 100, &budget, Some(Own::of_sender(&one)));
    let beside = async {
        tokio::time::sleep(PAUSE_MAX / 2).await;
        let (_begun, second) = begun_with(b"123").await;
        let refusal = read(second, 100, &budget, Some(Own::of_sender(&one))).await.unwrap_err();
        assert_eq!(refusal.kind(), ProblemType::Overloaded);
        assert!(refusal.problem().detail.contains("of this sender"), "{refusal:?}");
        let (begun_by_other, third) = begun_with(b"123").await;
        let third = read(third, 100, &budget, Some(Own::of_sender(&other)));
        let end = async { drop(begun_by_other) };
        assert_eq!(tokio::join!(third, end).0.unwrap().0.len(), 3);
        drop(begun);
    };
    let (first, ()) = tokio::join!(first, beside);
    assert_eq!(first.unwrap().0.len(), 8);
    assert!(budget.share().grow(10 * WAITING_BYTES), "all of it was given back");
    assert!(one.share().grow(WAITING_BYTES + 10) && !one.share().grow(WAITING_BYTES + 11));
}
