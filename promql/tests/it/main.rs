//! What the library answers, told as scripts: series, questions, and what must come back.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test that fails may panic"
)]

mod aggregations;
mod arrows;
mod errors;
mod folding;
mod functions;
mod histograms;
mod limits;
mod operators;
mod property;
mod ranges;
mod script;
mod selectors;
mod source;
mod windows;
