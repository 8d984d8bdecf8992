//! Streams: how they begin, what they tell, and how they end.

use super::*;
use crate::auth::token::Expiry;
use tokio::time::{Instant, sleep, timeout};

struct House {
    room: Arc<Events>,
    clock: Clock,
    figures: Arc<Figures>,
    stop: watch::Sender<bool>,
}

impl House {
    fn new(events_max: usize) -> Self {
        let (stop, stopping) = watch::channel(false);
        let (clock, figures) = (Clock::fixed(NOW), Arc::<Figures>::default());
        let room = Arc::new(Events::new(events_max, clock.clone(), Arc::clone(&figures), stopping));
        Self { room, clock, figures, stop }
    }

    /// The end of an operator's token that was made for so many seconds.
    fn until(&self, seconds: i64) -> Stay {
        Stay::until(Expiry::at(NOW.plus_seconds(seconds)))
    }

    fn open(&self, wanted: Filter, last_id: Option<&str>) -> Option<EventStream> {
        self.room.stream(wanted, last_id, self.until(86_400))
    }
}

/// What is said next: id, type and data, as far as it has them.
async fn next(stream: &mut EventStream) -> Option<(String, String, String)> {
    let text = stream.next().await?;
    assert!(text.ends_with("\n\n"), "{text:?}");
    let field = |name: &str| {
        let found =
            text.lines().filter_map(|line| line.strip_prefix(name)).map(str::trim).collect::<Vec<_>>();
        found.join("|")
    };
    Some((field("id:"), field("event:"), field("data:")))
}

async fn kind(stream: &mut EventStream) -> String {
    next(stream).await.unwrap().1
}

fn id(number: u64) -> String {
    format!("{}-{number}", NOW.as_micros())
}

#[tokio::test(start_paused = true)]
async fn a_stream_tells_what_happens_from_now_on() {
    let house = House::new(10);
    house.room.tell([came("a")]);
    let mut stream = house.open(ALL, None).unwrap();
    let (first, opening, _) = next(&mut stream).await.unwrap();
    assert_eq!((first, opening.as_str()), (id(1), "ready"));
    let (told, ()) =
        tokio::join!(next(&mut stream), async { house.room.tell([came("b"), queued("b", "C")]) });
    let (ids, kinds, data) = told.unwrap();
    assert_eq!((ids, kinds.as_str()), (format!("{}|{}", id(2), id(3)), "agent|command"));
    assert!(data.contains(r#"{"agentId":"b","change":"online","at":""#), "{data}");
    assert!(data.contains(r#"{"agentId":"b","commandId":"C","status":"pending","at":""#), "{data}");
    assert_eq!((house.figures.events.get(), house.figures.event_streams.get()), (3, 1));
    drop(stream);
    assert_eq!(house.figures.event_streams.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn who_comes_back_goes_on_or_begins_anew() {
    let house = House::new(3);
    house.room.tell((0..4).map(|_| came("a")));
    let mut back = house.open(ALL, Some(&id(2))).unwrap();
    assert_eq!(next(&mut back).await.unwrap().0, id(2));
    assert_eq!(next(&mut back).await.unwrap().0, format!("{}|{}", id(3), id(4)));
    let mut late = house.open(ALL, Some(&id(0))).unwrap();
    let (place, opening, _) = next(&mut late).await.unwrap();
    assert_eq!((place, opening.as_str()), (id(4), "reset"));
    house.room.tell([came("b")]);
    assert_eq!(next(&mut late).await.unwrap().0, id(5));
}

#[tokio::test(start_paused = true)]
async fn silence_is_broken_and_takes_the_place_along() {
    let house = House::new(3);
    let wanted = Filter { types: Some(vec![Type::Scan]), ..ALL };
    let mut stream = house.open(wanted, None).unwrap();
    assert_eq!(kind(&mut stream).await, "ready");
    let begun = Instant::now();
    // More goes by than the ring holds, none of it wanted, and a reader that keeps up misses nothing.
    let crowd = async {
        for _ in 0..14 {
            sleep(Duration::from_secs(1)).await;
            house.room.tell([came("a"), came("a")]);
        }
    };
    let (heartbeat, ()) = tokio::join!(stream.next(), crowd);
    assert_eq!(heartbeat.unwrap(), format!(": all is well\nid: {}\n\n", id(28)));
    assert_eq!(begun.elapsed(), HEARTBEAT);
    let mut back = house.open(ALL, Some(&id(28))).unwrap();
    assert_eq!(kind(&mut back).await, "ready");
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_is_lapped_is_cut_and_told() {
    let house = House::new(3);
    let mut stream = house.open(ALL, None).unwrap();
    assert_eq!(kind(&mut stream).await, "ready");
    house.room.tell((0..4).map(|_| came("a")));
    let (ends_with, end, data) = next(&mut stream).await.unwrap();
    assert_eq!((ends_with.as_str(), end.as_str()), ("", "end"), "it comes back with the id it had");
    assert!(data.contains(r#""why":"behind""#), "{data}");
    assert_eq!(stream.next().await, None);
    assert_eq!(house.figures.event_streams_behind.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_revoked_token_ends_its_stream() {
    let house = House::new(3);
    let (stay, revoke) = Stay::revocable();
    let mut stream = house.room.stream(ALL, None, stay).unwrap();
    assert_eq!(kind(&mut stream).await, "ready");
    let begun = Instant::now();
    let (ended, ()) = tokio::join!(next(&mut stream), async { revoke() });
    assert!(ended.unwrap().2.contains(r#""why":"token-revoked""#));
    assert_eq!(begun.elapsed(), Duration::ZERO, "at once");
    assert_eq!(stream.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn an_expired_token_ends_its_stream() {
    let house = House::new(3);
    let mut stream = house.room.stream(ALL, None, house.until(5)).unwrap();
    assert_eq!(kind(&mut stream).await, "ready");
    let begun = Instant::now();
    let passing = async {
        for _ in 0..5 {
            sleep(Duration::from_secs(1)).await;
            house.clock.advance(1);
        }
    };
    let (ended, ()) = tokio::join!(next(&mut stream), passing);
    assert!(ended.unwrap().2.contains(r#""why":"token-expired""#));
    assert!(begun.elapsed() < HEARTBEAT, "not only with the next heartbeat");
    assert_eq!(stream.next().await, None);
    assert_eq!(house.figures.event_streams_behind.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_hubs_stop_ends_them_all_at_once() {
    let house = House::new(3);
    let mut waiting = house.open(ALL, None).unwrap();
    assert_eq!(kind(&mut waiting).await, "ready");
    let begun = Instant::now();
    let (ended, was_stopping) = tokio::join!(next(&mut waiting), async { house.stop.send_replace(true) });
    assert!(!was_stopping);
    assert!(ended.unwrap().2.contains(r#""why":"stopping""#));
    let mut late = house.open(ALL, None).unwrap();
    house.room.tell([came("a")]);
    assert_eq!(kind(&mut late).await, "ready");
    assert_eq!(kind(&mut late).await, "end");
    assert_eq!(begun.elapsed(), Duration::ZERO);

    let House { room, stop, .. } = House::new(3);
    let mut left = room.stream(ALL, None, house.until(60)).unwrap();
    drop(stop);
    assert_eq!(
        [kind(&mut left).await, kind(&mut left).await],
        ["ready", "end"],
        "a hub that is gone has stopped"
    );
}

#[tokio::test(start_paused = true)]
async fn places_are_bounded_and_given_back() {
    let house = House::new(3);
    let mut open: Vec<_> = (0..STREAMS_MAX).map(|_| house.open(ALL, None).unwrap()).collect();
    assert!(house.open(ALL, None).is_none());
    assert_eq!(house.figures.event_streams.get(), STREAMS_MAX as u64);
    open.pop();
    let mut last = house.open(ALL, None).unwrap();
    assert_eq!(kind(&mut last).await, "ready");
    assert!(timeout(HEARTBEAT / 2, last.next()).await.is_err(), "nothing happens");
    house.room.tell([came("a")]);
    for stream in &mut open {
        assert_eq!(kind(stream).await, "ready");
        assert_eq!(kind(stream).await, "agent");
    }
}
