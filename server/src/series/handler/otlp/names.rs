//! What OpenTelemetry's names become in Prometheus: the rules of both projects' compatibility specification, as Prometheus
//! itself has them by default. So a dashboard for a Prometheus that takes OTLP finds the same names here.

use crate::series::labels::NAME_BYTES_MAX;

/// Names, units and keys that are longer are not looked at: of what is taken apart each word takes room, and nothing of
/// that length can be stored. Letters of four bytes become one.
pub(super) const SAID_BYTES_MAX: usize = 4 * NAME_BYTES_MAX;

/// Words that a name may end with, for its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// `_total`: it only grows.
    Total,
    /// `_ratio`, where the unit is 1: it is a gauge.
    Ratio,
    /// None.
    Plain,
}

/// A metric's name. Nothing where no letter and no digit is left.
pub(super) fn metric(name: &str, unit: &str, ending: Ending) -> Option<String> {
    let is_kept = |c: char| c.is_ascii_alphanumeric() || c == ':';
    let mut words: Vec<_> =
        name.split(|c| !is_kept(c)).filter(|word| !word.is_empty()).map(str::to_owned).collect();
    if words.is_empty() {
        return None;
    }
    let (main, per) = unit_words(unit);
    for word in [main, per] {
        if !word.is_empty() && !words.contains(&word) {
            words.push(word);
        }
    }
    let last = match ending {
        Ending::Total => Some("total"),
        Ending::Ratio if unit == "1" => Some("ratio"),
        Ending::Ratio | Ending::Plain => None,
    };
    if let Some(last) = last {
        words.retain(|word| word != last);
        words.push(last.to_owned());
    }
    let name = words.join("_");
    Some(if name.starts_with(|c: char| c.is_ascii_digit()) { format!("_{name}") } else { name })
}

/// A unit in words, as it stands beside a metric: `bytes_per_second`.
pub(super) fn unit(unit: &str) -> String {
    let (main, per) = unit_words(unit);
    [main, per].into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join("_")
}

/// What is measured, and per what (`per_second`); nothing where it is a remark in braces.
fn unit_words(unit: &str) -> (String, String) {
    let (main, per) = unit.split_once('/').unwrap_or((unit, ""));
    let (main, per) = (main.trim(), per.trim());
    let is_told = |unit: &str| !unit.is_empty() && !unit.contains(['{', '}']);
    let main = if is_told(main) { clean(many(main)) } else { String::new() };
    let per = if is_told(per) { clean(one(per)) } else { String::new() };
    (main, if per.is_empty() { per } else { format!("per_{per}") })
}

/// Letters and digits, with one underscore between them for all else.
fn clean(unit: &str) -> String {
    let words = unit.split(|c: char| !c.is_ascii_alphanumeric() && c != ':');
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join("_")
}

fn many(unit: &str) -> &str {
    match unit {
        "d" => "days",
        "h" => "hours",
        "min" => "minutes",
        "s" => "seconds",
        "ms" => "milliseconds",
        "us" => "microseconds",
        "ns" => "nanoseconds",
        "By" => "bytes",
        "KiBy" => "kibibytes",
        "MiBy" => "mebibytes",
        "GiBy" => "gibibytes",
        "TiBy" => "tibibytes",
        "KBy" => "kilobytes",
        "MBy" => "megabytes",
        "GBy" => "gigabytes",
        "TBy" => "terabytes",
        "m" => "meters",
        "V" => "volts",
        "A" => "amperes",
        "J" => "joules",
        "W" => "watts",
        "g" => "grams",
        "Cel" => "celsius",
        "Hz" => "hertz",
        "%" => "percent",
        "1" => "",
        other => other,
    }
}

fn one(unit: &str) -> &str {
    match unit {
        "s" => "second",
        "m" => "minute",
        "h" => "hour",
        "d" => "day",
        "w" => "week",
        "mo" => "month",
        "y" => "year",
        other => other,
    }
}

/// A label's name. Nothing where the attribute has none.
pub(super) fn label(key: &str) -> Option<String> {
    let name: String = key.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    match name.as_bytes() {
        [] => None,
        // Two underscores begin names that are reserved, and are left alone.
        [b'_', b'_', ..] => Some(name),
        [b'_', ..] => Some(format!("key{name}")),
        [b'0'..=b'9', ..] => Some(format!("key_{name}")),
        _ => Some(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_called_as_prometheus_calls_them() {
        use Ending::{Plain, Ratio, Total};
        for (name, unit, ending, wanted) in [
            ("http.server.request.duration", "s", Plain, "http_server_request_duration_seconds"),
            ("requests", "1", Total, "requests_total"),
            ("requests_total", "{request}", Total, "requests_total"),
            ("total.bytes.sent", "By", Total, "bytes_sent_total"),
            ("disk.io", "By/s", Ratio, "disk_io_bytes_per_second"),
            ("speed", "m/m", Ratio, "speed_meters_per_minute"),
            ("memory.utilization", "1", Ratio, "memory_utilization_ratio"),
            ("memory.utilization", "1", Plain, "memory_utilization"),
            ("ratio.of.all", "1", Ratio, "of_all_ratio"),
            ("temperature", "Cel", Ratio, "temperature_celsius"),
            ("uptime_seconds", "s", Ratio, "uptime_seconds"),
            ("work.done", "kW.h", Total, "work_done_kW_h_total"),
            ("queue.length", "{item}/s", Ratio, "queue_length_per_second"),
            ("queue.length", "/", Ratio, "queue_length"),
            ("2xx", "", Ratio, "_2xx"),
            ("__a..b--c:d", " % ", Ratio, "a_b_c:d_percent"),
            ("größe", "", Ratio, "gr_e"),
        ] {
            assert_eq!(metric(name, unit, ending).as_deref(), Some(wanted), "{name} in {unit}");
        }
        assert_eq!((metric("", "s", Plain), metric("µ_", "s", Total)), (None, None));
    }

    #[test]
    fn units_are_told_in_words() {
        for (said, wanted) in [("By/s", "bytes_per_second"), ("1", ""), ("{x}", ""), ("%", "percent")] {
            assert_eq!(unit(said), wanted);
        }
    }

    #[test]
    fn labels_keep_their_letters() {
        for (key, wanted) in [
            ("http.method", "http_method"),
            ("a..b", "a__b"),
            ("2nd", "key_2nd"),
            ("_x", "key_x"),
            ("__reserved", "__reserved"),
            ("größe", "gr__e"),
        ] {
            assert_eq!(label(key).as_deref(), Some(wanted), "{key}");
        }
        assert_eq!(label(""), None);
    }
}
