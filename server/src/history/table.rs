//! Pages as CSV (RFC 4180): a header, then a line an item.
//!
//! Text that a spreadsheet would run as a formula gets an apostrophe before it; a spreadsheet shows it as text.

use super::{Bucket, Row, plan::Fields};
use crate::{csv, tsdb::schema};
use std::{
    collections::{BTreeSet, HashMap},
    fmt::{Display, Write},
};

/// What buckets tell of each measurement.
const OF_EACH: [&str; 5] = ["min", "max", "avg", "last", "count"];

/// Raw rows: `timestamp,status,cpu,ram,disk,latency`, then the others sorted; of named fields, those. Columns are
/// called as [`schema::column_name`] says.
pub(super) fn rows(rows: &[Row], fields: &Fields) -> String {
    let (own, further) = row_names(rows, fields);
    let mut table = Table::default();
    let heads: Vec<_> = own.iter().chain(&further).map(|name| schema::column_name(name)).collect();
    table.line(["timestamp", "status"].into_iter().chain(heads.iter().map(AsRef::as_ref)));
    for Row { timestamp, status, metrics } in rows {
        table.cell(&timestamp.to_string());
        table.said(status);
        for name in &own {
            table.number(match *name {
                "cpu" => metrics.cpu,
                "ram" => metrics.ram,
                "disk" => metrics.disk,
                _ => metrics.latency,
            });
        }
        let values: HashMap<_, _> =
            metrics.further.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        further.iter().for_each(|name| table.number(values.get(name).copied()));
        table.end();
    }
    table.text
}

/// Buckets: `start,count`, then `_min`, `_max`, `_avg`, `_last` and `_count` of each measurement; whatever that is
/// called, its columns have names of their own.
pub(super) fn buckets(buckets: &[Bucket], fields: &Fields) -> String {
    let names = bucket_names(buckets, fields);
    let mut table = Table::default();
    let heads = names.iter().flat_map(|name| OF_EACH.map(|of| format!("{name}_{of}")));
    let heads: Vec<_> = ["start".to_owned(), "count".to_owned()].into_iter().chain(heads).collect();
    table.line(heads.iter().map(String::as_str));
    for Bucket { start, count, metrics } in buckets {
        table.cell(&start.to_string());
        table.cell(&count.to_string());
        let values: HashMap<_, _> = metrics.0.iter().map(|(name, aggregate)| (&**name, *aggregate)).collect();
        for name in &names {
            let aggregate = values.get(name);
            table.number(aggregate.map(|aggregate| aggregate.min));
            table.number(aggregate.map(|aggregate| aggregate.max));
            table.number(aggregate.map(|aggregate| aggregate.avg));
            table.number(aggregate.map(|aggregate| aggregate.last));
            table.number(aggregate.map(|aggregate| aggregate.count));
        }
        table.end();
    }
    table.text
}

/// The measurements that rows have columns for: those with columns of their own, and the others.
pub(super) fn row_names<'a>(rows: &'a [Row], fields: &'a Fields) -> (Vec<&'a str>, Vec<&'a str>) {
    let there = rows.iter().flat_map(|row| row.metrics.further.iter().map(|(name, _)| name.as_str()));
    (fields.own_columns().collect(), further(there, fields))
}

/// The measurements that buckets have columns for.
pub(super) fn bucket_names<'a>(buckets: &'a [Bucket], fields: &'a Fields) -> Vec<&'a str> {
    let mut names: Vec<_> = fields.own_columns().collect();
    let told = buckets.iter().flat_map(|bucket| bucket.metrics.0.iter().map(|(name, _)| &**name));
    let further = further(told.filter(|name| !names.contains(name)), fields);
    names.extend(further);
    names
}

/// The columns beside the fixed ones: those that were named, else those that are there, sorted.
fn further<'a>(there: impl Iterator<Item = &'a str>, fields: &'a Fields) -> Vec<&'a str> {
    fields.further().unwrap_or_else(|| there.collect::<BTreeSet<_>>().into_iter().collect())
}

#[derive(Default)]
struct Table {
    text: String,
    begun: bool,
}

impl Table {
    fn line<'a>(&mut self, cells: impl Iterator<Item = &'a str>) {
        cells.for_each(|cell| self.cell(cell));
        self.end();
    }

    fn cell(&mut self, text: &str) {
        self.separate();
        if text.contains(['"', ',', '\r', '\n']) {
            self.text.push('"');
            self.text.push_str(&text.replace('"', "\"\""));
            self.text.push('"');
        } else {
            self.text.push_str(text);
        }
    }

    /// Text of the agents' own.
    fn said(&mut self, text: &str) {
        self.separate();
        csv::text(text, &mut self.text);
    }

    /// Nothing for what was not measured.
    fn number(&mut self, value: Option<impl Display>) {
        self.separate();
        if let Some(value) = value {
            // Writing to a String cannot fail.
            let _ = write!(self.text, "{value}");
        }
    }

    fn separate(&mut self) {
        if self.begun {
            self.text.push(',');
        }
        self.begun = true;
    }

    fn end(&mut self) {
        self.text.push_str("\r\n");
        self.begun = false;
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Aggregate, Aggregates},
        *,
    };
    use pingup_protocol::{metrics::Measurements, time::Timestamp};

    fn row(status: &str, further: &[(&str, f64)]) -> Row {
        let further = further.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        let metrics = Measurements { cpu: Some(1.5), further, ..Measurements::default() };
        Row { timestamp: Timestamp::from_micros(0), status: status.to_owned(), metrics }
    }

    #[test]
    fn rows_have_the_fixed_columns_then_the_others_sorted() {
        let table = rows(&[row("online", &[("swap", 2.0)]), row("x", &[("load1", 0.25)])], &Fields::All);
        let wanted = "timestamp,status,cpu,ram,disk,latency,load1,swap\r\n\
                      1970-01-01T00:00:00Z,online,1.5,,,,,2\r\n\
                      1970-01-01T00:00:00Z,x,1.5,,,,0.25,\r\n";
        assert_eq!(table, wanted);
        let named = Fields::Named(["ram", "none"].map(str::to_owned).into());
        assert_eq!(
            rows(&[row("x", &[])], &named),
            "timestamp,status,ram,none\r\n1970-01-01T00:00:00Z,x,,\r\n"
        );
        assert_eq!(rows(&[], &Fields::All), "timestamp,status,cpu,ram,disk,latency\r\n");
    }

    #[test]
    fn a_measurement_called_as_a_column_has_a_column_of_its_own() {
        let table = rows(&[row("x", &[("status", 1.0), ("timestamp", 2.0)])], &Fields::All);
        let head = "timestamp,status,cpu,ram,disk,latency,metrics.status,metrics.timestamp";
        assert_eq!(table, format!("{head}\r\n1970-01-01T00:00:00Z,x,1.5,,,,1,2\r\n"));
        let named = Fields::Named(["status".to_owned()].into());
        assert_eq!(
            rows(&[row("x", &[("status", 1.0)])], &named),
            "timestamp,status,metrics.status\r\n1970-01-01T00:00:00Z,x,1\r\n"
        );
    }

    #[test]
    fn text_is_quoted_and_never_a_formula() {
        for (status, cell) in [
            ("=1+1", "'=1+1"),
            ("-1", "'-1"),
            ("@x", "'@x"),
            ("+\"a\",b", "\"'+\"\"a\"\",b\""),
            ("a\nb", "a\\nb"),
            ("\ta", "\\ta"),
            ("a=b", "a=b"),
        ] {
            let named = Fields::Named(["cpu".to_owned()].into());
            let table = rows(&[row(status, &[])], &named);
            assert_eq!(table, format!("timestamp,status,cpu\r\n1970-01-01T00:00:00Z,{cell},1.5\r\n"));
        }
    }

    #[test]
    fn buckets_have_five_columns_a_measurement() {
        let aggregate = Aggregate { min: 1.0, max: 3.0, avg: 2.0, last: 2.5, count: 3 };
        let metrics = Aggregates(vec![("cpu".into(), aggregate)]);
        let bucket = Bucket { start: Timestamp::from_micros(0), count: 4, metrics };
        let named = Fields::Named(["cpu", "swap"].map(str::to_owned).into());
        let wanted = "start,count,cpu_min,cpu_max,cpu_avg,cpu_last,cpu_count,\
                      swap_min,swap_max,swap_avg,swap_last,swap_count\r\n\
                      1970-01-01T00:00:00Z,4,1,3,2,2.5,3,,,,,\r\n";
        assert_eq!(buckets(&[bucket], &named), wanted);
    }
}
