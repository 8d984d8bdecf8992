//! Answers as they are written, character by character.

use super::*;
use crate::storage::Wanted;
use pingup_promql::Series;
use serde_json::json;

fn written(value: Value, limit: Option<usize>, stats: Option<Stats>) -> String {
    let wanted = Wanted::default();
    let mut out = Packing::new(false, &wanted);
    let warnings = vec!["a \"warning\"".to_owned()];
    answer(&mut out, Answer { value, warnings, infos: Vec::new(), samples: 0 }, limit, stats).unwrap();
    std::mem::take(out.text())
}

#[test]
fn every_type_is_written_as_prometheus_writes_it() {
    let set = Labels::new([("__name__", "up"), ("a", "\"ä\"\n")]);
    let sample = |value| Sample { labels: set.clone(), timestamp_ms: 1_500, value };
    let series = Series { labels: set.clone(), timestamps: vec![0, 15_003], values: vec![1.5, f64::NAN] };
    for (value, data) in [
        (
            Value::Scalar { timestamp_ms: 4_000, value: 1e21 },
            r#"{"resultType":"scalar","result":[4,"1000000000000000000000"]}"#,
        ),
        (
            Value::Text { timestamp_ms: -1, text: "x\\y".into() },
            r#"{"resultType":"string","result":[-0.001,"x\\y"]}"#,
        ),
        (Value::Vector(Vec::new()), r#"{"resultType":"vector","result":[]}"#),
        (
            Value::Vector(vec![sample(f64::INFINITY), sample(1e-7)]),
            r#"{"resultType":"vector","result":[{"metric":{"__name__":"up","a":"\"ä\"\n"},"value":[1.5,"+Inf"]},{"metric":{"__name__":"up","a":"\"ä\"\n"},"value":[1.5,"1e-07"]}]}"#,
        ),
        (
            Value::Matrix(vec![series].into()),
            r#"{"resultType":"matrix","result":[{"metric":{"__name__":"up","a":"\"ä\"\n"},"values":[[0,"1.5"],[15.003,"NaN"]]}]}"#,
        ),
    ] {
        let whole = format!(r#"{{"status":"success","data":{data},"warnings":["a \"warning\""]}}"#);
        assert_eq!(written(value, None, None), whole);
    }
}

#[test]
fn a_limit_cuts_series_and_says_so() {
    let series = |n: i64| Series { labels: Labels::default(), timestamps: vec![n], values: vec![0.0] };
    let matrix = || Value::Matrix((0..3).map(series).collect::<Vec<_>>().into());
    let read =
        |limit| -> serde_json::Value { serde_json::from_str(&written(matrix(), limit, None)).unwrap() };
    let cut = read(Some(2));
    assert_eq!(cut["data"]["result"].as_array().unwrap().len(), 2);
    assert_eq!(cut["warnings"], json!(["a \"warning\"", TRUNCATED]));
    assert_eq!(read(Some(3))["warnings"], read(None)["warnings"]);
}

#[test]
fn long_series_and_statistics() {
    let count = 3 * POINTS_AT_ONCE + 1;
    let timestamps: Vec<i64> = (0..count as i64).collect();
    let series = Series { labels: Labels::default(), values: vec![0.5; count], timestamps };
    let text = written(Value::Matrix(vec![series].into()), None, Some(Stats::new(0.25, 0.5, 7)));
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["data"]["result"][0]["values"].as_array().unwrap().len(), count);
    assert_eq!(
        value["data"]["stats"],
        json!({
            "timings": {"evalTotalTime": 0.5, "execQueueTime": 0.25, "execTotalTime": 0.75},
            "samples": {"totalQueryableSamples": 7},
        })
    );
}
