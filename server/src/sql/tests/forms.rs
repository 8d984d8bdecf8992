//! Answers in every form: what each says of every type, and where it ends.

use super::*;
use arrow::{array::AsArray, datatypes::Int64Type, ipc::reader::StreamReader};

#[test]
fn the_limit_leaves_rows_out_and_says_so() {
    let bench = Bench::new();
    for (rows, limit, told_rows, is_more) in [(5, 5, 5, false), (6, 5, 5, true), (10_000, 3_000, 3_000, true)]
    {
        let query = format!("SELECT * FROM range({rows})");
        for form in [Form::Json, Form::NdJson, Form::Csv, Form::Arrow] {
            let mut ask = question(&bench, &query, form);
            ask.rows_max = limit;
            let (word, _) = told(&bench, &ask, &[]);
            let Word::Answer { rows, more, .. } = word else { panic!("{form:?}: {word:?}") };
            assert_eq!((rows, more), (told_rows, is_more), "{form:?}");
        }
    }
}

#[test]
fn an_answer_that_is_too_long_is_refused_in_every_form() {
    let bench = Bench::new();
    for form in [Form::Json, Form::NdJson, Form::Csv, Form::Arrow] {
        let (word, body) =
            told(&bench, &question(&bench, "SELECT repeat('x', 99_000) FROM range(2)", form), &[]);
        let Word::Refused(why) = word else { panic!("{form:?}: {word:?}") };
        assert!(why.contains("longer than 100000 bytes") && body.is_empty(), "{why}");
    }
}

#[test]
fn every_form_says_the_same() {
    let bench = Bench::new();
    let query =
        "SELECT 1 AS n, '=x' AS t, NULL AS t, [1, 2] AS l, TIMESTAMP '2027-01-15 08:00:00' AS at, 1.5 AS d";
    let json: Value = serde_json::from_slice(&body(&bench, query, Form::Json, &[])).unwrap();
    let names: Vec<_> = json["columns"].as_array().unwrap().iter().map(|column| &column["name"]).collect();
    assert_eq!(names, ["n", "t", "t_1", "l", "at", "d"]);
    let types: Vec<_> = json["columns"].as_array().unwrap().iter().map(|column| &column["type"]).collect();
    assert_eq!(types, ["INTEGER", "VARCHAR", "INTEGER", "INTEGER[]", "TIMESTAMP", "DECIMAL(2,1)"]);
    assert_eq!(json["rows"], json!([[1, "=x", null, [1, 2], "2027-01-15T08:00:00Z", 1.5]]));
    assert_eq!(json["more"], json!(false));
    let csv = String::from_utf8(body(&bench, query, Form::Csv, &[])).unwrap();
    assert_eq!(csv, "n,t,t_1,l,at,d\r\n1,'=x,,\"[1,2]\",2027-01-15T08:00:00Z,1.5\r\n");
    let line: Value = serde_json::from_slice(&body(&bench, query, Form::NdJson, &[])).unwrap();
    let row = json!({"n": 1, "t": "=x", "t_1": null, "l": [1, 2], "at": "2027-01-15T08:00:00Z", "d": 1.5});
    assert_eq!(line, row);
    let arrow = body(&bench, "SELECT n FROM range(3) t(n)", Form::Arrow, &[]);
    let batches: Vec<_> = StreamReader::try_new(&arrow[..], None).unwrap().map(Result::unwrap).collect();
    assert_eq!(batches[0].column(0).as_primitive::<Int64Type>().values().to_vec(), [0, 1, 2]);
}

/// Every type that DuckDB has is told somehow, or said to be none that can be.
#[test]
fn every_type_is_told_or_refused() {
    let bench = Bench::new();
    for value in [
        "NULL",
        "true",
        "1::TINYINT",
        "1::HUGEINT",
        "1::UHUGEINT",
        "1::UBIGINT",
        "1::FLOAT",
        "1::DECIMAL(38, 2)",
        "'x'::BLOB",
        "'101'::BIT",
        "uuid()",
        "DATE '2027-01-15'",
        "TIME '08:00:00'",
        "now()::TIMESTAMPTZ",
        "TIMETZ '08:00:00+00'",
        "TIMESTAMP_S '2027-01-15 08:00:00'",
        "TIMESTAMP_NS '2027-01-15 08:00:00'",
        "INTERVAL 1 MONTH",
        "[1, NULL]",
        "[1, 2]::INTEGER[2]",
        "{'a': [1]}",
        "MAP {'a': 1}",
        "MAP {1: 'a'}",
        "'a'::ENUM('a', 'b')",
        "1::UNION(n INTEGER, t VARCHAR)",
        "1::BIGNUM",
        "'{}'::JSON",
        "1::VARIANT",
        "'infinity'::TIMESTAMP",
        "'infinity'::DATE",
        "'nan'::DOUBLE",
    ] {
        for form in [Form::Json, Form::NdJson, Form::Csv, Form::Arrow] {
            let (word, _) = told(&bench, &question(&bench, &format!("SELECT {value} AS v"), form), &[]);
            assert!(
                matches!(word, Word::Answer { rows: 1, .. } | Word::Refused(_)),
                "{value}: {form:?}: {word:?}"
            );
        }
    }
}

#[test]
fn an_answer_without_rows_has_its_columns() {
    let bench = Bench::new();
    let query = "SELECT 1 AS n WHERE false";
    let json: Value = serde_json::from_slice(&body(&bench, query, Form::Json, &[])).unwrap();
    assert_eq!(json, json!({"columns": [{"name": "n", "type": "INTEGER"}], "rows": [], "more": false}));
    assert_eq!(body(&bench, query, Form::Csv, &[]), b"n\r\n");
    assert_eq!(body(&bench, query, Form::NdJson, &[]), b"");
    let arrow = body(&bench, query, Form::Arrow, &[]);
    assert_eq!(StreamReader::try_new(&arrow[..], None).unwrap().schema().field(0).name(), "n");
}
