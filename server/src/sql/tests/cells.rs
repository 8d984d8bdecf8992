//! Cells at the edges of their types: each says what DuckDB means, or is refused.

use super::*;

#[test]
fn cells_say_what_duckdb_means() {
    let bench = Bench::new();
    for (value, cell) in [
        ("100000000000000000000000000000000000001::HUGEINT", "100000000000000000000000000000000000001"),
        ("(-170141183460469231731687303715884105728)::HUGEINT", "-170141183460469231731687303715884105728"),
        ("TIMESTAMP 'infinity'", "infinity"),
        ("TIMESTAMP '-infinity'", "-infinity"),
        ("TIMESTAMP_S 'infinity'", "infinity"),
        ("TIMESTAMP_MS '-infinity'", "-infinity"),
        ("TIMESTAMP_NS 'infinity'", "infinity"),
        ("DATE 'infinity'", "infinity"),
        ("DATE '-infinity'", "-infinity"),
        ("TIMESTAMP '9999-12-31 23:59:59.999999'", "9999-12-31T23:59:59.999999Z"),
        ("TIMESTAMP '10000-01-01'", "+10000-01-01T00:00:00Z"),
        ("TIMESTAMP_S '2020-01-01'", "2020-01-01T00:00:00Z"),
        ("TIMESTAMP_MS '2020-01-01 00:00:00.25'", "2020-01-01T00:00:00.250Z"),
        ("TIMESTAMP_NS '2020-01-01 00:00:00.123456789'", "2020-01-01T00:00:00.123456789Z"),
        ("TIMESTAMPTZ '2020-01-01 00:00:00+02'", "2019-12-31T22:00:00Z"),
        ("md5_number('x')::VARCHAR", "221188521546444818284084528980898927773"),
    ] {
        for nested in [format!("{value} AS v"), format!("unnest([{{'a': {value}}}]).a AS v")] {
            assert_eq!(rows(&bench, &format!("SELECT {nested}"), &[]), json!([[cell]]), "{nested}");
        }
        let csv = body(&bench, &format!("SELECT {value} AS v"), Form::Csv, &[]);
        let csv = String::from_utf8(csv).unwrap();
        assert_eq!(csv.trim_start_matches("v\r\n").trim_start_matches('\'').trim_end(), cell, "{value}");
    }
}

fn refuses(value: &str, forms: &[Form]) {
    let bench = Bench::new();
    for &form in forms {
        let (word, _) = told(&bench, &question(&bench, &format!("SELECT {value} AS v"), form), &[]);
        let Word::Refused(why) = word else { panic!("{value}: {form:?}: {word:?}") };
        assert!(why.contains("cast it to VARCHAR"), "{value}: {why}");
    }
}

#[test]
fn types_that_look_like_others_in_arrow_are_refused() {
    for value in [
        "md5_number('x')",
        "340282366920938463463374607431768211455::UHUGEINT",
        "[1::UHUGEINT]",
        "MAP {'a': {'b': [1::UHUGEINT]}}",
        "TIMETZ '10:00:00+02'",
    ] {
        refuses(value, &[Form::Json, Form::NdJson, Form::Csv, Form::Arrow]);
    }
}

#[test]
fn what_no_text_can_say_is_refused() {
    for value in
        ["TIMESTAMP '290000-01-01'", "[TIMESTAMP '290000-01-01']", "DATE '290000-01-01'", "TIME '24:00:00'"]
    {
        refuses(value, &[Form::Json, Form::NdJson, Form::Csv]);
    }
}
