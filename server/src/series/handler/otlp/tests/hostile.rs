//! Bodies that would become far more than they are: what cannot be stored is refused before it is taken apart or copied.

use super::{
    super::{
        attributes::{pairs, words},
        message::{AnyValue, Attribute, HistogramPoint, Quantile, SummaryPoint},
        names::SAID_BYTES_MAX,
        sampled::{BOUNDS_MAX, Sampled, Why},
        translate::translate,
    },
    *,
};
use crate::series::{
    LabelError,
    labels::{LABELS_MAX, VALUE_BYTES_MAX},
};

fn text<'a>(key: &'a str, value: &'a str) -> Attribute<'a> {
    Attribute { key: key.into(), value: AnyValue::Text(value.into()) }
}

/// What a request of these metrics is told; no point of it is kept.
fn refused(metrics: Value, count: usize) -> String {
    let (points, brought) = read_json(&of_service(metrics));
    assert_eq!((points, brought.refused.count), (0, count));
    assert!(brought.pushes.iter().all(|push| push.series.is_empty() && push.described.is_empty()));
    brought.refused.why()
}

#[test]
fn names_and_units_are_taken_apart_up_to_their_bound() {
    let point = json!({"timeUnixNano": NANOS, "asInt": 1});
    let gauge = |name: &str, unit: &str| json!([{"name": name, "unit": unit, "gauge": {"dataPoints": [point, point]}}]);
    let words = "a.".repeat(SAID_BYTES_MAX / 2);
    let (_, brought) = read_json(&of_service(gauge("._".repeat(100).as_str(), "")));
    assert!(brought.refused.why().contains("is no name of a metric"));
    assert_eq!(read_json(&of_service(gauge(&format!("a{}", ".".repeat(1_000)), "s"))).0, 2, "a_seconds");
    let longer = format!("{words}a");
    for metrics in [gauge(&longer, "s"), gauge("short", &longer)] {
        assert!(refused(metrics, 2).contains(&format!("{} bytes", SAID_BYTES_MAX + 1)));
    }
    let why = pairs(&[text(&longer, "v")]).unwrap_err();
    assert!(matches!(why, LabelError::LongName(_, bytes) if bytes == SAID_BYTES_MAX + 1), "{why}");
}

#[test]
fn a_point_has_so_many_bounds() {
    let many = |count: usize| -> Vec<_> { (0..count).map(|n| json::Number(n as f64)).collect() };
    let histogram = |count| HistogramPoint {
        explicit_bounds: many(count),
        flags: json::Number(1),
        ..HistogramPoint::default()
    };
    let summary = |count| {
        let quantile_values =
            many(count).into_iter().map(|quantile| Quantile { quantile, ..Quantile::default() });
        SummaryPoint { quantile_values: quantile_values.collect(), ..SummaryPoint::default() }
    };
    assert_eq!(histogram(BOUNDS_MAX).samples().ok().unwrap().len(), BOUNDS_MAX + 2);
    assert_eq!(summary(BOUNDS_MAX).samples().ok().unwrap().len(), BOUNDS_MAX + 2);
    for samples in [histogram(BOUNDS_MAX + 1).samples(), summary(BOUNDS_MAX + 1).samples()] {
        let why = samples.err().unwrap();
        assert!(matches!(why, Why::Many(count) if count == BOUNDS_MAX + 1));
        assert_eq!(why.text(), "1001 bounds; a point may have 1000");
    }
}

#[test]
fn attributes_are_written_up_to_the_bounds_of_labels() {
    let long = "v".repeat(VALUE_BYTES_MAX + 1);
    let half = &long[..VALUE_BYTES_MAX];
    assert_eq!(words("k", &AnyValue::Text(half.into())).unwrap(), half);
    let one_key = |count: usize| -> Vec<_> { (0..count).map(|_| text("k", "v")).collect() };
    for value in [
        AnyValue::Text(long.as_str().into()),
        AnyValue::List((0..=VALUE_BYTES_MAX).map(|_| AnyValue::Nothing).collect()),
        AnyValue::List(vec![AnyValue::Text(half.into())]),
        // One member in the end, but all of them are there before.
        AnyValue::Map(one_key(VALUE_BYTES_MAX / 6 + 1)),
        AnyValue::List((0..VALUE_BYTES_MAX / 7 + 1).map(|_| AnyValue::Map(one_key(1))).collect()),
    ] {
        let why = words("k", &value).unwrap_err();
        assert!(matches!(why, LabelError::LongValue(_, bytes) if bytes > VALUE_BYTES_MAX), "{why}");
    }
    let keys: Vec<_> = (0..=LABELS_MAX).map(|n| format!("k{n}")).collect();
    let some = |count: usize, value| keys.iter().take(count).map(|key| text(key, value)).collect::<Vec<_>>();
    assert_eq!(pairs(&some(LABELS_MAX, "v")).unwrap().len(), LABELS_MAX);
    assert_eq!(pairs(&some(LABELS_MAX + 1, "v")).unwrap_err(), LabelError::TooMany(LABELS_MAX + 1));
    assert!(matches!(pairs(&some(3, half)).unwrap_err(), LabelError::LongSet(_)));
    assert!(matches!(
        pairs(&[text("k", half), text("k", half), text("k", half)]),
        Err(LabelError::LongSet(_))
    ));
}

#[test]
fn who_measures_is_refused_with_all_its_points_where_it_is_too_long() {
    let mut request =
        of_service(json!([{"name": "g", "gauge": {"dataPoints": [{"timeUnixNano": NANOS, "asInt": 1}]}}]));
    request["resourceMetrics"][0]["resource"]["attributes"][0]["value"] =
        json!({"stringValue": "x".repeat(VALUE_BYTES_MAX + 1)});
    let (points, brought) = read_json(&request);
    assert_eq!((points, brought.refused.count), (0, 1));
    assert!(brought.refused.why().contains("the value of \"service.name\" has 4097 bytes"));
}

/// Each of a histogram's series has all attributes: they are counted before they are copied.
#[test]
fn copies_stop_at_the_allowance() {
    let (value, bound) = ("v".repeat(VALUE_BYTES_MAX), 64 * 1024);
    let point = json!({
        "timeUnixNano": NANOS, "flags": 1, "explicitBounds": (0..BOUNDS_MAX).collect::<Vec<_>>(),
        "attributes": [{"key": "k", "value": {"stringValue": value}}]
    });
    let request =
        of_service(json!([{"name": "h", "histogram": {"aggregationTemporality": 2, "dataPoints": [point]}}]));
    let body = serde_json::to_vec(&request).unwrap();
    let request = json::request(&body, &mut new().allowance).unwrap();
    let mut brought = Brought::by("ada".to_owned(), Allowance::of(&Budget::senders(), bound));
    let Err(Unfit::Bad(why)) = translate(request, &mut brought) else { panic!("16 series fill it") };
    assert!(why.contains("65536 bytes") && why.contains("send less at once"), "{why}");
}

#[test]
fn help_is_kept_as_far_as_it_is_told() {
    let help = "h".repeat(1 << 20);
    let (_, brought) =
        read_json(&of_service(json!([{"name": "g", "description": help, "gauge": {"dataPoints": []}}])));
    assert_eq!(brought.pushes[0].described[0].help.len(), crate::series::told::HELP_BYTES_MAX);
}
