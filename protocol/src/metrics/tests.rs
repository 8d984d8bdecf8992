//! The plain way and the general way say the same of every body; and what agents send is read the plain way.

use super::*;
use crate::{keys::Secret, limits::BATCH_SAMPLES_MAX, signing};
use proptest::prelude::*;

/// A number as a text, plain ones and others.
fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => "[1-9]?[0-9](\\.[0-9]{0,2}[1-9])?",
        2 => "-?[0-9]{1,6}\\.[0-9]{1,14}",
        2 => any::<f64>().prop_filter("finite", |value| value.is_finite()).prop_map(|value| format!("{value:?}")),
        1 => "-?[0-9]{1,22}",
        1 => prop::sample::select(vec![
            "null", "-0", "-0.0", "0.0", "100", "100.5", "1e2", "1E-7", "1e400", "01", "1.", ".5", "+1", "true", "\"1\"",
            "[1]", "{\"a\":1}", "", "9007199254740993", "18446744073709551616", "0.30000000000000004", "nullx",
        ])
        .prop_map(str::to_owned),
    ]
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(vec!["cpu", "ram", "disk", "latency"]).prop_map(str::to_owned),
        4 => "[a-z][a-z0-9_]{0,6}",
        1 => prop::sample::select(vec!["", "A", "a-b", "é", "\\u0061", "a\\n", "1a"]).prop_map(str::to_owned),
    ]
}

fn measurements() -> impl Strategy<Value = String> {
    let member = || (name(), number()).prop_map(|(name, value)| format!("\"{name}\":{value}"));
    prop_oneof![
        20 => prop::collection::vec(member(), 0..6),
        1 => prop::collection::vec(member(), 60..70),
    ]
    .prop_map(|members| format!("{{{}}}", members.join(",")))
}

/// Text that is plain nearly always, so that whole bodies often are.
fn or_odd(plain: &'static str, odd: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop_oneof![24 => plain, 1 => prop::sample::select(odd).prop_map(str::to_owned)]
}

fn status() -> impl Strategy<Value = String> {
    or_odd("[a-z]{1,8}", &["", "a\\tb", "é", "\u{1}", "a\"", "~\u{7f}"])
}

fn moment() -> impl Strategy<Value = String> {
    or_odd(
        "2026-1[0-2]-2[0-9]T0[0-9]:[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?Z",
        &["yesterday", "2026-11-21T05:20:00+01:00"],
    )
}

fn integer() -> impl Strategy<Value = String> {
    or_odd(
        "[1-9][0-9]{0,12}",
        &["0", "-1", "1.0", "1e3", "9007199254740991", "9007199254740992", "\"1\"", "null"],
    )
}

fn sample(seq: String) -> impl Strategy<Value = String> {
    (measurements(), status(), moment(), 0..24).prop_map(move |(metrics, status, moment, form)| match form {
        0 => format!(r#"{{"status":"{status}","metrics":{metrics},"seq":{seq},"timestamp":"{moment}"}}"#),
        1 => format!(
            r#"{{"metrics":{metrics},"seq":{seq},"status":"{status}","timestamp":"{moment}","x":[{{}}]}}"#
        ),
        2 => format!(r#" {{"metrics":{metrics},"seq":{seq},"status":"{status}","timestamp":"{moment}"}}"#),
        3 => format!(r#"{{"metrics":{metrics},"seq":{seq},"status":"{status}"}}"#),
        4 => format!("[{seq}]"),
        _ => format!(r#"{{"metrics":{metrics},"seq":{seq},"status":"{status}","timestamp":"{moment}"}}"#),
    })
}

fn samples() -> impl Strategy<Value = String> {
    let seq = |at: u64| prop_oneof![30 => Just((at + 1).to_string()), 1 => integer()];
    let entry = move |at: u64| seq(at).prop_flat_map(sample);
    (0..6_u64)
        .prop_flat_map(move |count| (0..count).map(entry).collect::<Vec<_>>())
        .prop_map(|samples| format!("[{}]", samples.join(",")))
}

fn signature() -> impl Strategy<Value = String> {
    prop_oneof![4 => Just(",\"signature\":\"AA==\"".to_owned()), 1 => Just(String::new())]
}

fn body() -> impl Strategy<Value = String> {
    let agent = || or_odd("[A-Z]{3}-[0-9]{3}", &["", "a b", "é", "\\u0041"]);
    let single = (agent(), integer(), integer(), measurements(), signature(), status(), moment(), 0..24).prop_map(
        |(agent, boot, seq, metrics, signature, status, moment, form)| {
            let (boot, seq) = match form {
                0 => (String::new(), format!(",\"seq\":{seq}")),
                1 => (format!(",\"boot\":{boot}"), String::new()),
                2..=6 => (String::new(), String::new()),
                7 => (format!(",\"boot\":{boot},\"samples\":null"), format!(",\"seq\":{seq}")),
                _ => (format!(",\"boot\":{boot}"), format!(",\"seq\":{seq}")),
            };
            format!(
                r#"{{"agentId":"{agent}"{boot},"metrics":{metrics}{seq}{signature},"status":"{status}","timestamp":"{moment}"}}"#
            )
        },
    );
    let batch = (agent(), integer(), samples(), signature()).prop_map(|(agent, boot, samples, signature)| {
        format!(r#"{{"agentId":"{agent}","boot":{boot},"samples":{samples}{signature}}}"#)
    });
    prop_oneof![single, batch]
}

/// The two ways agree, to the last bit and the last word.
fn agree(json: &[u8]) -> Result<(), TestCaseError> {
    if let Some(plain) = plain::read(json) {
        let general = general::read(json);
        // As text, since -0 equals 0.
        prop_assert_eq!(format!("{:?}", Ok::<_, SchemaError>(plain)), format!("{general:?}"));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_ways_agree_on_bodies(body in body(), tail in "[ \\]},x0]") {
        agree(body.as_bytes())?;
        agree(format!("{body}{tail}").as_bytes())?;
    }

    #[test]
    fn the_ways_agree_on_changed_bodies(
        body in body(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0..3, any::<u8>(), "[ \\[\\]{},:\"0-9.eE-]"), 1..4)
    ) {
        let mut bytes = body.into_bytes();
        for (at, kind, any, token) in changes {
            let at = at.index(bytes.len());
            match kind {
                0 => bytes[at] = any,
                1 => bytes[at] = token.as_bytes()[0],
                _ if any < 128 => bytes.insert(at, token.as_bytes()[0]),
                _ => drop(bytes.remove(at)),
            }
            agree(&bytes)?;
        }
    }
}

fn sample_of(seq: u64, further: usize) -> Sample {
    Sample {
        seq,
        timestamp: Timestamp::from_micros(1_795_238_400_123_457),
        metrics: Measurements {
            cpu: Some(12.5),
            latency: Some(1.0 / 3.0),
            further: (0..further).map(|at| (format!("m{at:02}"), at as f64 / 10.0)).collect(),
            ..Measurements::default()
        },
        status: "online".to_owned(),
    }
}

fn signed(message: &impl Serialize) -> Vec<u8> {
    signing::sign(&signing::Key::new(&Secret::new([1; 32])), message).unwrap()
}

fn batch(samples: &[Sample]) -> Vec<u8> {
    signed(&BatchBody { agent_id: &AgentId::parse("A-1").unwrap(), boot: 7, samples })
}

#[test]
fn what_agents_sign_is_read_the_plain_way() {
    for further in [0, 1, 64] {
        let samples: Vec<_> = (3..40).map(|seq| sample_of(seq, further)).collect();
        let Some(MetricsBody::Batch(read)) = plain::read(&batch(&samples)) else { panic!("a plain batch") };
        assert_eq!(read.entries, samples.into_iter().map(BatchEntry::Good).collect::<Vec<_>>());

        let Sample { seq, timestamp, metrics, status } = sample_of(9, further);
        for number in [None, Some(seq)] {
            let (agent_id, metrics, status) =
                (AgentId::parse("A-1").unwrap(), metrics.clone(), status.clone());
            let body = SingleBody { agent_id, boot: number, seq: number, timestamp, metrics, status };
            let json = signed(&body);
            assert_eq!(plain::read(&json), Some(MetricsBody::Single(body.clone())));
            let rewritten = signing::scan_rewriting(&json).unwrap().into_rewritten().unwrap();
            assert_eq!(plain::read(&rewritten), Some(MetricsBody::Single(body)));
        }
    }
}

#[test]
fn one_odd_sample_does_not_make_a_batch_odd() {
    let mut samples: Vec<_> = (1..=5).map(|seq| sample_of(seq, 2)).collect();
    samples[1].metrics.cpu = Some(101.0);
    samples[3].status = "größer".to_owned();
    let Some(MetricsBody::Batch(read)) = plain::read(&batch(&samples)) else { panic!("a plain batch") };
    let good: Vec<_> = read.entries.iter().map(|entry| matches!(entry, BatchEntry::Good(_))).collect();
    assert_eq!(good, [true, false, true, true, true]);
    assert_eq!(read.entries[3], BatchEntry::Good(samples[3].clone()));
}

#[test]
fn a_batch_is_plain_up_to_its_limit() {
    let samples: Vec<_> = (1..=BATCH_SAMPLES_MAX as u64 + 1).map(|seq| sample_of(seq, 0)).collect();
    assert!(plain::read(&batch(&samples[..BATCH_SAMPLES_MAX])).is_some());
    assert!(plain::read(&batch(&samples)).is_none());
    let further = |count| plain::read(&batch(&[sample_of(1, count)]));
    let entry = |count| match further(count) {
        Some(MetricsBody::Batch(batch)) => batch.entries.into_iter().next(),
        _ => None,
    };
    assert!(matches!(entry(64), Some(BatchEntry::Good(_))));
    assert!(matches!(entry(65), Some(BatchEntry::Bad(_))));
}
