//! The words of PromQL that random queries use.

pub(super) const MAPS: [&str; 14] = [
    "abs",
    "ceil",
    "floor",
    "exp",
    "sqrt",
    "ln",
    "log2",
    "log10",
    "sgn",
    "tanh",
    "atan",
    "deg",
    "round",
    "timestamp",
];
pub(super) const DATES: [&str; 8] =
    ["minute", "hour", "day_of_week", "day_of_month", "day_of_year", "days_in_month", "month", "year"];
pub(super) const OVER_TIME: [&str; 10] = [
    "avg_over_time",
    "min_over_time",
    "max_over_time",
    "sum_over_time",
    "count_over_time",
    "stddev_over_time",
    "stdvar_over_time",
    "last_over_time",
    "present_over_time",
    "absent_over_time",
];
pub(super) const CHANGES: [&str; 9] =
    ["rate", "increase", "irate", "delta", "idelta", "deriv", "changes", "resets", "rate"];
pub(super) const AGGREGATIONS: [&str; 6] = ["sum", "avg", "min", "max", "count", "group"];
pub(super) const RANGES: [&str; 6] = ["30s", "1m", "2m", "5m", "10m", "37s"];
pub(super) const STEPS: [&str; 5] = ["", "15s", "1m", "40s", "7s"];
pub(super) const OFFSETS: [&str; 5] = ["1m", "-30s", "17s", "5m", "1h"];
pub(super) const NUMBERS: [&str; 8] = ["0", "1", "2", "0.5", "-3", "10", "1e3", "Inf"];
pub(super) const ARITHMETIC: [&str; 6] = ["+", "-", "*", "/", "%", "^"];
pub(super) const COMPARISONS: [&str; 6] = ["==", "!=", "<", "<=", ">", ">="];

/// What jumps where its operands hardly move.
pub(super) const JUMPS: [&str; 6] = ["ceil", "floor", "sgn", "round", "changes", "resets"];
pub(super) const EXACT: [&str; 5] = ["sum", "min", "max", "count", "group"];
pub(super) const EXACT_OVER_TIME: [&str; 5] =
    ["min_over_time", "max_over_time", "sum_over_time", "count_over_time", "last_over_time"];
