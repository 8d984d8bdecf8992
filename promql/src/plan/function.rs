//! The functions of PromQL: what they are called, what they take, and what sort of work they are.

use super::Kind;

/// A function, by how it is evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    /// Of a window of samples.
    Window(WindowFunction),
    /// Of one value.
    Map(MapFunction),
    /// Of one value that is a moment, or of the step's own.
    Date(DateFunction),
    Absent,
    Clamp,
    ClampMax,
    ClampMin,
    HistogramFraction,
    HistogramQuantile,
    LabelJoin,
    LabelReplace,
    /// It reads native histograms; of numbers it makes nothing.
    Native,
    Pi,
    Round,
    Scalar,
    Sort,
    SortDescending,
    Time,
    Timestamp,
    Vector,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WindowFunction {
    Absent,
    Avg,
    Changes,
    Count,
    Delta,
    Deriv,
    First,
    InstantDelta,
    InstantRate,
    Increase,
    Last,
    Max,
    Min,
    PredictLinear,
    Present,
    Quantile,
    Rate,
    Resets,
    Stddev,
    Stdvar,
    Sum,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MapFunction {
    Abs,
    Acos,
    Acosh,
    Asin,
    Asinh,
    Atan,
    Atanh,
    Ceil,
    Cos,
    Cosh,
    Deg,
    Exp,
    Floor,
    Ln,
    Log10,
    Log2,
    Rad,
    Sgn,
    Sin,
    Sinh,
    Sqrt,
    Tan,
    Tanh,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DateFunction {
    DayOfMonth,
    DayOfWeek,
    DayOfYear,
    DaysInMonth,
    Hour,
    Minute,
    Month,
    Year,
}

/// What a function takes and gives.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signature {
    pub(crate) name: &'static str,
    pub(crate) function: Function,
    /// Arguments by place; any further ones are like the last.
    pub(crate) takes: &'static [Kind],
    pub(crate) least: usize,
    pub(crate) most: usize,
    pub(crate) gives: Kind,
}

/// A function's signature, if there is a stable one of that name.
pub(crate) fn find(name: &str) -> Option<Signature> {
    TABLE.binary_search_by(|row| row.name.cmp(name)).ok().map(|at| TABLE[at])
}

use DateFunction as D;
use Kind::{Range, Scalar, Text, Vector};
use MapFunction as M;
use WindowFunction as W;

/// As many arguments as anybody likes; the text's own bounds hold.
const ANY: usize = usize::MAX;

const fn row(name: &'static str, function: Function, takes: &'static [Kind], gives: Kind) -> Signature {
    Signature { name, function, takes, least: takes.len(), most: takes.len(), gives }
}

const fn map(name: &'static str, function: MapFunction) -> Signature {
    row(name, Function::Map(function), &[Vector], Vector)
}

const fn window(name: &'static str, function: WindowFunction) -> Signature {
    row(name, Function::Window(function), &[Range], Vector)
}

const fn date(name: &'static str, function: DateFunction) -> Signature {
    Signature { least: 0, ..row(name, Function::Date(function), &[Vector], Vector) }
}

const fn native(name: &'static str) -> Signature {
    row(name, Function::Native, &[Vector], Vector)
}

/// All stable functions of Prometheus 3, in order of their names.
static TABLE: [Signature; 73] = [
    map("abs", M::Abs),
    row("absent", Function::Absent, &[Vector], Vector),
    window("absent_over_time", W::Absent),
    map("acos", M::Acos),
    map("acosh", M::Acosh),
    map("asin", M::Asin),
    map("asinh", M::Asinh),
    map("atan", M::Atan),
    map("atanh", M::Atanh),
    window("avg_over_time", W::Avg),
    map("ceil", M::Ceil),
    window("changes", W::Changes),
    row("clamp", Function::Clamp, &[Vector, Scalar, Scalar], Vector),
    row("clamp_max", Function::ClampMax, &[Vector, Scalar], Vector),
    row("clamp_min", Function::ClampMin, &[Vector, Scalar], Vector),
    map("cos", M::Cos),
    map("cosh", M::Cosh),
    window("count_over_time", W::Count),
    date("day_of_month", D::DayOfMonth),
    date("day_of_week", D::DayOfWeek),
    date("day_of_year", D::DayOfYear),
    date("days_in_month", D::DaysInMonth),
    map("deg", M::Deg),
    window("delta", W::Delta),
    window("deriv", W::Deriv),
    map("exp", M::Exp),
    window("first_over_time", W::First),
    map("floor", M::Floor),
    native("histogram_avg"),
    native("histogram_count"),
    row("histogram_fraction", Function::HistogramFraction, &[Scalar, Scalar, Vector], Vector),
    row("histogram_quantile", Function::HistogramQuantile, &[Scalar, Vector], Vector),
    native("histogram_stddev"),
    native("histogram_stdvar"),
    native("histogram_sum"),
    date("hour", D::Hour),
    window("idelta", W::InstantDelta),
    window("increase", W::Increase),
    window("irate", W::InstantRate),
    Signature { least: 3, most: ANY, ..row("label_join", Function::LabelJoin, &[Vector, Text], Vector) },
    row("label_replace", Function::LabelReplace, &[Vector, Text, Text, Text, Text], Vector),
    window("last_over_time", W::Last),
    map("ln", M::Ln),
    map("log10", M::Log10),
    map("log2", M::Log2),
    window("max_over_time", W::Max),
    window("min_over_time", W::Min),
    date("minute", D::Minute),
    date("month", D::Month),
    row("pi", Function::Pi, &[], Scalar),
    row("predict_linear", Function::Window(W::PredictLinear), &[Range, Scalar], Vector),
    window("present_over_time", W::Present),
    row("quantile_over_time", Function::Window(W::Quantile), &[Scalar, Range], Vector),
    map("rad", M::Rad),
    window("rate", W::Rate),
    window("resets", W::Resets),
    Signature { least: 1, ..row("round", Function::Round, &[Vector, Scalar], Vector) },
    row("scalar", Function::Scalar, &[Vector], Scalar),
    map("sgn", M::Sgn),
    map("sin", M::Sin),
    map("sinh", M::Sinh),
    row("sort", Function::Sort, &[Vector], Vector),
    row("sort_desc", Function::SortDescending, &[Vector], Vector),
    map("sqrt", M::Sqrt),
    window("stddev_over_time", W::Stddev),
    window("stdvar_over_time", W::Stdvar),
    window("sum_over_time", W::Sum),
    map("tan", M::Tan),
    map("tanh", M::Tanh),
    row("time", Function::Time, &[], Scalar),
    row("timestamp", Function::Timestamp, &[Vector], Vector),
    row("vector", Function::Vector, &[Scalar], Vector),
    date("year", D::Year),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_and_agrees_with_the_parser() {
        assert!(TABLE.is_sorted_by(|a, b| a.name < b.name));
        for row in &TABLE {
            let arguments: Vec<&str> = (0..row.least)
                .map(|at| match row.takes[at.min(row.takes.len() - 1)] {
                    Kind::Scalar => "1",
                    Kind::Vector => "x",
                    Kind::Range => "x[5m]",
                    Kind::Text => "\"a\"",
                })
                .collect();
            let text = format!("{}({})", row.name, arguments.join(", "));
            assert!(promql_parser::parser::parse(&text).is_ok(), "{text}");
            assert!(find(row.name).is_some());
        }
        assert!(find("mad_over_time").is_none() && find("info").is_none());
    }
}
