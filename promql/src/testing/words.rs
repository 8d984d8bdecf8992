//! The words of PromQL that random queries use. Of those that mean more or less, the least come first.

/// Functions of one value.
pub(super) const MAPS: [&str; 24] = [
    "abs", "ceil", "floor", "exp", "sqrt", "ln", "log2", "log10", "sgn", "tanh", "atan", "asin", "acos",
    "acosh", "asinh", "atanh", "sin", "cos", "tan", "sinh", "cosh", "deg", "rad", "round",
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
pub(super) const RANGES: [&str; 8] = ["30s", "37s", "1m", "2m", "5m", "10m", "1m1500ms", "1h1m"];
pub(super) const STEPS: [&str; 5] = ["", "1m", "40s", "15s", "7s"];
pub(super) const OFFSETS: [&str; 7] = ["17s", "1m", "-30s", "5m", "1h", "1h1m30s", "-1h"];
pub(super) const NUMBERS: [&str; 13] =
    ["0", "1", "2", "0.5", "-3", "10", "1e3", ".5e-2", "0x1f", "pi()", "Inf", "-Inf", "NaN"];
/// How many `topk` and `bottomk` are to keep.
pub(super) const COUNTS: [&str; 7] = ["1", "2", "3", "4", "0", "-1", "100"];
pub(super) const QUANTILES: [&str; 8] = ["0", "0.5", "1", "0.3", "0.99", "-1", "2", "NaN"];
pub(super) const ARITHMETIC: [&str; 6] = ["+", "-", "*", "/", "%", "^"];
pub(super) const COMPARISONS: [&str; 6] = ["==", "!=", "<", "<=", ">", ">="];

/// What jumps where its operands hardly move, or moves much.
pub(super) const JUMPS: [&str; 13] = [
    "ceil", "floor", "sgn", "round", "changes", "resets", "sin", "cos", "tan", "acos", "acosh", "asin",
    "atanh",
];
/// What hardly moves where its operand is large: differences of its results have few digits that mean anything.
pub(super) const SATURATES: [&str; 2] = ["atan", "tanh"];
pub(super) const EXACT: [&str; 5] = ["sum", "min", "max", "count", "group"];
pub(super) const EXACT_OVER_TIME: [&str; 5] =
    ["min_over_time", "max_over_time", "sum_over_time", "count_over_time", "last_over_time"];
