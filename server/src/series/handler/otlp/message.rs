//! OTLP's messages, as far as they are read here: the same whether they came in protobuf or in JSON. Texts lie in the body
//! where they can.

use super::json::Number;
use serde::Deserialize;
use std::borrow::Cow;

/// Text of the body.
pub(super) type Text<'a> = Cow<'a, str>;

/// `ExportMetricsServiceRequest`.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Request<'a> {
    #[serde(borrow)]
    pub(super) resource_metrics: Vec<ResourceMetrics<'a>>,
}

/// Metrics of one resource.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ResourceMetrics<'a> {
    #[serde(borrow)]
    pub(super) resource: Resource<'a>,
    #[serde(borrow)]
    pub(super) scope_metrics: Vec<ScopeMetrics<'a>>,
}

/// What measures: a service, a host.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Resource<'a> {
    #[serde(borrow)]
    pub(super) attributes: Vec<Attribute<'a>>,
}

/// Metrics of one library.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ScopeMetrics<'a> {
    #[serde(borrow)]
    pub(super) metrics: Vec<Metric<'a>>,
}

/// A metric, with points of one kind.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Metric<'a> {
    #[serde(borrow)]
    pub(super) name: Text<'a>,
    #[serde(borrow)]
    pub(super) description: Text<'a>,
    #[serde(borrow)]
    pub(super) unit: Text<'a>,
    #[serde(borrow)]
    pub(super) gauge: Option<Points<NumberPoint<'a>>>,
    #[serde(borrow)]
    pub(super) sum: Option<Points<NumberPoint<'a>>>,
    #[serde(borrow)]
    pub(super) histogram: Option<Points<HistogramPoint<'a>>>,
    pub(super) exponential_histogram: Option<Points<Unread>>,
    #[serde(borrow)]
    pub(super) summary: Option<Points<SummaryPoint<'a>>>,
}

/// Points of a metric. What a kind does not have is as by default.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "P: Deserialize<'de>"))]
pub(super) struct Points<P> {
    pub(super) data_points: Vec<P>,
    pub(super) aggregation_temporality: Number<u64>,
    pub(super) is_monotonic: bool,
}

impl<P> Default for Points<P> {
    fn default() -> Self {
        Self { data_points: Vec::new(), aggregation_temporality: Number(0), is_monotonic: false }
    }
}

/// A point of a kind that is not read, to be counted.
#[derive(Debug, Default, PartialEq, Deserialize)]
pub(super) struct Unread {}

/// One number at a moment.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct NumberPoint<'a> {
    #[serde(borrow)]
    pub(super) attributes: Vec<Attribute<'a>>,
    pub(super) time_unix_nano: Number<u64>,
    pub(super) as_double: Option<Number<f64>>,
    pub(super) as_int: Option<Number<i64>>,
    pub(super) flags: Number<u64>,
}

/// Counts in buckets at a moment.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct HistogramPoint<'a> {
    #[serde(borrow)]
    pub(super) attributes: Vec<Attribute<'a>>,
    pub(super) time_unix_nano: Number<u64>,
    pub(super) count: Number<u64>,
    pub(super) sum: Option<Number<f64>>,
    /// Of each bucket by itself; one more than bounds, or none.
    pub(super) bucket_counts: Vec<Number<u64>>,
    pub(super) explicit_bounds: Vec<Number<f64>>,
    pub(super) flags: Number<u64>,
}

/// Quantiles at a moment.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct SummaryPoint<'a> {
    #[serde(borrow)]
    pub(super) attributes: Vec<Attribute<'a>>,
    pub(super) time_unix_nano: Number<u64>,
    pub(super) count: Number<u64>,
    pub(super) sum: Number<f64>,
    pub(super) quantile_values: Vec<Quantile>,
    pub(super) flags: Number<u64>,
}

/// A quantile and its value.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Quantile {
    pub(super) quantile: Number<f64>,
    pub(super) value: Number<f64>,
}

/// `KeyValue`.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct Attribute<'a> {
    #[serde(borrow)]
    pub(super) key: Text<'a>,
    #[serde(borrow)]
    pub(super) value: AnyValue<'a>,
}

/// `AnyValue`.
#[derive(Debug, Default, PartialEq)]
pub(super) enum AnyValue<'a> {
    /// No value at all.
    #[default]
    Nothing,
    /// Text; bytes too, in base64.
    Text(Text<'a>),
    /// True or false.
    Truth(bool),
    /// A whole number.
    Integer(i64),
    /// Any number.
    Double(f64),
    /// Several.
    List(Vec<AnyValue<'a>>),
    /// Several by name.
    Map(Vec<Attribute<'a>>),
}
