//! The plain way: reads the bytes that an agent's canonical body is made of, in one pass over them.
//!
//! Plain is: no space, members in their order and no others, strings of ASCII without escapes, good samples. A sample
//! that is not plain is left to [`super::general`] by itself; whatever else is not, as a whole. Nothing is refused here.

use super::{BatchEntry, MetricsBody, ReadBatch, Sample, SingleBody, check_integer, general};
use crate::{
    canonical::{Decimal, ordinary_end},
    ids::AgentId,
    limits::{BATCH_SAMPLES_MAX, MEASUREMENTS_MAX},
    measurements::Measurements,
    schema::Checked,
    time::Timestamp,
};
use serde::Deserialize;
use serde_json::value::RawValue;

/// What a measurement takes of a body, about: room is made for as many as fit behind the agent's name.
const MEASUREMENT_BYTES: usize = 24;

/// Reads a plain body; `None` is no verdict.
pub(super) fn read(json: &[u8]) -> Option<MetricsBody> {
    let mut reader = Reader { input: std::str::from_utf8(json).ok()?, at: 0, further: 0 };
    let body = reader.body()?;
    (reader.at == json.len()).then_some(body)
}

struct Reader<'a> {
    input: &'a str,
    at: usize,
    /// Further measurements that the next sample will have, if it is like the last.
    further: usize,
}

impl<'a> Reader<'a> {
    /// Passes `token`, if it stands here.
    #[inline]
    fn take(&mut self, token: &str) -> Option<()> {
        self.input.as_bytes().get(self.at..)?.starts_with(token.as_bytes()).then(|| self.at += token.len())
    }

    /// What stands between two quotes.
    #[inline]
    fn text(&mut self) -> Option<&'a str> {
        self.take("\"")?;
        let start = self.at;
        self.at = ordinary_end(self.input.as_bytes(), start);
        let text = self.input.get(start..self.at)?;
        self.take("\"")?;
        Some(text)
    }

    #[inline]
    fn integer(&mut self) -> Option<u64> {
        let decimal = Decimal::read(self.input.as_bytes().get(self.at..)?)?;
        self.at += decimal.len();
        decimal.integer()
    }

    #[inline]
    fn number(&mut self) -> Option<f64> {
        let text = &self.input[self.at..];
        let decimal = Decimal::read(text.as_bytes())?;
        self.at += decimal.len();
        decimal.value().or_else(|| text[..decimal.len()].parse().ok())
    }

    fn body(&mut self) -> Option<MetricsBody> {
        self.take("{\"agentId\":")?;
        let agent_id = AgentId::parse(self.text()?).ok()?;
        let boot = match self.take(",\"boot\":") {
            Some(()) => Some(self.integer()?),
            None => None,
        };
        match boot {
            Some(boot) if self.take(",\"samples\":[").is_some() => {
                check_integer("/boot", boot).ok()?;
                let entries = self.entries()?;
                self.signature()?;
                self.take("}")?;
                Some(MetricsBody::Batch(ReadBatch { agent_id, boot, entries }))
            }
            _ => self.single(agent_id, boot).map(MetricsBody::Single),
        }
    }

    fn single(&mut self, agent_id: AgentId, boot: Option<u64>) -> Option<SingleBody> {
        self.further = (self.input.len() - self.at) / MEASUREMENT_BYTES;
        self.take(",\"metrics\":")?;
        let metrics = self.measurements()?;
        let seq = match self.take(",\"seq\":") {
            Some(()) => Some(self.integer()?),
            None => None,
        };
        self.signature()?;
        let (status, timestamp) = self.tail()?;
        let body = SingleBody { agent_id, boot, seq, timestamp, metrics, status };
        body.check().is_ok().then_some(body)
    }

    /// What behind `samples` was signed with; a body that was rewritten has none.
    fn signature(&mut self) -> Option<()> {
        match self.take(",\"signature\":") {
            Some(()) => self.text().map(drop),
            None => Some(()),
        }
    }

    /// The last members of a sample, and its end.
    #[inline]
    fn tail(&mut self) -> Option<(String, Timestamp)> {
        self.take(",\"status\":")?;
        let status = self.text()?.to_owned();
        self.take(",\"timestamp\":")?;
        let timestamp = Timestamp::parse(self.text()?).ok()?;
        self.take("}")?;
        Some((status, timestamp))
    }

    fn entries(&mut self) -> Option<Vec<BatchEntry>> {
        let mut entries = Vec::new();
        let mut last = 0;
        loop {
            let start = self.at;
            let entry = match self.sample() {
                Some(sample) => BatchEntry::Good(sample),
                None => self.other_entry(start, entries.len())?,
            };
            if entry.seq() <= last || entries.len() == BATCH_SAMPLES_MAX {
                return None;
            }
            if entries.is_empty() {
                // Samples are alike, and the first has the shortest number.
                entries.reserve(((self.input.len() - start) / (self.at - start)).min(BATCH_SAMPLES_MAX));
            }
            last = entry.seq();
            entries.push(entry);
            if self.take(",").is_none() {
                self.take("]")?;
                return Some(entries);
            }
        }
    }

    fn sample(&mut self) -> Option<Sample> {
        self.take("{\"metrics\":")?;
        let metrics = self.measurements()?;
        self.take(",\"seq\":")?;
        let seq = self.integer()?;
        let (status, timestamp) = self.tail()?;
        let sample = Sample { seq, timestamp, metrics, status };
        sample.check().is_ok().then_some(sample)
    }

    /// The entry at `start`, which is not plain, read the general way. A space before it, which its text would not have,
    /// must not shift where it ends.
    fn other_entry(&mut self, start: usize, index: usize) -> Option<BatchEntry> {
        let rest = self.input.get(start..).filter(|rest| rest.starts_with('{'))?;
        let mut rest = serde_json::Deserializer::from_str(rest);
        let text = <&RawValue>::deserialize(&mut rest).ok()?.get();
        self.at = start + text.len();
        general::read_entry(text, index).ok()
    }

    /// An object of numbers and nulls. Whether they are in range is asked where the sample is whole.
    fn measurements(&mut self) -> Option<Measurements> {
        self.take("{")?;
        let mut found = Measurements::default();
        if self.take("}").is_some() {
            return Some(found);
        }
        loop {
            let name = self.text()?;
            self.take(":")?;
            let value = match self.take("null") {
                Some(()) => None,
                None => Some(self.number()?),
            };
            match name {
                "cpu" => found.cpu = value,
                "ram" => found.ram = value,
                "disk" => found.disk = value,
                "latency" => found.latency = value,
                _ => self.push_further(&mut found.further, name, value)?,
            }
            if self.take(",").is_none() {
                self.take("}")?;
                self.further = found.further.len();
                return Some(found);
            }
        }
    }

    fn push_further(&self, further: &mut Vec<(String, f64)>, name: &str, value: Option<f64>) -> Option<()> {
        let Some(value) = value else { return Some(()) };
        if further.is_empty() {
            further.reserve(self.further.min(MEASUREMENTS_MAX));
        }
        // One more than may be: then it is not plain.
        (further.len() <= MEASUREMENTS_MAX).then(|| further.push((name.to_owned(), value)))
    }
}
