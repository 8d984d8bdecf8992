//! How large the benches' store is, what its figures are made from, and where it lies: from the environment.
//!
//! | variable | what | by default |
//! |---|---|---|
//! | `PINGUP_BENCH_AGENTS` | agents that measure, 1 to [`AGENTS_MAX`] | 200 |
//! | `PINGUP_BENCH_DAYS` | days of samples, 1 to [`DAYS_MAX`] | 30 |
//! | `PINGUP_BENCH_SEED` | what the figures are made from | 1 |
//! | `PINGUP_BENCH_DIR` | a folder on the disk to measure; what is made in it is removed | in the target folder |
//!
//! A bench that is only tried (criterion's test mode) has a tiny store, whatever the environment says.

use std::{
    env::{self, VarError},
    fmt,
    ops::RangeInclusive,
    path::PathBuf,
};

/// Agents at most: their store then takes gigabytes and an hour.
pub const AGENTS_MAX: u64 = 10_000;
/// Days at most: as long as a hub keeps samples by default.
pub const DAYS_MAX: u64 = 30;

/// How much there is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Agents that measure.
    pub agents: usize,
    /// Days of samples.
    pub days: i64,
    /// Seconds from one sample of an agent to the next.
    pub step_seconds: i64,
    /// The same on the last day.
    pub last_day_step_seconds: i64,
    /// What the figures are made from.
    pub seed: u64,
    /// Where folders are made.
    pub dir: PathBuf,
}

/// A variable that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SizesError {
    variable: &'static str,
    wanted: RangeInclusive<u64>,
}

impl fmt::Display for SizesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { variable, wanted } = self;
        write!(f, "{variable}: a number from {} to {} expected", wanted.start(), wanted.end())
    }
}

impl Sizes {
    /// What the environment says; folders are made in `dir` unless it says where.
    pub fn from_env(dir: &str) -> Result<Self, SizesError> {
        let dir = env::var_os("PINGUP_BENCH_DIR").map_or_else(|| PathBuf::from(dir), PathBuf::from);
        let seed = number("PINGUP_BENCH_SEED", 0..=u64::MAX, 1)?;
        if !is_measured() {
            return Ok(Self {
                agents: 3,
                days: 2,
                step_seconds: 3_600,
                last_day_step_seconds: 600,
                seed,
                dir,
            });
        }
        Ok(Self {
            agents: usize::try_from(number("PINGUP_BENCH_AGENTS", 1..=AGENTS_MAX, 200)?)
                .unwrap_or(usize::MAX),
            days: number("PINGUP_BENCH_DAYS", 1..=DAYS_MAX, 30)?.cast_signed(),
            step_seconds: 300,
            last_day_step_seconds: 30,
            seed,
            dir,
        })
    }
}

impl fmt::Display for Sizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { agents, days, step_seconds, last_day_step_seconds, seed, dir } = self;
        write!(
            f,
            "seed {seed}, {agents} agents, {days} days, a sample each {step_seconds} s and on the last day each \
             {last_day_step_seconds} s, in {}",
            dir.display()
        )
    }
}

/// Whether times are taken, as criterion sees it: `cargo bench` says so, and `--test` takes it back.
fn is_measured() -> bool {
    let has = |flag: &str| env::args().any(|argument| argument == flag);
    has("--bench") && !has("--test")
}

fn number(variable: &'static str, wanted: RangeInclusive<u64>, by_default: u64) -> Result<u64, SizesError> {
    let read = match env::var(variable) {
        Ok(text) => text.parse().ok(),
        Err(VarError::NotPresent) => Some(by_default),
        Err(VarError::NotUnicode(_)) => None,
    };
    read.filter(|number| wanted.contains(number)).ok_or(SizesError { variable, wanted })
}
