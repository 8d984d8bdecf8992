//! What is planned and what is refused.

use super::*;
use crate::tsdb::testing::RETENTION;

const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

fn plan(question: Question<'_>) -> Result<Plan, PlanError> {
    Plan::new(Question { limit: 10, ..question }, NOW, &RETENTION)
}

fn rows(question: Question<'_>) -> RowsPlan {
    match plan(question).unwrap() {
        Plan::Rows(plan) => plan,
        Plan::Buckets(plan) => panic!("{plan:?}"),
    }
}

#[test]
fn the_last_hour_is_asked_for_unless_said_otherwise() {
    let hour = |plan: RowsPlan| (plan.from, plan.to);
    assert_eq!(hour(rows(Question::default())), (NOW.plus_seconds(-3600), NOW.plus_seconds(300)));
    let to = Some(NOW.plus_seconds(-7200));
    assert_eq!(
        hour(rows(Question { to, ..Question::default() })),
        (NOW.plus_seconds(-10_800), NOW.plus_seconds(-7200))
    );
    let backwards = Question { from: Some(NOW), to: Some(NOW), ..Question::default() };
    assert_eq!(plan(backwards).unwrap_err().parameter, "from");
}

#[test]
fn buckets_have_a_least_length_and_a_greatest_number() {
    let ask = |from: i64, step: Duration| {
        let from = Some(NOW.plus_seconds(from));
        plan(Question { from, to: Some(NOW), step: Some(step), ..Question::default() })
    };
    assert!(ask(-BUCKETS_MAX, Duration::from_secs(1)).is_ok());
    assert_eq!(ask(-BUCKETS_MAX - 1, Duration::from_secs(1)).unwrap_err().parameter, "step");
    assert!(ask(-BUCKETS_MAX - 1, Duration::from_secs(2)).is_ok());
    for step in [Duration::ZERO, Duration::from_millis(999), Duration::MAX] {
        assert_eq!(ask(-60, step).unwrap_err().parameter, "step", "{step:?}");
    }
    let (first, last) = (Timestamp::from_micros(i64::MIN), Timestamp::from_micros(i64::MAX));
    let all = Question {
        from: Some(first),
        to: Some(last),
        step: Some(Duration::from_secs(1)),
        ..Question::default()
    };
    assert!(plan(all).is_err());
}

#[test]
fn a_cursor_moves_the_beginning_and_belongs_to_its_question() {
    let micros = NOW.plus_seconds(-60).as_micros();
    let after = rows(Question { after: Some(Place::Row(micros, 7, 9)), ..Question::default() });
    assert_eq!((after.from.as_micros(), after.beyond), (micros, (7, 9)));
    let before = rows(Question { after: Some(Place::Row(0, 7, 9)), ..Question::default() });
    assert_eq!((before.from, before.beyond), (NOW.plus_seconds(-3600), (i64::MIN, i64::MIN)));
    let step = Some(Duration::from_secs(60));
    let Plan::Buckets(next) =
        plan(Question { step, after: Some(Place::Bucket(micros)), ..Question::default() }).unwrap()
    else {
        panic!("a step means buckets")
    };
    assert_eq!(next.from, NOW);
    for (step, after) in [(step, Place::Row(1, 1, 1)), (None, Place::Bucket(1))] {
        let mixed = Question { step, after: Some(after), ..Question::default() };
        assert_eq!(plan(mixed).unwrap_err().parameter, "cursor");
    }
}

#[test]
fn fields_are_names() {
    let fields = |text| rows(Question { fields: Some(text), ..Question::default() }).fields;
    assert!(fields("cpu, load1").has("load1") && !fields("cpu").has("ram"));
    assert_eq!(fields("cpu,load1").further(), Some(vec!["load1"]));
    assert!(!fields("ram,cpu").has_further() && Fields::All.has_further());
    assert_eq!(fields("latency,cpu").own_columns().collect::<Vec<_>>(), ["cpu", "latency"]);
    for bad in ["cpu;ram", "CPU", "cpu,,ram", "cpu'"] {
        assert_eq!(Fields::read(Some(bad)).unwrap_err().parameter, "fields", "{bad}");
    }
    let many: Vec<_> = (0..=FIELDS_MAX).map(|number| format!("m{number}")).collect();
    assert!(Fields::read(Some(&many.join(","))).is_err());
}
