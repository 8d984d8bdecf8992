//! The ring's bounds and places, and streams on a clock that stands still until it is moved.

mod streams;

use super::{ring::PAGE_EVENTS_MAX, *};
use std::collections::VecDeque;

const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);
const ALL: Filter = Filter { types: None, agent_id: None };

fn agent(name: &str) -> AgentId {
    AgentId::parse(name).unwrap()
}

fn came(name: &str) -> Event {
    Event::Agent(AgentEvent { agent_id: agent(name), change: AgentChange::Online, at: NOW })
}

fn queued(name: &str, command_id: &str) -> Event {
    let (agent_id, command_id) = (agent(name), command_id.to_owned());
    Event::Command(CommandEvent { agent_id, command_id, status: CommandStatus::Pending, at: NOW })
}

fn ring(events_max: usize) -> Ring {
    Ring::new(NOW, events_max, RING_BYTES_MAX)
}

fn numbers(page: &Page) -> Vec<u64> {
    page.events.iter().map(|(number, _)| *number).collect()
}

#[test]
fn the_newest_are_kept_by_count_and_by_bytes() {
    let by_count = ring(3);
    assert_eq!(by_count.tell((0..5).map(|_| came("a"))), 5);
    assert_eq!(numbers(&by_count.read(2, &ALL).unwrap()), [3, 4, 5]);
    assert_eq!(by_count.read(1, &ALL).unwrap_err(), Behind);
    assert_eq!(by_count.read(6, &ALL).unwrap_err(), Behind, "nobody can be ahead");

    let large = || queued("a", &"x".repeat(1_000));
    let by_bytes = Ring::new(NOW, 100, 2 * large().bytes() + 500);
    by_bytes.tell([came("a"), large(), large(), large()]);
    assert_eq!(numbers(&by_bytes.read(2, &ALL).unwrap()), [3, 4]);
    assert_eq!(by_bytes.read(1, &ALL).unwrap_err(), Behind);
    let too_large = Ring::new(NOW, 100, 10);
    too_large.tell([came("a")]);
    assert_eq!(too_large.open(None), Opening::Ready(1), "told, and gone");
    assert_eq!(too_large.read(0, &ALL).unwrap_err(), Behind);
}

#[test]
fn an_id_leads_back_to_its_place_or_to_a_reset() {
    let ring = ring(3);
    assert_eq!(ring.open(Some(&ring.id(0))), Opening::Ready(0), "before the first event, too");
    ring.tell((0..5).map(|_| came("a")));
    assert_eq!(ring.open(None), Opening::Ready(5));
    for kept in 2..=5 {
        assert_eq!(ring.open(Some(&ring.id(kept))), Opening::Ready(kept));
    }
    let start = NOW.as_micros();
    let lost = [
        ring.id(1),
        ring.id(6),
        format!("{}-4", start - 1),
        format!("{start}-04"),
        format!("{start}-+4"),
        format!("{start}-4-4"),
        format!("{start}-99999999999999999999"),
        format!("{start}"),
        "4".to_owned(),
        String::new(),
    ];
    for id in lost {
        assert_eq!(ring.open(Some(&id)), Opening::Reset(5), "{id:?}");
    }
    let later = Ring::new(NOW.plus_seconds(1), 3, RING_BYTES_MAX);
    assert_eq!(later.open(Some(&ring.id(0))), Opening::Reset(0), "another run of the hub");
}

#[test]
fn a_look_is_bounded_and_goes_on_where_it_ended() {
    let ring = ring(10_000);
    ring.tell((0..10_000).map(|n| came(if n == 9_999 { "b" } else { "a" })));
    let page = ring.read(0, &ALL).unwrap();
    assert_eq!((page.events.len(), page.place, page.more), (PAGE_EVENTS_MAX, PAGE_EVENTS_MAX as u64, true));
    let rare = Filter { agent_id: Some(agent("b")), ..ALL };
    let (mut place, mut looks) = (0, 0);
    let found = loop {
        let page = ring.read(place, &rare).unwrap();
        (place, looks) = (page.place, looks + 1);
        if !page.more {
            break page;
        }
        assert!(page.events.is_empty());
    };
    assert_eq!((numbers(&found), place), (vec![10_000], 10_000));
    assert!((2..100).contains(&looks), "{looks}");
}

/// Whatever is told and read, in whatever order: a reader sees all that is wanted, in order, or hears that it cannot.
#[test]
fn readers_see_all_or_hear_that_they_cannot() {
    for seed in 0..200_u64 {
        let mut random = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut up_to = move |most: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % (most + 1)
        };
        let events_max = 1 + usize::try_from(up_to(20)).unwrap();
        let ring = ring(events_max);
        let wanted = Filter { agent_id: Some(agent("a")), ..ALL };
        // What a naive reader would have to see, and how far it is.
        let (mut told, mut due, mut place) = (0, VecDeque::new(), 0);
        for _ in 0..200 {
            for _ in 0..up_to(8) {
                told += 1;
                let is_wanted = up_to(1) == 0;
                ring.tell([came(if is_wanted { "a" } else { "b" })]);
                if is_wanted {
                    due.push_back(told);
                }
            }
            if up_to(2) > 0 {
                continue;
            }
            match ring.read(place, &wanted) {
                Ok(page) => {
                    assert!(told - place <= events_max as u64, "seed {seed}");
                    for number in numbers(&page) {
                        assert_eq!(due.pop_front(), Some(number), "seed {seed}");
                    }
                    assert!(due.is_empty(), "seed {seed}: so few fit a page");
                    place = page.place;
                }
                Err(Behind) => {
                    assert!(told - place > events_max as u64, "seed {seed}");
                    place = told;
                    due.clear();
                }
            }
            assert_eq!(place, told, "seed {seed}");
        }
    }
}
