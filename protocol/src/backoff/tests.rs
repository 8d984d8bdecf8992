//! The waits one by one, and a fleet of them.

use super::*;

const SECOND: Duration = Duration::from_secs(1);
/// Agents of a fleet.
const AGENTS: u32 = 10_000;
/// Connections that each opens once its hub is back: one that waits for commands, and one for all that it says.
const CONNECTIONS: u32 = 2;
/// Attempts to connect in any second, as a share of the agents.
const ATTEMPTS_SHARE_MAX: f64 = 0.5;

#[test]
fn the_ceiling_doubles_and_stops() {
    let mut backoff = Backoff::new(REFUSED);
    let waits: Vec<u64> = (0..8).map(|_| backoff.after_failure(None, 1.0).as_secs()).collect();
    assert_eq!(waits, [1, 2, 4, 8, 16, 20, 20, 20]);
    backoff.reset();
    assert_eq!(backoff.after_failure(None, 1.0), SECOND);
}

#[test]
fn retry_after_comes_first() {
    let mut backoff = Backoff::new(REFUSED);
    assert_eq!(backoff.after_failure(None, 0.0), Duration::ZERO);
    assert_eq!(backoff.after_failure(Some(10 * SECOND), 0.5), 11 * SECOND);
    assert_eq!(backoff.after_failure(Some(Duration::MAX), 0.0), RETRY_AFTER_MAX);
}

#[test]
fn a_hub_that_is_away_is_never_looked_for_at_once() {
    let mut backoff = Backoff::new(AWAY);
    for (random, first, later) in [(0.0, 2, 4), (0.5, 6, 12), (1.0, 10, 20)] {
        backoff.reset();
        assert_eq!(backoff.after_failure(None, random), first * SECOND);
        assert!((0..1_000).all(|_| backoff.after_failure(None, random) == later * SECOND));
    }
}

/// splitmix64, by Sebastiano Vigna; from 0 up to 1.
fn random(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

/// A fleet that loses its hub at 0 and finds it again from `down` seconds on: attempts to connect by the second, and
/// when the last agent was back.
fn fleet(down: u64, seed: u64) -> (Vec<u32>, Duration) {
    let (mut by_second, mut last, mut state) = (vec![0; 4_000], Duration::ZERO, seed);
    for _ in 0..AGENTS {
        let (mut backoff, mut at) = (Backoff::new(AWAY), Duration::ZERO);
        loop {
            at += backoff.after_failure(None, random(&mut state));
            let is_back = at >= Duration::from_secs(down);
            by_second[usize::try_from(at.as_secs()).unwrap()] += if is_back { CONNECTIONS } else { 1 };
            if is_back {
                break;
            }
        }
        last = last.max(at);
    }
    (by_second, last)
}

#[test]
fn a_fleet_that_lost_its_hub_is_soon_back_and_no_herd() {
    for (seed, down) in (1..).zip([0, 1, 2, 5, 8, 9, 12, 20, 35, 60, 600, 3_000]) {
        let (by_second, last) = fleet(down, seed);
        let worst = f64::from(by_second.iter().copied().max().unwrap()) / f64::from(AGENTS);
        assert!(worst <= ATTEMPTS_SHARE_MAX, "away {down} s, seed {seed}: {worst} of the agents in a second");
        let after = last.saturating_sub(Duration::from_secs(down));
        assert!(
            after <= Duration::from_secs(AWAY_SECONDS_MAX),
            "away {down} s, seed {seed}: back after {after:?}"
        );
        assert!(down > 2 || last <= Duration::from_secs(10), "a restart: {last:?}");
        println!(
            "away {down} s, seed {seed}: worst second {worst:.3} of the agents, all back after {after:.1?}"
        );
    }
}
