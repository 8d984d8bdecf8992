//! How long to wait before trying again: the protocol's rules, with this machine's randomness.

pub use pingup_protocol::backoff::{AWAY, Backoff, ENROLLING, REFUSED};

/// A number from 0 up to 1. Without a source of randomness it is one half: the agent still backs off.
pub fn random() -> f64 {
    const BITS: u32 = f64::MANTISSA_DIGITS;
    getrandom::u64().map_or(0.5, |bits| (bits >> (u64::BITS - BITS)) as f64 / (1_u64 << BITS) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_numbers_stay_below_one() {
        assert!((0..1_000).map(|_| random()).all(|number| (0.0..1.0).contains(&number)));
    }
}
