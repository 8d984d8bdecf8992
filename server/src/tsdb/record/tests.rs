//! Records by random groups: what is written is read back, what is cut or changed is refused or something else,
//! and nothing panics.

use super::*;
use crate::tsdb::{
    rows::{Mark, SeriesId},
    testing::Dice,
};
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
    for version in [0, FULL + 1, u8::MAX] {
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
    let endless_count = [&[PLAIN + NETWORKS][..], &[0xff; 9], &[0x01]].concat();
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
    assert_eq!((bytes_of(&rows)[0], read(&bytes_of(&rows))), (PLAIN + NETWORKS, Ok(rows)));
}

#[test]
fn points_keep_their_bits_and_their_order() {
    let at = [0, 1_800_000_000_000, 1_800_000_015_000, -1, i64::MIN, i64::MAX, 7];
    let bits = [0, 0x7ff0_0000_0000_0002, 0x8000_0000_0000_0000, u64::MAX, 0x7ff8_0000_0000_0001, 1, 2];
    let points = at.into_iter().zip(bits).zip([0, 1, u32::MAX, 7, 7, 7, 300]);
    let points = points.map(|((at_ms, bits), series)| PointRow {
        series: SeriesId::new(series),
        at_ms,
        value: f64::from_bits(bits),
    });
    let rows = OwnedRows { points: points.collect(), ..Dice::seeded(5).group(8) };
    assert_eq!(read(&bytes_of(&rows)), Ok(rows.clone()));
    let bytes = bytes_of(&rows);
    for end in 0..bytes.len() {
        assert_eq!(read(&bytes[..end]), Err(RecordError::Malformed), "cut at {end}");
    }
}

/// As every version of this program wrote it before there were points: an agent's sample and scan, and a mark.
#[test]
fn what_was_written_before_there_were_points_is_read_and_written_the_same() {
    let mut before = vec![1, 1, 1, 1, b'a', 7, 3];
    before.extend(1_000_000_i64.to_le_bytes());
    before.extend([2, b'o', b'k', 1]);
    before.extend(12.5_f64.to_le_bytes());
    before.extend([1, 1, b'x']);
    before.extend(0.25_f64.to_le_bytes());
    before.extend([1, 0, 4]);
    before.extend(2_000_000_i64.to_le_bytes());
    before.extend(9.0_f64.to_le_bytes());
    before.extend([0, 1, 1, b'a', 7, 9, 0]);
    let rows = read(&before).unwrap();
    let metrics =
        Measurements { cpu: Some(12.5), further: vec![("x".to_owned(), 0.25)], ..Measurements::default() };
    assert_eq!((&rows.samples[0].metrics, rows.samples[0].stream), (&metrics, Some((7, 3))));
    assert_eq!((rows.scans[0].stream, rows.scans[0].scan.duration), (Some((7, 4)), 9.0));
    assert_eq!((rows.marks.len(), rows.marks[0].mark.seq, rows.points.len()), (1, 9, 0));
    let mut again = Vec::new();
    write(&rows.borrow(), &mut again);
    assert_eq!(again, before, "an earlier version reads what has no points");
}
