//! When a segment is full, and that what is counted is what is allocated.

use crate::tsdb::{
    head::{
        SEGMENT_BYTES_MAX, SEGMENT_ROWS_MAX, Segment,
        columns::{Agent, Columns, HeadScan, Names},
    },
    record::{OwnedRows, OwnedSample, OwnedScan},
    rows::{Mark, MarkRow},
    testing::{Dice, agent_id, sample},
};
use pingup_protocol::{discovery::Host, ids::AgentId, metrics::Measurements, time::Timestamp};
use std::net::{IpAddr, Ipv4Addr};

#[test]
fn a_segment_is_full_by_rows() {
    let segment = Segment::new(1);
    let rows_max = SEGMENT_ROWS_MAX as u64;
    let samples = (1..=rows_max - 2).map(|seq| sample("a", (1, seq), Timestamp::from_micros(1)));
    segment.push(&OwnedRows { samples: samples.collect(), ..OwnedRows::default() }.borrow());
    let scan = Dice::seeded(1).scan("a", None, Timestamp::from_micros(1));
    let one = |scan: OwnedScan| OwnedRows { scans: vec![scan], ..OwnedRows::default() };
    segment.push(&one(scan.clone()).borrow());
    assert!(!segment.is_full(), "one row is missing");
    segment.push(&one(scan).borrow());
    assert!(segment.is_full());
}

/// Makes a group, each one another by its number.
type Group<'a> = &'a dyn Fn(u64) -> OwnedRows;

/// Groups that take much, each by something else.
fn large(show: impl Fn(&str, Group<'_>)) {
    let further = |count: usize, row: u64| {
        let names = (0..count).map(|n| (format!("name-{n}"), 1.0)).collect();
        let metrics = Measurements { further: names, ..Measurements::default() };
        let samples = vec![OwnedSample { metrics, ..sample("a", (1, row), Timestamp::from_micros(1)) }];
        OwnedRows { samples, ..OwnedRows::default() }
    };
    let names = |row: u64| {
        let metrics = Measurements { further: vec![(format!("{row:064}"), 1.0)], ..Measurements::default() };
        let status = format!("{row:064}");
        let samples =
            vec![OwnedSample { metrics, status, ..sample("a", (1, row), Timestamp::from_micros(1)) }];
        OwnedRows { samples, ..OwnedRows::default() }
    };
    let agents = |row: u64| {
        let samples = vec![sample(&format!("agent-{row}"), (1, 1), Timestamp::from_micros(1))];
        OwnedRows { samples, ..OwnedRows::default() }
    };
    let hosts = |row: u64| {
        let mut scan = Dice::seeded(1).scan("a", Some((1, row)), Timestamp::from_micros(1));
        scan.scan.hosts = vec![
            Host {
                ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
                latency: None,
                ports: vec![1; 100],
                hostname: Some("h".repeat(100)),
                mac: None,
            };
            100
        ];
        OwnedRows { scans: vec![scan], ..OwnedRows::default() }
    };
    // Nothing in memory, but the journal grows by them.
    let marks = |row: u64| {
        let mark = Mark { seq: row, timestamp: None };
        let marks = (0..100).map(|_| MarkRow { agent_id: agent_id("a"), boot: 1, mark }).collect();
        OwnedRows { marks, ..OwnedRows::default() }
    };
    let boots = |row: u64| {
        let mark = Mark { seq: 1, timestamp: None };
        let marks =
            (0..100).map(|n| MarkRow { agent_id: agent_id("a"), boot: row * 100 + n, mark }).collect();
        OwnedRows { marks, ..OwnedRows::default() }
    };
    let kinds: [(&str, Group<'_>); 6] = [
        ("further", &|row| further(64, row)),
        ("names", &names),
        ("agents", &agents),
        ("hosts", &hosts),
        ("marks", &marks),
        ("boots", &boots),
    ];
    kinds.into_iter().for_each(|(kind, group)| show(kind, group));
}

/// However few the rows are, what makes them large counts: more than the bound never fits in.
#[test]
fn a_segment_is_full_by_bytes_whatever_takes_them() {
    large(|kind, group| {
        let segment = Segment::new(1);
        let mut rows = 0;
        while !segment.is_full() {
            assert!(rows < SEGMENT_ROWS_MAX as u64, "{kind}: only its rows made it full");
            segment.push(&group(rows).borrow());
            rows += 1;
        }
        assert!(segment.read().bytes() < SEGMENT_BYTES_MAX + 64 * 1024, "{kind}");
    });
}

/// What the elements of a column take; what it has room for beside them is not told.
fn column<T>(elements: &[T]) -> usize {
    size_of_val(elements)
}

/// What is allocated for what lies in a segment, told by the types of what lies there.
fn allocated(columns: &Columns) -> usize {
    let names = |names: &Names| {
        let texts = names.texts.iter().map(|text| text.len()).sum::<usize>();
        column(&names.texts) + names.numbers.len() * size_of::<(Box<str>, u32)>() + 2 * texts
    };
    let agent = |agent: &Agent| {
        let id = agent.id.as_str().len();
        2 * id + column(&agent.streams) + column(&agent.samples) + column(&agent.scans)
    };
    let host = |host: &Host| {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        column(&host.ports) + text(&host.hostname) + text(&host.mac)
    };
    let scan = |scan: &HeadScan| column(&scan.hosts) + scan.hosts.iter().map(host).sum::<usize>();
    let rows = column(&columns.stream) + column(&columns.seq) + column(&columns.at) + column(&columns.status);
    let own = columns.own.iter().map(|own| column(own)).sum::<usize>();
    let further = column(&columns.further_end) + column(&columns.further);
    let agents = column(&columns.agents) + columns.numbers.len() * size_of::<(AgentId, u32)>();
    rows + own
        + further
        + agents
        + column(&columns.streams)
        + column(&columns.scans)
        + names(&columns.statuses)
        + names(&columns.names)
        + columns.agents.iter().map(agent).sum::<usize>()
        + columns.scans.iter().map(scan).sum::<usize>()
}

/// Short names, of which most is what comes with the text: with the room that is there when table and list have grown.
#[test]
fn a_name_is_counted_with_the_room_that_comes_with_it() {
    const SLOT: usize = size_of::<(Box<str>, u32)>() + 1;
    let mut names = Names::default();
    for number in 0..70_000 {
        let before = (names.numbers.capacity(), names.texts.capacity());
        names.number(&format!("m{number:x}"));
        let (slots, room) = (names.numbers.capacity(), names.texts.capacity());
        // Where nothing grew, more of it is counted than before. A few names take little, whatever their room is.
        if (slots, room) != before && number > 64 {
            let texts = names.texts.iter().map(|text| 2 * text.len().next_multiple_of(8)).sum::<usize>();
            let allocated = slots * 8 / 7 * SLOT + room * size_of::<Box<str>>() + texts;
            assert!(names.bytes >= allocated, "{number}: {} bytes are counted of {allocated}", names.bytes);
        }
    }
}

/// What is counted is what is allocated, and some for what comes with it; of marks, which take the journal's room, more.
#[test]
fn what_is_counted_is_what_is_allocated() {
    large(|kind, group| {
        let segment = Segment::new(1);
        (0..200).for_each(|row| segment.push(&group(row).borrow()));
        let columns = segment.read();
        let (counted, allocated) = (columns.bytes(), allocated(&columns));
        assert!(counted >= allocated, "{kind}: {counted} bytes are counted of {allocated}");
        let at_most = if kind == "marks" { usize::MAX } else { 3 * allocated };
        assert!(counted <= at_most, "{kind}: {counted} bytes are counted of {allocated}");
    });
}
