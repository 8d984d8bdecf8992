//! What the agents of a run measure: figures that move as a machine's do, to one decimal.
//!
//! Pure: the figures follow from the agent's seed and the sample's number, so whoever reads a sample back can
//! say what it must hold. Processor use is restless, memory drifts, the disk hardly moves, latency is
//! small with a spike now and then. Stores compress such figures; random ones would flatter nobody.

/// One sample's figures, in tenths: 125 is 12.5.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Measured {
    /// Percent.
    pub(crate) cpu: u32,
    /// Percent.
    pub(crate) disk: u32,
    /// Milliseconds.
    pub(crate) latency: u32,
    /// Percent.
    pub(crate) ram: u32,
}

/// Every this many samples the latency has a spike.
const SPIKE_EVERY: u64 = 97;

impl Measured {
    /// The figures of sample `seq` of the agent with that `seed`.
    pub(crate) fn new(seed: u64, seq: u64) -> Self {
        let noise = mix(seed ^ seq);
        let spike = if noise.is_multiple_of(SPIKE_EVERY) { 200 } else { 0 };
        Self {
            cpu: wave(seed, seq, 7, 700) + wave(seed ^ 1, seq, 3, 250) + below(noise, 50),
            disk: 400 + below(mix(seed ^ 2), 400) + wave(seed ^ 2, seq, 14, 30),
            latency: 5 + wave(seed ^ 3, seq, 6, 30) + below(noise >> 32, 8) + spike,
            ram: 300 + wave(seed ^ 4, seq, 10, 400) + wave(seed ^ 5, seq, 5, 10),
        }
    }
}

/// A value that glides between random heights, one every 2^`stretch` samples, each at most `height`.
fn wave(seed: u64, seq: u64, stretch: u32, height: u32) -> u32 {
    let (cell, length) = (seq >> stretch, 1_u64 << stretch);
    let into = seq & (length - 1);
    let peak = |cell: u64| u64::from(below(mix(seed ^ cell.wrapping_mul(0xa076_1d64_78bd_642f)), height + 1));
    let height = (peak(cell) * (length - into) + peak(cell.wrapping_add(1)) * into) >> stretch;
    u32::try_from(height).unwrap_or(u32::MAX)
}

/// A number below `bound`, from the low half of `random`.
fn below(random: u64, bound: u32) -> u32 {
    (((random & 0xffff_ffff) * u64::from(bound)) >> 32) as u32
}

/// A number that looks unrelated to `from`: the finaliser of splitmix64 (Steele, Lea and Flood, 2014).
pub(crate) const fn mix(from: u64) -> u64 {
    let mut z = from.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_stay_in_range() {
        for seed in [0, 1, u64::MAX, 0x1234_5678_9abc_def0] {
            for seq in (0..50_000).chain([u64::MAX - 1, u64::MAX]) {
                let Measured { cpu, disk, latency, ram } = Measured::new(seed, seq);
                assert!(cpu <= 1_000 && disk <= 1_000 && ram <= 1_000 && latency <= 1_000, "{seed} {seq}");
            }
        }
    }

    #[test]
    fn figures_glide() {
        let step = |seq| {
            let (one, next) = (Measured::new(7, seq), Measured::new(7, seq + 1));
            (one.disk.abs_diff(next.disk), one.ram.abs_diff(next.ram))
        };
        assert!((1..20_000).map(step).all(|(disk, ram)| disk <= 1 && ram <= 3));
    }
}
