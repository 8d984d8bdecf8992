//! Texts, labels and points, as they stand in Prometheus's JSON.

use pingup_promql::{Labels, format};
use pingup_protocol::plain;

pub(super) fn labels(text: &mut String, set: &Labels) {
    text.push('{');
    for (number, (name, value)) in set.iter().enumerate() {
        if number > 0 {
            text.push(',');
        }
        string(text, name);
        text.push(':');
        string(text, value);
    }
    text.push('}');
}

pub(super) fn point(text: &mut String, timestamp_ms: i64, value: f64) {
    at(text, timestamp_ms);
    text.push('"');
    format::write_value(text, value);
    text.push_str("\"]");
}

/// The beginning of a pair: its moment.
pub(super) fn at(text: &mut String, timestamp_ms: i64) {
    text.push('[');
    format::write_timestamp(text, timestamp_ms);
    text.push(',');
}

pub(super) fn string(text: &mut String, content: &str) {
    let is_plain = |byte| byte >= b' ' && byte != b'"' && byte != b'\\' && !plain::is_suspect(byte);
    if content.bytes().all(is_plain) {
        text.push('"');
        text.push_str(content);
        text.push('"');
    } else {
        // A text always can be written.
        let quoted = serde_json::to_string(content).unwrap_or_else(|_| "\"\"".to_owned());
        text.push_str(&plain::json_text(&quoted));
    }
}
