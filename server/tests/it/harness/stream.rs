//! Server-sent events as a reader takes them: one connection, one event after the other.

use super::{PATIENCE, wire::Wire};
use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
};

/// A stream that is open.
pub struct Stream {
    reader: BufReader<TcpStream>,
    /// What was read and not taken yet.
    text: String,
}

/// An event, or a heartbeat, which has neither type nor data.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Its id, if it has one.
    pub id: Option<String>,
    /// Its type.
    pub kind: Option<String>,
    /// Its data; null without.
    pub data: Value,
}

impl Stream {
    /// Opens `/api/v1/events` with this query, as someone who saw `last_id` last. Gives up where the hub refuses.
    pub fn open(wire: &Wire, query: &str, last_id: Option<&str>) -> Self {
        Self::try_open(wire, query, last_id).unwrap_or_else(|head| panic!("refused: {head}"))
    }

    /// The same; where the hub refuses, the head of its answer.
    pub fn try_open(wire: &Wire, query: &str, last_id: Option<&str>) -> Result<Self, String> {
        let mut stream = TcpStream::connect(wire.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE * 2)).unwrap();
        let last_id = last_id.map(|id| format!("Last-Event-ID: {id}\r\n")).unwrap_or_default();
        let head = format!(
            "GET /api/v1/events{query} HTTP/1.1\r\nHost: hub\r\nAccept: text/event-stream\r\n{last_id}\
             Authorization: Bearer {}\r\n\r\n",
            wire.token()
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(reader.read_line(&mut head).unwrap(), 0, "{head}");
        }
        let is_stream = head.starts_with("HTTP/1.1 200") && head.contains("text/event-stream");
        if is_stream { Ok(Self { reader, text: String::new() }) } else { Err(head) }
    }

    /// The next event; heartbeats are passed over. None once the hub has ended the stream in order.
    pub fn next(&mut self) -> Option<Event> {
        loop {
            while let Some(end) = self.text.find("\n\n") {
                let block: String = self.text.drain(..end + 2).collect();
                let event = Event::parse(&block);
                if event.kind.is_some() {
                    return Some(event);
                }
            }
            if !self.read_chunk() {
                assert_eq!(self.text, "", "an event was cut");
                return None;
            }
        }
    }

    /// The next events, in short: `agent:online`, `command:pending`, `ready`.
    pub fn told(&mut self, count: usize) -> Vec<String> {
        (0..count).map(|_| self.next().unwrap().short()).collect()
    }

    /// Reads on; whether there was anything.
    fn read_chunk(&mut self) -> bool {
        let mut size = String::new();
        self.reader.read_line(&mut size).unwrap();
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or_else(|_| panic!("no chunk: {size:?}"));
        let mut chunk = vec![0; size + 2];
        self.reader.read_exact(&mut chunk).unwrap();
        chunk.truncate(size);
        self.text.push_str(&String::from_utf8(chunk).unwrap());
        size > 0
    }
}

impl Event {
    fn parse(block: &str) -> Self {
        let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
        let data = field("data: ").map_or(Value::Null, |data| serde_json::from_str(&data).unwrap());
        Self { id: field("id: "), kind: field("event: "), data }
    }

    /// Its type, and what of it tells most.
    pub fn short(&self) -> String {
        let what = ["change", "status", "hosts", "why"].iter().find_map(|name| self.data.get(*name));
        let what = what.map(|what| format!(":{}", what.to_string().trim_matches('"'))).unwrap_or_default();
        format!("{}{what}", self.kind.as_deref().unwrap_or_default())
    }
}
