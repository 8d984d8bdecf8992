//! `write`: Prometheus's remote write, version 1. Samples as they are, to the bit.
//!
//! Exemplars are passed over. Native histograms are left out by name: who sends them asked for it, and must hear of it.
//! A message of version 2 that says it is one of version 1 is refused: read as such it would be empty, and thought stored.

use super::{
    Doors, UNPACKED_BYTES_MAX,
    brought::Brought,
    outcome::{Outcome, Unfit, told},
};
use crate::{
    auth::{Operator, PlainBody},
    http::{
        protobuf::{Broken, Field, Fields, text},
        senders,
        unpack::Snappy,
    },
    series::{Labels, MetricKind, Point, told::HELP_BYTES_MAX},
};
use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use std::{borrow::Cow, sync::Arc};

/// Labels by which a refused series is named.
const NAMED_LABELS_MAX: usize = 8;
/// What is looked at of a text of metadata: more than is kept of any, by a letter that may be broken there.
const TOLD_BYTES_MAX: usize = HELP_BYTES_MAX + 4;

/// `POST /prometheus/api/v1/write`.
pub async fn write(State(doors): State<Arc<Doors>>, sender: Operator, body: PlainBody) -> Response {
    match taken(&doors, sender, body).await {
        Ok(outcome) => answer(outcome),
        Err(Unfit::Bad(why)) => senders::text(StatusCode::BAD_REQUEST, &format!("nothing was stored: {why}")),
        Err(Unfit::Refused(refusal)) => refusal.into_response(),
    }
}

async fn taken(doors: &Doors, sender: Operator, body: PlainBody) -> Result<Outcome, Unfit> {
    let length = Snappy::new(&body.0, UNPACKED_BYTES_MAX)?.length();
    let reading = move |brought: &mut Brought| {
        brought.allowance.take(length)?;
        read(&Snappy::new(&body.0, UNPACKED_BYTES_MAX)?.unpack()?, brought)
    };
    Ok(doors.take(sender.name, length, reading).await?.1)
}

/// Nothing to say where everything is stored.
fn answer(outcome: Outcome) -> Response {
    let stored = outcome.stored;
    let refused = outcome.refused();
    let why = refused.why();
    match why.is_empty() {
        true => StatusCode::NO_CONTENT.into_response(),
        false => {
            let line = format!("{} samples were not stored, {stored} are: {why}", refused.count);
            senders::text(StatusCode::BAD_REQUEST, &line)
        }
    }
}

/// Reads a `prometheus.WriteRequest`.
fn read(message: &[u8], brought: &mut Brought) -> Result<(), Unfit> {
    let mut fields = Fields(message);
    while let Some((number, field)) = fields.next()? {
        match (number, field) {
            (1, Field::Bytes(series)) => read_series(series, brought)?,
            (3, Field::Bytes(metadata)) => read_metadata(metadata, brought)?,
            (4 | 5, _) => {
                return Err(Unfit::Bad("this is a message of remote write 2; send version 1".to_owned()));
            }
            _ => {}
        }
    }
    Ok(())
}

fn read_series(message: &[u8], brought: &mut Brought) -> Result<(), Unfit> {
    let (mut pairs, mut points, mut histograms, mut is_text) = (Vec::new(), Vec::new(), 0, true);
    let mut fields = Fields(message);
    while let Some((number, field)) = fields.next()? {
        match (number, field) {
            (1, Field::Bytes(label)) => match read_label(label)? {
                // An empty value is no label: so says Prometheus's own model of data.
                Some((_, "")) => {}
                Some((name, value)) => {
                    brought.take_text(name)?;
                    brought.take_text(value)?;
                    pairs.push((name.to_owned(), value.to_owned()));
                }
                None => is_text = false,
            },
            (2, Field::Bytes(sample)) => {
                brought.take_one::<Point>()?;
                points.push(read_sample(sample)?);
            }
            (4, Field::Bytes(_)) => histograms += 1,
            _ => {}
        }
    }
    if points.is_empty() && histograms == 0 {
        return Ok(());
    }
    let count = points.len() + histograms;
    if !is_text {
        brought.refused.add(count, || format!("a label of {} is no UTF-8", name_of(message)));
        return Ok(());
    }
    match Labels::new(pairs) {
        Err(error) => brought.refused.add(count, || format!("{}: {error}", name_of(message))),
        Ok(labels) => {
            if histograms > 0 {
                brought.refused.add(histograms, || {
                    format!(
                        "{}: native histograms are not stored here; send classic ones",
                        told(&labels.to_string())
                    )
                });
            }
            if !points.is_empty() {
                brought.keep(labels, points)?;
            }
        }
    }
    Ok(())
}

/// A label's name and value; nothing where one of them is no text.
fn read_label(message: &[u8]) -> Result<Option<(&str, &str)>, Broken> {
    let (mut name, mut value) = (&[][..], &[][..]);
    let mut fields = Fields(message);
    while let Some((number, field)) = fields.next()? {
        match (number, field) {
            (1, Field::Bytes(bytes)) => name = bytes,
            (2, Field::Bytes(bytes)) => value = bytes,
            _ => {}
        }
    }
    Ok(text(name).and_then(|name| Ok((name, text(value)?))).ok())
}

fn read_sample(message: &[u8]) -> Result<Point, Broken> {
    let mut point = Point { at_ms: 0, value: 0.0 };
    let mut fields = Fields(message);
    while let Some((number, field)) = fields.next()? {
        match (number, field) {
            (1, Field::Eight(bits)) => point.value = f64::from_bits(bits),
            (2, Field::Number(at)) => point.at_ms = at.cast_signed(),
            _ => {}
        }
    }
    Ok(point)
}

/// What a series that is refused is called, as well as it can be told.
fn name_of(message: &[u8]) -> String {
    let (mut metric, mut labels) = (String::new(), Vec::new());
    let mut fields = Fields(message);
    while let Ok(Some((number, field))) = fields.next() {
        if let (1, Field::Bytes(label)) = (number, field) {
            match read_label(label) {
                Ok(Some(("__name__", name))) => name.clone_into(&mut metric),
                Ok(Some((name, value))) => labels.push(format!("{name}={:?}", told(value))),
                Ok(None) | Err(_) => labels.push("…".to_owned()),
            }
        }
        if labels.len() > NAMED_LABELS_MAX {
            break;
        }
    }
    told(&format!("{metric}{{{}}}", labels.join(", ")))
}

fn read_metadata(message: &[u8], brought: &mut Brought) -> Result<(), Unfit> {
    let mut kind = MetricKind::Unknown;
    let (mut metric, mut help, mut unit) = (&[][..], &[][..], &[][..]);
    let mut fields = Fields(message);
    while let Some((number, field)) = fields.next()? {
        match (number, field) {
            (1, Field::Number(1)) => kind = MetricKind::Counter,
            (1, Field::Number(2)) => kind = MetricKind::Gauge,
            (1, Field::Number(3)) => kind = MetricKind::Histogram,
            (1, Field::Number(5)) => kind = MetricKind::Summary,
            (2, Field::Bytes(bytes)) => metric = bytes,
            (4, Field::Bytes(bytes)) => help = bytes,
            (5, Field::Bytes(bytes)) => unit = bytes,
            _ => {}
        }
    }
    brought.describe(&looked_at(metric), kind, &looked_at(help), &looked_at(unit))
}

/// As text. Bytes that are none take three each: those that nobody will look at are left out before.
fn looked_at(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(&bytes[..bytes.len().min(TOLD_BYTES_MAX)])
}

#[cfg(test)]
mod tests;
