//! Sums that cannot overflow. Pure.
//!
//! Each measurement is a double, but two of 1.7e308 add up to none. Such a sum is counted in units of 2^64 from then
//! on: dividing by a power of two loses nothing of a number that large, and so many measurements that this would
//! overflow cannot be stored. A sum that a double can hold is that double, as it always was.
//!
//! On disk, where there is one column for it, a count below zero says that the sum is in units.

/// What a sum is counted in when no double holds it: 2^64.
const UNIT: f64 = 18_446_744_073_709_551_616.0;

/// A sum of finite doubles.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Total {
    /// The sum itself.
    Ones(f64),
    /// The sum in units of 2^64: no double holds it.
    Units(f64),
}

impl Total {
    /// The sum of so many units of 2^64.
    pub fn of_units(units: f64) -> Self {
        let ones = units * UNIT;
        if ones.is_finite() { Self::Ones(ones) } else { Self::Units(units) }
    }

    /// Takes in the sum of others.
    pub fn add(&mut self, other: Self) {
        *self = match (*self, other) {
            (Self::Ones(a), Self::Ones(b)) if (a + b).is_finite() => Self::Ones(a + b),
            (a, b) => Self::of_units(a.units() + b.units()),
        };
    }

    /// The sum, shared among `count`.
    pub fn mean(self, count: u64) -> f64 {
        match self {
            Self::Ones(ones) => ones / count as f64,
            Self::Units(units) => units / count as f64 * UNIT,
        }
    }

    /// As it is written: how the count of what it adds up is told, and the sum.
    pub const fn cells(self, count: i64) -> (i64, f64) {
        match self {
            Self::Ones(ones) => (count, ones),
            Self::Units(units) => (-count, units),
        }
    }

    /// As it was written: the count, and the sum.
    pub const fn from_cells(count: i64, sum: f64) -> (u64, Self) {
        (count.unsigned_abs(), if count < 0 { Self::Units(sum) } else { Self::Ones(sum) })
    }

    /// In units. Only of numbers below 2^-958, which no sensor knows, a bit can be lost.
    fn units(self) -> f64 {
        match self {
            Self::Ones(ones) => ones / UNIT,
            Self::Units(units) => units,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tsdb::{rollup::Aggregate, testing::Dice};
    use pingup_protocol::time::Timestamp;

    /// What the last bit of the exact sums below counts: 2^910.
    const BIT: f64 = f64::from_bits((1_023 + 910) << 52);

    /// A double near the greatest there is, and exactly the same in bits: up to 2^113 of them.
    fn thrown(dice: &mut Dice) -> (f64, i128) {
        let digits: u64 = (1 << 52) + (dice.below(1 << 26) << 26) + dice.below(1 << 26);
        let shift = if dice.once_in(4) { dice.below(61) } else { 50 + dice.below(11) };
        let bits = i128::from(digits) << shift;
        let bits = if dice.once_in(3) { -bits } else { bits };
        (bits as f64 * BIT, bits)
    }

    fn of(value: f64) -> Aggregate {
        Aggregate::of(value, Timestamp::from_micros(0))
    }

    /// In any grouping, and over the disk, the mean is that of exact arithmetic but for the rounding of a sum.
    #[test]
    fn means_are_those_of_exact_arithmetic_also_at_the_end_of_what_a_double_holds() {
        let mut beyond = 0;
        for seed in 1..=500 {
            let mut dice = Dice::seeded(seed);
            let count = 1 + dice.below(200);
            let values: Vec<_> = (0..count).map(|_| thrown(&mut dice)).collect();
            let mut groups: Vec<Aggregate> = Vec::new();
            for (value, _) in &values {
                assert!(value.is_finite());
                let place = dice.below(5) as usize;
                match groups.get_mut(place) {
                    Some(group) => group.add(&of(*value)),
                    None => groups.push(of(*value)),
                }
            }
            let mut all: Option<Aggregate> = None;
            for group in groups {
                let (count, sum) = group.sum.cells(group.count.cast_signed());
                beyond += u32::from(count < 0);
                assert!(sum.is_finite(), "seed {seed}: {group:?}");
                assert_eq!(Total::from_cells(count, sum), (group.count, group.sum), "seed {seed}");
                match &mut all {
                    Some(all) => all.add(&group),
                    none => *none = Some(group),
                }
            }
            let all = all.unwrap();
            let exact: i128 = values.iter().map(|(_, bits)| bits).sum();
            let size: i128 = values.iter().map(|(_, bits)| bits.abs()).sum();
            let found = all.avg() / BIT;
            let off = (found - exact as f64 / count as f64).abs();
            assert!(off <= size as f64 * f64::EPSILON, "seed {seed}: {found} of {exact} by {count}");
            assert!((all.min..=all.max).contains(&all.avg()), "seed {seed}");
        }
        assert!(beyond > 100, "only {beyond} sums were beyond a double");
    }

    #[test]
    fn what_a_double_holds_is_that_double() {
        let mut sum = Total::Ones(0.1);
        sum.add(Total::Ones(0.2));
        assert_eq!((sum, sum.mean(2)), (Total::Ones(0.1 + 0.2), (0.1 + 0.2) / 2.0));
        let mut large = Total::Ones(f64::MAX);
        large.add(Total::Ones(f64::MAX));
        assert_eq!((large, large.mean(2)), (Total::Units(f64::MAX / UNIT * 2.0), f64::MAX));
        large.add(Total::Ones(-f64::MAX));
        assert_eq!(large, Total::Ones(f64::MAX), "it comes back to what a double holds");
    }
}
