//! OTLP in protobuf: its messages, field by field. What is unknown is passed over, lists are counted as they grow.

use super::{
    super::outcome::Unfit,
    json::Number,
    message::{
        HistogramPoint, Metric, NumberPoint, Points, Quantile, Request, Resource, ResourceMetrics,
        ScopeMetrics, SummaryPoint, Text, Unread,
    },
    value::attribute,
};
use crate::http::{
    protobuf::{Broken, Field, Fields, eight, text},
    unpack::Allowance,
};

/// Numbers that add up from a start, in OTLP's own numbers.
pub(super) const CUMULATIVE: u64 = 2;

/// Reads a request.
pub(super) fn request<'a>(message: &'a [u8], allowance: &mut Allowance) -> Result<Request<'a>, Unfit> {
    let mut request = Request::default();
    let mut fields = Fields(message);
    while let Some(field) = fields.next()? {
        if let (1, Field::Bytes(bytes)) = field {
            put(&mut request.resource_metrics, resource_metrics(bytes, allowance)?, allowance)?;
        }
    }
    Ok(request)
}

/// Puts a thing into a list, which may double.
pub(super) fn put<T>(list: &mut Vec<T>, thing: T, allowance: &mut Allowance) -> Result<(), Unfit> {
    allowance.take(2 * size_of::<T>())?;
    list.push(thing);
    Ok(())
}

pub(super) fn words(bytes: &[u8]) -> Result<Text<'_>, Broken> {
    Ok(Text::Borrowed(text(bytes)?))
}

fn double(bits: u64) -> Number<f64> {
    Number(f64::from_bits(bits))
}

fn resource_metrics<'a>(message: &'a [u8], allowance: &mut Allowance) -> Result<ResourceMetrics<'a>, Unfit> {
    let mut found = ResourceMetrics::default();
    let mut fields = Fields(message);
    while let Some(field) = fields.next()? {
        match field {
            (1, Field::Bytes(bytes)) => found.resource = resource(bytes, allowance)?,
            (2, Field::Bytes(bytes)) => {
                put(&mut found.scope_metrics, scope_metrics(bytes, allowance)?, allowance)?;
            }
            _ => {}
        }
    }
    Ok(found)
}

fn resource<'a>(message: &'a [u8], allowance: &mut Allowance) -> Result<Resource<'a>, Unfit> {
    let mut found = Resource::default();
    let mut fields = Fields(message);
    while let Some(field) = fields.next()? {
        if let (1, Field::Bytes(bytes)) = field {
            put(&mut found.attributes, attribute(bytes, 0, allowance)?, allowance)?;
        }
    }
    Ok(found)
}

fn scope_metrics<'a>(message: &'a [u8], allowance: &mut Allowance) -> Result<ScopeMetrics<'a>, Unfit> {
    let mut found = ScopeMetrics::default();
    let mut fields = Fields(message);
    while let Some(field) = fields.next()? {
        if let (2, Field::Bytes(bytes)) = field {
            put(&mut found.metrics, metric(bytes, allowance)?, allowance)?;
        }
    }
    Ok(found)
}

fn metric<'a>(message: &'a [u8], allowance: &mut Allowance) -> Result<Metric<'a>, Unfit> {
    let mut found = Metric::default();
    let mut fields = Fields(message);
    while let Some(field) = fields.next()? {
        match field {
            (1, Field::Bytes(bytes)) => found.name = words(bytes)?,
            (2, Field::Bytes(bytes)) => found.description = words(bytes)?,
            (3, Field::Bytes(bytes)) => found.unit = words(bytes)?,
            (5, Field::Bytes(bytes)) => found.gauge = Some(points(bytes, number_point, allowance)?),
            (7, Field::Bytes(bytes)) => found.sum = Some(points(bytes, number_point, allowance)?),
            (9, Field::Bytes(bytes)) => found.histogram = Some(points(bytes, histogram_point, allowance)?),
            (10, Field::Bytes(bytes)) => {
                found.exponential_histogram = Some(points(bytes, |_, _| Ok(Unread {}), allowance)?);
            }
            (11, Field::Bytes(bytes)) => found.summary = Some(points(bytes, summary_point, allowance)?),
            _ => {}
        }
    }
    Ok(found)
}

fn points<'a, P>(
    message: &'a [u8],
    point: impl Fn(&'a [u8], &mut Allowance) -> Result<P, Unfit>,
    allowance: &mut Allowance,
) -> Result<Points<P>, Unfit> {
    let mut found = Points::default();
    let mut fields = Fields(message);
    while let Some(field) = fields.next()? {
        match field {
            (1, Field::Bytes(bytes)) => put(&mut found.data_points, point(bytes, allowance)?, allowance)?,
            (2, Field::Number(number)) => found.aggregation_temporality = Number(number),
            (3, Field::Number(number)) => found.is_monotonic = number != 0,
            _ => {}
        }
    }
    Ok(found)
}

fn number_point<'a>(message: &'a [u8], allowance: &mut Allowance) -> Result<NumberPoint<'a>, Unfit> {
    let mut found = NumberPoint::default();
    let mut fields = Fields(message);
    while let Some(field) = fields.next()? {
        match field {
            (3, Field::Eight(nanos)) => found.time_unix_nano = Number(nanos),
            (4, Field::Eight(bits)) => found.as_double = Some(double(bits)),
            (6, Field::Eight(bits)) => found.as_int = Some(Number(bits.cast_signed())),
            (7, Field::Bytes(bytes)) => {
                put(&mut found.attributes, attribute(bytes, 0, allowance)?, allowance)?;
            }
            (8, Field::Number(flags)) => found.flags = Number(flags),
            _ => {}
        }
    }
    Ok(found)
}

fn histogram_point<'a>(message: &'a [u8], allowance: &mut Allowance) -> Result<HistogramPoint<'a>, Unfit> {
    let mut found = HistogramPoint::default();
    let mut fields = Fields(message);
    while let Some(field) = fields.next()? {
        match field {
            (3, Field::Eight(nanos)) => found.time_unix_nano = Number(nanos),
            (4, Field::Eight(count)) => found.count = Number(count),
            (5, Field::Eight(bits)) => found.sum = Some(double(bits)),
            (6, Field::Eight(count)) => put(&mut found.bucket_counts, Number(count), allowance)?,
            (7, Field::Eight(bits)) => put(&mut found.explicit_bounds, double(bits), allowance)?,
            (6, Field::Bytes(mut packed)) => {
                while !packed.is_empty() {
                    put(&mut found.bucket_counts, Number(eight(&mut packed)?), allowance)?;
                }
            }
            (7, Field::Bytes(mut packed)) => {
                while !packed.is_empty() {
                    put(&mut found.explicit_bounds, double(eight(&mut packed)?), allowance)?;
                }
            }
            (9, Field::Bytes(bytes)) => {
                put(&mut found.attributes, attribute(bytes, 0, allowance)?, allowance)?;
            }
            (10, Field::Number(flags)) => found.flags = Number(flags),
            _ => {}
        }
    }
    Ok(found)
}

fn summary_point<'a>(message: &'a [u8], allowance: &mut Allowance) -> Result<SummaryPoint<'a>, Unfit> {
    let mut found = SummaryPoint::default();
    let mut fields = Fields(message);
    while let Some(field) = fields.next()? {
        match field {
            (3, Field::Eight(nanos)) => found.time_unix_nano = Number(nanos),
            (4, Field::Eight(count)) => found.count = Number(count),
            (5, Field::Eight(bits)) => found.sum = double(bits),
            (6, Field::Bytes(bytes)) => put(&mut found.quantile_values, quantile(bytes)?, allowance)?,
            (7, Field::Bytes(bytes)) => {
                put(&mut found.attributes, attribute(bytes, 0, allowance)?, allowance)?;
            }
            (8, Field::Number(flags)) => found.flags = Number(flags),
            _ => {}
        }
    }
    Ok(found)
}

fn quantile(message: &[u8]) -> Result<Quantile, Broken> {
    let mut found = Quantile::default();
    let mut fields = Fields(message);
    while let Some(field) = fields.next()? {
        match field {
            (1, Field::Eight(bits)) => found.quantile = double(bits),
            (2, Field::Eight(bits)) => found.value = double(bits),
            _ => {}
        }
    }
    Ok(found)
}
