//! Prometheus's text format, version 0.0.4: `# HELP`, `# TYPE`, then one line a series.

use super::histogram::Reading;
use std::fmt::{Display, Write};

/// Its media type, as Prometheus asks for it.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Figures being written.
#[derive(Debug, Default)]
pub(super) struct Text(String);

impl Text {
    /// One counter.
    pub(super) fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.head(name, help, "counter");
        self.series(name, &[], &value);
    }

    /// One gauge.
    pub(super) fn gauge(&mut self, name: &str, help: &str, value: u64) {
        self.head(name, help, "gauge");
        self.series(name, &[], &value);
    }

    /// Several series of one name (`kind` is `counter` or `gauge`), told apart by the value of one label.
    pub(super) fn family<'a>(
        &mut self,
        name: &str,
        help: &str,
        kind: &str,
        label: &str,
        series: impl IntoIterator<Item = (&'a str, u64)>,
    ) {
        self.head(name, help, kind);
        for (value, count) in series {
            self.series(name, &[(label, value)], &count);
        }
    }

    /// A histogram.
    pub(super) fn histogram(&mut self, name: &str, help: &str, reading: &Reading) {
        self.head(name, help, "histogram");
        let bucket = format!("{name}_bucket");
        for (bound, count) in &reading.buckets {
            self.series(&bucket, &[("le", &bound.to_string())], count);
        }
        self.series(&bucket, &[("le", "+Inf")], &reading.count);
        self.series(&format!("{name}_sum"), &[], &reading.sum_seconds);
        self.series(&format!("{name}_count"), &[], &reading.count);
    }

    /// What was written.
    pub(super) fn finish(self) -> String {
        self.0
    }

    fn head(&mut self, name: &str, help: &str, kind: &str) {
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} {kind}"));
    }

    fn series(&mut self, name: &str, labels: &[(&str, &str)], value: &dyn Display) {
        let labels: Vec<_> =
            labels.iter().map(|(label, text)| format!("{label}=\"{}\"", escape(text))).collect();
        match labels.is_empty() {
            true => self.line(format_args!("{name} {value}")),
            false => self.line(format_args!("{name}{{{}}} {value}", labels.join(","))),
        }
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "{line}");
    }
}

/// A label's value: backslash, double quote and line feed are escaped.
fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_written_as_the_format_wants_it() {
        let mut text = Text::default();
        text.counter("a_total", "Some.", 3);
        text.family("b", "By \\ state.\nMore.", "gauge", "state", [("x\"y\\z\nw", 1), ("ok", 2)]);
        text.histogram(
            "c_seconds",
            "Time.",
            &Reading { buckets: vec![(0.001, 1)], count: 2, sum_seconds: 1.5 },
        );
        let wanted = [
            "# HELP a_total Some.",
            "# TYPE a_total counter",
            "a_total 3",
            "# HELP b By \\\\ state.\\nMore.",
            "# TYPE b gauge",
            "b{state=\"x\\\"y\\\\z\\nw\"} 1",
            "b{state=\"ok\"} 2",
            "# HELP c_seconds Time.",
            "# TYPE c_seconds histogram",
            "c_seconds_bucket{le=\"0.001\"} 1",
            "c_seconds_bucket{le=\"+Inf\"} 2",
            "c_seconds_sum 1.5",
            "c_seconds_count 2",
            "",
        ];
        assert_eq!(text.finish(), wanted.join("\n"));
    }
}
