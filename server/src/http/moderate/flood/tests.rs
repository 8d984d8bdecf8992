//! When a flood is told, and what of it.

use super::*;
use std::net::Ipv4Addr;

const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

fn host(number: u32) -> Doer {
    Doer::Address(Ipv4Addr::from_bits(0x0a00_0000 + number).into())
}

fn agent(id: &str) -> Doer {
    Doer::Agent(AgentId::parse(id).unwrap())
}

fn after(seconds: i64) -> Timestamp {
    NOW.plus_seconds(seconds)
}

#[test]
fn a_flood_is_told_when_it_begins_each_minute_and_when_it_is_over() {
    let mut book = Book::default();
    assert_eq!(book.look(0, NOW), None);
    for _ in 0..3 {
        book.add((host(1), "requests"), 1);
    }
    let of = "10.0.0.1: 3 requests".to_owned();
    assert_eq!(book.look(0, NOW), Some(Line::Begins(Counted { times: 3, of, given_way: 0 })));
    for second in 1..MINUTE_SECONDS {
        book.add((agent("web"), "bodies"), 2);
        assert_eq!(book.look(7, after(second)), None, "one line a minute");
    }
    let of = "agent web: 118 bodies".to_owned();
    let goes_on = Line::GoesOn(Counted { times: 118, of, given_way: 7 });
    assert_eq!(book.look(7, after(MINUTE_SECONDS)), Some(goes_on));
    assert_eq!(book.look(7, after(2 * MINUTE_SECONDS - 1)), None);
    let over = Line::Over { seconds: 120, times: 121 };
    assert_eq!(book.look(7, after(2 * MINUTE_SECONDS)), Some(over));
    assert_eq!(book.look(7, after(4 * MINUTE_SECONDS)), None, "told once");
    let given_way = Counted { times: 0, of: String::new(), given_way: 1 };
    assert_eq!(book.look(8, after(5 * MINUTE_SECONDS)), Some(Line::Begins(given_way)));
}

#[test]
fn a_line_names_those_with_most_and_counts_the_others() {
    let mut book = Book::default();
    for number in 0..10_000 {
        book.add((host(number), "requests"), 1);
    }
    assert_eq!(book.named.len(), NAMED_MAX);
    // Who is known has room of his own.
    book.add((agent("web"), "requests"), 20);
    book.add((Doer::Token("otel".to_owned()), "requests"), 30);
    let Some(Line::Begins(Counted { times, of, .. })) = book.look(0, NOW) else { panic!("it begins") };
    assert_eq!(times, 10_050);
    assert_eq!(
        of,
        "token \"otel\": 30 requests; agent web: 20 requests; 10.0.0.0: 1 requests; 10.0.0.1: 1 requests; \
         10.0.0.10: 1 requests; others: 9997"
    );
    assert!(book.named.is_empty() && book.others == 0);
    for number in 0..10_000 {
        book.add((agent(&format!("a-{number}")), "requests"), 1);
    }
    assert_eq!(book.named.len(), NAMED_MAX);
}

#[test]
fn a_clock_that_is_set_back_does_not_silence_it() {
    let mut book = Book::default();
    book.add((host(1), "requests"), 1);
    assert!(book.look(0, NOW).is_some());
    book.add((host(1), "requests"), 1);
    assert!(matches!(book.look(0, after(-3_600)), Some(Line::GoesOn(_))));
    assert_eq!(book.look(0, after(0)), Some(Line::Over { seconds: 0, times: 2 }));
}
