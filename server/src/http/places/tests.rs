//! Places and who gives way, with conversations that only wait.

use super::*;
use std::net::SocketAddr;

const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

fn peer(address: &str) -> Peer {
    Peer { address: SocketAddr::new(address.parse().unwrap(), 1), is_tls: false }
}

/// A connection that says nothing.
async fn silent(places: &Arc<Places>, address: &str) -> (tokio::task::JoinHandle<()>, Arc<Seat>) {
    let place = places.free().await.unwrap();
    let seat = places.seat(peer(address), place, NOW).unwrap();
    let kept = Arc::clone(&seat);
    let conversation = tokio::spawn(async move {
        std::future::pending::<()>().await;
        drop(kept);
    });
    seat.give_way_by(conversation.abort_handle());
    (conversation, seat)
}

fn places(all: usize, limits: Limits) -> Arc<Places> {
    Places::new(all, limits, Arc::default())
}

#[tokio::test(start_paused = true)]
async fn silent_connections_keep_nobody_out() {
    let places = places(16, Limits::default());
    let (proven, seat) = silent(&places, "127.0.0.1").await;
    seat.prove(|| Proof::Operator);
    assert!(seat.is_proven());
    drop(seat);
    for _ in 0..100 {
        silent(&places, "127.0.0.1").await;
    }
    assert!(places.taken() <= 16);
    assert!(places.figures.connections_evicted.get() >= 84, "each newcomer found a place");
    assert!(!proven.is_finished(), "who is proven keeps its place");
}

#[tokio::test(start_paused = true)]
async fn who_has_one_connection_loses_it_last() {
    let places = places(16, Limits::default());
    let (lone, seat) = silent(&places, "10.0.0.9").await;
    drop(seat);
    for _ in 0..40 {
        silent(&places, "127.0.0.1").await;
    }
    assert!(!lone.is_finished());
}

#[tokio::test(start_paused = true)]
async fn operators_prove_an_eighth_and_leave_it_again() {
    let places = places(16, Limits::default());
    let mut seats = Vec::new();
    for _ in 0..3 {
        let (conversation, seat) = silent(&places, "127.0.0.1").await;
        seat.prove(|| Proof::Operator);
        seats.push((conversation, seat));
    }
    let proven = |seats: &[(_, Arc<Seat>)]| seats.iter().filter(|(_, seat)| seat.is_proven()).count();
    assert_eq!(proven(&seats), 2);
    let (conversation, seat) = seats.remove(0);
    conversation.abort();
    assert!(conversation.await.is_err());
    drop(seat);
    seats[1].1.prove(|| Proof::Operator);
    assert_eq!(proven(&seats), 2, "its place is another's");
}

#[tokio::test]
async fn an_address_is_turned_away_at_its_limit_and_this_machine_is_not() {
    let places = places(4, Limits::default());
    let mut seats = Vec::new();
    for _ in 0..2 {
        let place = places.free().await.unwrap();
        seats.push(places.seat(peer("10.0.0.1"), place, NOW).unwrap());
    }
    let place = places.free().await.unwrap();
    let turned = places.seat(peer("10.0.0.1"), place, NOW);
    assert_eq!(turned.err(), Some(Turned::TooMany));
    assert_eq!((places.taken(), places.figures.connections_refused.get()), (2, 1));
    for _ in 0..2 {
        let place = places.free().await.unwrap();
        seats.push(places.seat(peer("::1"), place, NOW).unwrap());
    }
}
