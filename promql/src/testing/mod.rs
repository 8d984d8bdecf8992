//! Random series and random queries over them, for tests: of this library, of a source, or of one evaluator against
//! another.
//!
//! Everything follows from a seed. A query is a tree that can be made smaller: when two evaluators differ over one,
//! [`shrink`] finds the smallest that they still differ over.

mod calls;
mod expression;
mod grammar;
mod operators;
mod selectors;
mod series;
mod shrink;
mod words;

pub use expression::Expression;
pub use grammar::{Grammar, Info};
pub use series::{counters_and_gauges, far_from_edges};
pub use shrink::{Shrink, shrink};

/// Numbers that look random and follow from a seed: Steele, Lea and Flood's SplitMix64.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The numbers of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number less than `most`, which is more than 0.
    pub fn below(&mut self, most: usize) -> usize {
        usize::try_from(self.number() % most.max(1) as u64).unwrap_or(0)
    }

    /// True so often in a hundred.
    pub fn percent(&mut self, often: usize) -> bool {
        self.below(100) < often
    }

    /// One of several.
    pub fn pick<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }
}
