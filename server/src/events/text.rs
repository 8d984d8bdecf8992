//! Events as text: the lines of `text/event-stream`, as the HTML standard has them.
//!
//! An event is `id`, `event`, `data` and an empty line. Values here have no line break: ids and types are ours, and
//! JSON escapes those it holds.

use super::{Event, Ring, stream::Why};
use pingup_protocol::time::Timestamp;
use serde::Serialize;
use std::{fmt::Write, sync::Arc, time::Duration};

/// How long a reader is asked to wait before it comes back.
const RETRY: Duration = Duration::from_secs(2);

/// What the hub says of the stream itself.
#[derive(Serialize)]
struct Notice {
    at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'static str>,
}

/// The first event: the reader has all there is up to `id`.
pub(super) fn ready(id: &str, at: Timestamp) -> String {
    let mut text = format!("retry: {}\n", RETRY.as_millis());
    event(&mut text, Some(id), "ready", &Notice { at, why: None });
    text
}

/// The first event: what came before `id` is to be asked for anew.
pub(super) fn reset(id: &str, at: Timestamp) -> String {
    let mut text = format!("retry: {}\n", RETRY.as_millis());
    event(&mut text, Some(id), "reset", &Notice { at, why: None });
    text
}

/// The last event. It has no id: the reader comes back with the one it had.
pub(super) fn end(why: Why, at: Timestamp) -> String {
    let mut text = String::new();
    event(&mut text, None, "end", &Notice { at, why: Some(why.as_str()) });
    text
}

/// What happened.
pub(super) fn events(ring: &Ring, events: &[(u64, Arc<Event>)]) -> String {
    let mut text = String::new();
    for (number, what) in events {
        event(&mut text, Some(&ring.id(*number)), what.kind().as_str(), what.as_ref());
    }
    text
}

/// Nothing happened that is wanted. A comment, and the place: a reader that comes back begins there, though it saw
/// no event of that number.
pub(super) fn heartbeat(id: &str) -> String {
    format!(": all is well\nid: {id}\n\n")
}

fn event(text: &mut String, id: Option<&str>, kind: &str, data: &impl Serialize) {
    // Neither writing to a String nor writing these as JSON can fail.
    let data = serde_json::to_string(data).unwrap_or_default();
    let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
    let _ = write!(text, "{id}event: {kind}\ndata: {data}\n\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{events::AgentEvent, standing::AgentChange};
    use pingup_protocol::ids::AgentId;

    const AT: Timestamp = Timestamp::from_micros(0);

    #[test]
    fn every_event_has_its_lines_and_an_empty_one() {
        let agent_id = AgentId::parse("web:1").unwrap();
        let came = Event::Agent(AgentEvent { agent_id, change: AgentChange::Online, at: AT });
        assert_eq!(
            events(&Ring::new(AT, 1, 1_000), &[(7, Arc::new(came))]),
            "id: 0-7\nevent: agent\ndata: {\"agentId\":\"web:1\",\"change\":\"online\",\"at\":\"1970-01-01T00:00:00Z\"}\n\n"
        );
        let at = r#""at":"1970-01-01T00:00:00Z""#;
        assert_eq!(ready("0-7", AT), format!("retry: 2000\nid: 0-7\nevent: ready\ndata: {{{at}}}\n\n"));
        assert_eq!(reset("0-7", AT), format!("retry: 2000\nid: 0-7\nevent: reset\ndata: {{{at}}}\n\n"));
        assert_eq!(end(Why::Behind, AT), format!("event: end\ndata: {{{at},\"why\":\"behind\"}}\n\n"));
        assert_eq!(heartbeat("0-7"), ": all is well\nid: 0-7\n\n");
    }
}
