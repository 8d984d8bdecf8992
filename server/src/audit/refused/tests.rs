//! Floods of strangers and of those who are known, and what of them is told.

use super::*;
use crate::auth::Role;
use pingup_protocol::ids::AgentId;
use serde_json::Value;
use std::net::Ipv4Addr;

const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

fn attempt(number: u32) -> Attempt {
    let address = Ipv4Addr::from_bits(0x0a00_0000 + number).into();
    Attempt { address, who: None, route: "DELETE /x".to_owned(), kind: ProblemType::TokenInvalid }
}

fn rows(folded: &[Folded]) -> Vec<(Option<IpAddr>, u64)> {
    folded.iter().map(|folded| (folded.by.address, folded.tally.times)).collect()
}

#[test]
fn a_flood_of_one_address_is_one_row_a_minute() {
    let attempts = Attempts::default();
    for second in 0..60 {
        (0..100).for_each(|_| attempts.note(attempt(1), NOW.plus_seconds(second)));
        assert!(rows(&attempts.take(NOW.plus_seconds(second), false)).is_empty());
    }
    let folded = attempts.take(NOW.plus_seconds(60), false);
    assert_eq!(rows(&folded), [(Some(attempt(1).address), 6_000)]);
    assert_eq!((folded[0].tally.first, folded[0].tally.last), (NOW, NOW.plus_seconds(59)));
    assert!(attempts.take(NOW.plus_seconds(600), true).is_empty(), "told once");
}

#[test]
fn kinds_and_doers_are_told_apart() {
    let attempts = Attempts::default();
    let who = Some(Who::Operator { name: "ada".to_owned(), role: Role::Viewer, token: None });
    attempts.note(attempt(1), NOW);
    attempts.note(Attempt { kind: ProblemType::ScopeDenied, who, ..attempt(1) }, NOW);
    let folded = attempts.take(NOW, true);
    let mut names: Vec<_> = folded.iter().map(|folded| folded.by.name()).collect();
    names.sort_unstable();
    assert_eq!(names, ["", "ada"]);
}

#[test]
fn many_addresses_are_counted_together_and_the_hour_has_its_bound() {
    let attempts = Attempts::default();
    let (mut named, mut others, mut all) = (0, 0, 0);
    for minute in 0..60 {
        let now = NOW.plus_seconds(minute * 60);
        for number in 0..1_000 {
            attempts.note(attempt(number), now);
        }
        let folded = rows(&attempts.take(now.plus_seconds(59), true));
        assert!(folded.len() <= NAMED_PER_MINUTE_MAX + 1);
        named += folded.iter().filter(|(address, _)| address.is_some()).count();
        others += folded.iter().filter(|(address, _)| address.is_none()).count();
        all += folded.iter().map(|(_, times)| times).sum::<u64>();
    }
    assert_eq!((named, others, all), (NAMED_PER_HOUR_MAX, 60, 60_000), "and none is lost");
    attempts.note(attempt(7), NOW.plus_seconds(HOUR_SECONDS));
    let next = rows(&attempts.take(NOW.plus_seconds(HOUR_SECONDS), true));
    assert_eq!(next, [(Some(attempt(7).address), 1)], "the next hour has its own");
}

/// Whoever has a viewer's token, trying what that does not allow.
fn viewers(name: &str, number: u32) -> Attempt {
    let who = Some(Who::Operator { name: name.to_owned(), role: Role::Viewer, token: None });
    Attempt { who, kind: ProblemType::ScopeDenied, ..attempt(number) }
}

#[test]
fn strangers_take_no_room_from_whoever_a_token_names() {
    let attempts = Attempts::default();
    for minute in 0..60 {
        let now = NOW.plus_seconds(minute * 60);
        (0..1_000).for_each(|number| attempts.note(attempt(number), now));
        attempts.note(viewers("mallory", 7), now);
        let folded = attempts.take(now, true);
        let hers: Vec<_> = folded.iter().filter(|folded| folded.by.name() == "mallory").collect();
        assert_eq!(hers.len(), 1, "in minute {minute}");
        assert_eq!(hers[0].by.address, Some(attempt(7).address));
    }
}

#[test]
fn nobody_who_is_known_hides_another_however_many_addresses_they_have() {
    let attempts = Attempts::default();
    let mut all = 0;
    for minute in 0..60 {
        let now = NOW.plus_seconds(minute * 60);
        let fresh = minute as u32 * 1_000;
        (fresh..fresh + 1_000).for_each(|number| attempts.note(viewers("mallory", number), now));
        attempts.note(viewers("eve", 7), now);
        let folded = attempts.take(now, true);
        let of = |name: &str| folded.iter().filter(|folded| folded.by.name() == name).collect::<Vec<_>>();
        assert_eq!(rows(&folded).len(), of("mallory").len() + 1);
        assert!(of("mallory").len() <= ADDRESSES_PER_DOER_MAX + 1, "in minute {minute}");
        assert_eq!(
            of("eve").iter().map(|eve| eve.by.address).collect::<Vec<_>>(),
            [Some(attempt(7).address)]
        );
        all += of("mallory").iter().map(|folded| folded.tally.times).sum::<u64>();
    }
    assert_eq!(all, 60_000, "all of it stands under her name");
}

#[test]
fn the_known_have_their_bound_too_and_none_is_lost() {
    let attempts = Attempts::default();
    for number in 0..1_000 {
        let who = Some(Who::Agent(AgentId::parse(&format!("a-{number}")).unwrap()));
        attempts.note(Attempt { who, ..attempt(number) }, NOW);
    }
    let folded = rows(&attempts.take(NOW, true));
    assert_eq!(folded.len(), DOERS_PER_HOUR_MAX + 1);
    assert_eq!(folded.iter().map(|(_, times)| times).sum::<u64>(), 1_000);
    // Whoever came first is known for the hour, and everybody is anew in the next.
    let named = |number: u32, now: Timestamp| {
        let who = Some(Who::Agent(AgentId::parse(&format!("a-{number}")).unwrap()));
        attempts.note(Attempt { who, ..attempt(number) }, now);
        attempts.take(now, true)[0].by.name().to_owned()
    };
    assert_eq!((named(0, NOW), named(999, NOW)), ("a-0".to_owned(), SEVERAL.to_owned()));
    assert_eq!(named(999, NOW.plus_seconds(HOUR_SECONDS)), "a-999");
}

/// A person of the provider, or somebody with a token of the hub's own, trying what that does not allow.
fn operators(name: &str, token: Option<&str>) -> Attempt {
    let who = Who::Operator { name: name.to_owned(), role: Role::Viewer, token: token.map(str::to_owned) };
    Attempt { who: Some(who), kind: ProblemType::ScopeDenied, ..attempt(7) }
}

#[test]
fn many_names_of_the_provider_hide_nobody_with_a_token_of_the_hubs_own() {
    let attempts = Attempts::default();
    for number in 0..1_000 {
        attempts.note(operators(&format!("oidc:{number}"), None), NOW);
        let agent = Some(Who::Agent(AgentId::parse(&format!("a-{number}")).unwrap()));
        attempts.note(Attempt { who: agent, ..attempt(number) }, NOW);
    }
    attempts.note(operators("mallory", Some("t1")), NOW);
    let folded = attempts.take(NOW, true);
    let times = |name: &str| -> u64 {
        folded.iter().filter(|folded| folded.by.name() == name).map(|folded| folded.tally.times).sum()
    };
    assert_eq!((times("mallory"), times(PROVIDERS_OTHERS)), (1, 1_000 - DOERS_PER_HOUR_MAX as u64));
    let others = folded.iter().find(|folded| folded.by.name() == PROVIDERS_OTHERS).unwrap();
    assert_eq!((others.by.who.kind(), others.by.who.role()), ("operator", Some(Role::Viewer)));
}

#[test]
fn tokens_of_the_hubs_own_have_a_bound_and_past_it_are_still_operators() {
    let attempts = Attempts::default();
    let all = OWN_DOERS_PER_HOUR_MAX as u64 + 10;
    for number in 0..all {
        attempts.note(operators("crowd", Some(&number.to_string())), NOW);
    }
    let folded = attempts.take(NOW, true);
    assert_eq!(folded.len(), OWN_DOERS_PER_HOUR_MAX + 1);
    attempts.give_back(folded, NOW);
    let folded = attempts.take(NOW, true);
    let others: Vec<_> = folded.iter().filter(|folded| folded.by.name() == SEVERAL).collect();
    assert_eq!((others.len(), others[0].tally.times, others[0].by.address), (1, 10, None));
    assert_eq!(folded.iter().map(|folded| folded.tally.times).sum::<u64>(), all, "and none is lost");
}

#[test]
fn what_is_known_by_name_alone_is_given_back_so() {
    let attempts = Attempts::default();
    (0..10).for_each(|number| attempts.note(viewers("mallory", number), NOW));
    let folded = attempts.take(NOW, true);
    assert_eq!(folded.len(), ADDRESSES_PER_DOER_MAX + 1);
    attempts.give_back(folded, NOW);
    attempts.note(viewers("mallory", 99), NOW);
    let folded = attempts.take(NOW, true);
    assert!(folded.iter().all(|folded| folded.by.name() == "mallory"));
    let mut times = rows(&folded);
    times.retain(|(address, _)| address.is_none());
    assert_eq!((folded.len(), times), (ADDRESSES_PER_DOER_MAX + 1, vec![(None, 8)]));
}

#[test]
fn a_host_of_ipv6_is_one_address() {
    let attempts = Attempts::default();
    for low in 0..100_u128 {
        let address = std::net::Ipv6Addr::from_bits((0x2001_0db8 << 96) + low).into();
        attempts.note(Attempt { address, ..attempt(0) }, NOW);
    }
    assert_eq!(rows(&attempts.take(NOW, true)), [(Some("2001:db8::".parse().unwrap()), 100)]);
}

#[test]
fn what_could_not_be_written_is_counted_on() {
    let attempts = Attempts::default();
    attempts.note(attempt(1), NOW);
    let folded = attempts.take(NOW, true);
    attempts.give_back(folded, NOW.plus_seconds(1));
    attempts.note(attempt(1), NOW.plus_seconds(2));
    let folded = attempts.take(NOW, true);
    assert_eq!(rows(&folded), [(Some(attempt(1).address), 2)]);
    assert_eq!(folded[0].tally.first, NOW);
}

/// What a row leaves out of who it was.
fn not_told(folded: &Folded) -> (Option<&str>, &'static str, Value) {
    let of_whom = (folded.by.who.name(), folded.by.who.kind());
    (of_whom.0, of_whom.1, folded.deed().detail.get(NOT_TOLD).cloned().unwrap_or_default())
}

#[test]
fn a_row_of_several_says_of_which_kind_they_were_and_what_it_does_not_tell() {
    let attempts = Attempts::default();
    let agents = |number: u32| Some(Who::Agent(AgentId::parse(&format!("a-{number}")).unwrap()));
    let many = DOERS_PER_HOUR_MAX as u32;
    (0..many).for_each(|number| attempts.note(Attempt { who: agents(number), ..attempt(number) }, NOW));
    let folded = attempts.take(NOW, true);
    assert!(folded.iter().all(|folded| not_told(folded).2.is_null()), "all have room");

    (many..many + 5)
        .for_each(|number| attempts.note(Attempt { who: agents(number), ..attempt(number) }, NOW));
    (0..4).for_each(|number| attempts.note(Attempt { who: agents(0), ..attempt(number) }, NOW));
    (0..=many).for_each(|number| attempts.note(operators(&format!("oidc:{number}"), None), NOW));
    (0..100).for_each(|number| attempts.note(attempt(number), NOW));
    let folded = attempts.take(NOW, true);
    // What could not be written down comes back as what it was.
    attempts.give_back(folded, NOW);
    let folded = attempts.take(NOW, true);
    let rows: Vec<_> = folded.iter().map(not_told).filter(|(.., not_told)| !not_told.is_null()).collect();
    assert_eq!(rows.len(), 4, "{rows:?}");
    for row in [
        (Some(SEVERAL), "agent", NAMES.into()),
        (Some(PROVIDERS_OTHERS), "operator", NAMES.into()),
        (Some("a-0"), "agent", ADDRESSES.into()),
        (None, "unknown", ADDRESSES.into()),
    ] {
        assert!(rows.contains(&row), "{row:?}: {rows:?}");
    }
    let several = folded.iter().find(|folded| folded.by.name() == SEVERAL).unwrap();
    assert_eq!((several.by.address, several.tally.times), (None, 5));
}
