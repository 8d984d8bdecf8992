//! What is written by hand is what the protocol crate would have written.

use super::*;
use pingup_protocol::{
    canonical,
    discovery::DiscoveryBody,
    ids::AgentId,
    keys::Secret,
    metrics::{BatchBody, Measurements, MetricsBody, Sample, SingleBody},
    schema::{self, Checked},
};

const SEED: u64 = 0x5eed;
const BOOT: u64 = 1_763_687_011_123;

fn author() -> Author {
    Author { id: "AGENT-001".to_owned(), boot: BOOT, seed: SEED }
}

fn key() -> Key {
    Key::new(&Secret::new([5; 32]))
}

fn measurements(seq: u64) -> Measurements {
    let Measured { cpu, disk, latency, ram } = Measured::new(SEED, seq);
    let told = |tenths| Some(f64::from(tenths) / 10.0);
    Measurements {
        cpu: told(cpu),
        ram: told(ram),
        disk: told(disk),
        latency: told(latency),
        further: Vec::new(),
    }
}

fn moment(seq: u64) -> Timestamp {
    Timestamp::from_micros(1_763_687_011_000_000 + i64::try_from(seq).unwrap() * 1_003_700)
}

#[test]
fn a_single_is_what_the_protocol_signs() {
    for seq in [1, 2, 10, 97, 1_000, 123_456] {
        let mut written = b"head".to_vec();
        write_single(&mut written, &author(), &key(), seq, moment(seq));
        let wanted = SingleBody {
            agent_id: AgentId::parse("AGENT-001").unwrap(),
            boot: Some(BOOT),
            seq: Some(seq),
            timestamp: moment(seq),
            metrics: measurements(seq),
            status: STATUS.to_owned(),
        };
        let signed = signing::sign(&key(), &wanted).unwrap();
        assert_eq!(String::from_utf8_lossy(&written[4..]), String::from_utf8_lossy(&signed));
        assert!(canonical::recognise(&signed).is_some());
        assert_eq!(MetricsBody::read(&written[4..]), Ok(MetricsBody::Single(wanted)));
    }
}

#[test]
fn a_batch_is_what_the_protocol_signs() {
    let mut written = Vec::new();
    write_batch(&mut written, &author(), &key(), (1..=50).map(|seq| (seq, moment(seq))));
    let sample =
        |seq| Sample { seq, timestamp: moment(seq), metrics: measurements(seq), status: STATUS.to_owned() };
    let samples: Vec<_> = (1..=50).map(sample).collect();
    let agent_id = AgentId::parse("AGENT-001").unwrap();
    let wanted = BatchBody { agent_id: &agent_id, boot: BOOT, samples: &samples };
    let signed = signing::sign(&key(), &wanted).unwrap();
    assert_eq!(String::from_utf8_lossy(&written), String::from_utf8_lossy(&signed));
}

#[test]
fn a_scan_is_what_the_protocol_signs() {
    for seq in 1..300 {
        let mut written = Vec::new();
        write_scan(&mut written, &author(), &key(), seq, moment(seq));
        assert!(signing::scan(&written).unwrap().verify(&key()));
        assert!(canonical::recognise(&written).is_some(), "{seq}");
        let read: DiscoveryBody = schema::read(&written).unwrap();
        assert_eq!((read.discovery.hosts.len() as u64, read.check()), (SCAN_HOSTS, Ok(())));
        assert_eq!(signing::sign(&key(), &read).unwrap(), written);
    }
}

#[test]
fn moments_are_written_as_the_protocol_writes_them() {
    for micros in [
        0,
        1,
        999_999,
        951_782_399_999_999,
        951_782_400_000_000,
        951_868_800_500_000,
        1_763_687_011_100_000,
        4_107_542_399_000_010,
        253_402_300_799_999_999,
    ] {
        let mut written = Vec::new();
        write_moment(&mut written, Timestamp::from_micros(micros));
        assert_eq!(String::from_utf8_lossy(&written), Timestamp::from_micros(micros).to_string());
    }
}

#[test]
fn numbers_are_written_as_ecmascript_does() {
    for (tenths, text) in [(0, "0"), (5, "0.5"), (10, "1"), (125, "12.5"), (1_000, "100")] {
        let mut written = Vec::new();
        write_tenths(&mut written, tenths);
        assert_eq!(String::from_utf8_lossy(&written), text);
    }
    let mut written = Vec::new();
    write_number(&mut written, u64::MAX);
    assert_eq!(String::from_utf8_lossy(&written), u64::MAX.to_string());
}
