//! Records by random groups: what is written is read back, what is cut or changed is refused or something else,
//! and nothing panics.

use super::*;
use crate::tsdb::{rows::Mark, testing::Dice};
use pingup_protocol::network::Network;

fn bytes_of(rows: &OwnedRows) -> Vec<u8> {
    let mut bytes = vec![0xff; 9];
    write(&rows.borrow(), &mut bytes);
    bytes
}

#[test]
fn what_is_written_is_read_back() {
    for seed in 1..=500 {
        let rows = Dice::seeded(seed).group(40);
        assert_eq!(read(&bytes_of(&rows)), Ok(rows), "seed {seed}");
    }
}

#[test]
fn numbers_and_moments_keep_their_ends() {
    for (boot, seq, at) in
        [(0, 0, i64::MIN), (u64::MAX, u64::MAX, i64::MAX), (127, 128, -1), ((1 << 53) - 1, 16_384, 0)]
    {
        let at = Timestamp::from_micros(at);
        let sample = Dice::seeded(1).sample("a", Some((boot, seq)), at);
        let mark = Mark { seq, timestamp: Some(at) };
        let marks = vec![MarkRow { agent_id: sample.agent_id.clone(), boot, mark }];
        let rows = OwnedRows { samples: vec![sample], marks, ..OwnedRows::default() };
        assert_eq!(read(&bytes_of(&rows)), Ok(rows));
    }
}

#[test]
fn every_truncation_is_refused_and_so_is_what_follows() {
    for seed in 1..=30 {
        let bytes = bytes_of(&Dice::seeded(seed).group(8));
        for end in 0..bytes.len() {
            assert_eq!(read(&bytes[..end]), Err(RecordError::Malformed), "seed {seed} cut at {end}");
        }
        let longer = [&bytes[..], &[0]].concat();
        assert_eq!(read(&longer), Err(RecordError::Malformed), "seed {seed} and a byte more");
    }
}

#[test]
fn another_version_is_refused_by_its_number() {
    let mut bytes = bytes_of(&Dice::seeded(7).group(8));
    for version in [0, WITH_NETWORKS + 1, u8::MAX] {
        bytes[0] = version;
        assert_eq!(read(&bytes), Err(RecordError::Version(version)));
    }
}

/// The journal's checksum guards against this; the reader must still neither panic nor ask for endless memory.
#[test]
fn any_changed_byte_is_read_or_refused() {
    for seed in 1..=10 {
        let bytes = bytes_of(&Dice::seeded(seed).group(6));
        for place in 1..bytes.len() {
            for with in [0x00, 0x01, 0x7f, 0x80, 0xff] {
                let mut changed = bytes.clone();
                changed[place] ^= with;
                let _ = read(&changed);
            }
        }
    }
    let endless_count = [&[WITH_NETWORKS][..], &[0xff; 9], &[0x01]].concat();
    assert_eq!(read(&endless_count), Err(RecordError::Malformed));
}

#[test]
fn a_batch_says_whose_it_is_once() {
    let mut dice = Dice::seeded(3);
    let of =
        |dice: &mut Dice, agent: &str, seq| dice.sample(agent, Some((7, seq)), Timestamp::from_micros(1));
    let one = OwnedRows { samples: vec![of(&mut dice, "agent-10", 1)], ..OwnedRows::default() };
    let name = b"agent-10";
    let named = |rows: &OwnedRows| bytes_of(rows).windows(name.len()).filter(|bytes| bytes == name).count();
    assert_eq!(named(&one), 1);
    let mut many = OwnedRows::default();
    many.samples.extend((1..=50).map(|seq| of(&mut dice, "agent-10", seq)));
    many.scans.push(dice.scan("agent-10", Some((7, 51)), Timestamp::from_micros(1)));
    assert_eq!(named(&many), 1);
    // A row of the same agent without numbers is of another stream.
    many.samples.insert(25, dice.sample("agent-10", None, Timestamp::from_micros(1)));
    assert_eq!(named(&many), 3);
    assert_eq!(read(&bytes_of(&many)), Ok(many));
}

/// A hub from before scans had networks reads what has none, and what it wrote is read still.
#[test]
fn only_a_group_with_networks_has_the_form_for_them() {
    let mut dice = Dice::seeded(5);
    let mut rows = OwnedRows::default();
    rows.scans.extend((1..=2).map(|seq| dice.scan("a", Some((7, seq)), Timestamp::from_micros(1))));
    rows.scans.iter_mut().for_each(|row| row.scan.networks.clear());
    assert_eq!((bytes_of(&rows)[0], read(&bytes_of(&rows))), (PLAIN, Ok(rows.clone())));
    rows.scans[1].scan.networks = vec![Network::parse("10.0.0.0/24").unwrap()];
    assert_eq!((bytes_of(&rows)[0], read(&bytes_of(&rows))), (WITH_NETWORKS, Ok(rows)));
}
