//! Functions of samples and of values.

pub(super) mod date;
pub(super) mod label;
pub(super) mod math;
pub(super) mod rate;
