//! What the benches measure with: [`messages`] as agents send them, a [`fleet`] that measures, and a [`history`] in
//! a folder of its own. How large all of it is stands in [`sizes`].
//!
//! Everything is made from numbers and one seed, so that two runs measure the same bytes.

pub mod fleet;
pub mod history;
pub mod messages;
pub mod sizes;
