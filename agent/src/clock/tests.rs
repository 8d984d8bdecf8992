//! Clocks that are set this way and that, and machines that sleep.

use super::*;

const NOON: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);
const HOUR: i64 = 3_600;

/// A machine's clock as it is set, and one of a hub that goes on.
struct Scene {
    /// How far ahead the machine's clock is.
    set_on: i64,
    /// How long both clocks of the machine stood still, while its host paused it.
    paused: i64,
}

impl Scene {
    const RIGHT: Self = Self { set_on: 0, paused: 0 };

    fn reading(&self, second: i64) -> Reading {
        let steady = Duration::from_secs((1_000 + second - self.paused).unsigned_abs());
        Reading { machine: NOON.plus_seconds(second + self.set_on), steady }
    }

    fn told(&self, second: i64) -> Told {
        Told { said: NOON.plus_seconds(second), at: self.reading(second) }
    }

    fn sample_at(&self, told: Told, second: i64) -> i64 {
        let here = self.reading(second);
        let stamped = told.offset_at(here).sample_time(here.machine);
        (stamped.as_micros() - NOON.as_micros()) / 1_000_000
    }
}

#[test]
fn samples_keep_their_own_time_while_the_hub_would_take_it() {
    for ahead in [-86_400, -1, 0, 1, FUTURE_SECONDS_MAX] {
        let here = NOON.plus_seconds(ahead);
        assert_eq!(Offset::between(NOON, here).sample_time(here), here, "{ahead} s ahead");
    }
    let here = NOON.plus_seconds(FUTURE_SECONDS_MAX + 1);
    assert_eq!(Offset::between(NOON, here).sample_time(here), NOON);
}

#[test]
fn the_hubs_time_is_told_from_the_machines() {
    let offset = Offset::between(NOON, NOON.plus_seconds(40));
    assert_eq!(offset.hub_time(NOON.plus_seconds(100)), NOON.plus_seconds(60));
}

#[test]
fn a_clock_that_is_set_an_hour_on_and_then_right_stamps_right_at_once() {
    let mut scene = Scene::RIGHT;
    let told = scene.told(0);
    scene.set_on = HOUR;
    assert_eq!(
        scene.sample_at(told, 1),
        HOUR + 1,
        "it may have been paused: the hub refuses this, and tells"
    );
    let told = scene.told(2);
    assert_eq!(scene.sample_at(told, 3), 3, "by the hub's clock");
    scene.set_on = 0;
    assert_eq!(scene.sample_at(told, 4), 4, "before the hub was heard again");
    assert_eq!(scene.sample_at(scene.told(5), 6), 6);
}

#[test]
fn a_clock_that_is_set_an_hour_back_is_believed_by_samples() {
    let mut scene = Scene::RIGHT;
    let told = scene.told(0);
    scene.set_on = -HOUR;
    assert_eq!(scene.sample_at(told, 1), 1 - HOUR, "samples carry the machine's own time");
}

#[test]
fn the_hubs_time_goes_on_however_the_machines_clock_is_set() {
    let mut scene = Scene::RIGHT;
    let told = scene.told(0);
    for set_on in [0, HOUR, -HOUR, 24 * HOUR] {
        scene.set_on = set_on;
        assert_eq!(told.hub_at(scene.reading(30)), NOON.plus_seconds(30), "{set_on} s on");
    }
}

#[test]
fn a_step_of_either_clock_leaves_it_open_how_late_it_is() {
    let mut scene = Scene::RIGHT;
    let told = scene.told(0);
    assert_eq!(told.certain_at(scene.reading(90)), Some(NOON.plus_seconds(90)));
    for (set_on, is_certain) in
        [(5, true), (-5, true), (6, false), (-6, false), (HOUR, false), (-HOUR, false)]
    {
        scene.set_on = set_on;
        assert_eq!(told.certain_at(scene.reading(90)).is_some(), is_certain, "{set_on} s on");
    }
    // Resumed after an hour, its clock set right by its host; and not set right.
    scene = Scene { set_on: 0, paused: HOUR };
    assert_eq!(told.certain_at(scene.reading(HOUR + 90)), None);
    scene.set_on = -HOUR;
    let fooled = told.certain_at(scene.reading(HOUR + 90));
    assert_eq!(fooled, Some(NOON.plus_seconds(90)), "where both stood still, nothing here can tell");
}

#[test]
fn a_clock_that_is_set_right_by_degrees_is_no_step() {
    let mut scene = Scene::RIGHT;
    let told = scene.told(0);
    scene.set_on = 43;
    assert_eq!(told.certain_at(scene.reading(24 * HOUR)), Some(NOON.plus_seconds(24 * HOUR)));
}

#[test]
fn a_machine_that_slept_still_knows_the_hubs_time() {
    let scene = Scene::RIGHT;
    let (told, woken) = (scene.told(0), scene.reading(8 * HOUR));
    assert_eq!(told.certain_at(woken), Some(NOON.plus_seconds(8 * HOUR)), "both clocks went on");
}

#[test]
fn the_steady_clock_goes_on() {
    let before = steady();
    assert!(steady() >= before && before > Duration::ZERO);
}

#[test]
fn nothing_is_old_by_a_clock_that_was_set() {
    let (clock, mut scene) = (Clock::default(), Scene::RIGHT);
    let ageing = |scene: &Scene, second| clock.ageing_at(scene.reading(second));
    assert_eq!(ageing(&scene, 0), None, "the hub has not said what time it is");
    clock.told.set(Some(scene.told(0)));
    assert_eq!(ageing(&scene, HOUR), Some(NOON.plus_seconds(HOUR)));
    for set_on in [40 * 24 * HOUR, HOUR, -HOUR] {
        scene.set_on = set_on;
        assert_eq!(ageing(&scene, HOUR), None, "{set_on} s on");
        clock.told.set(Some(scene.told(HOUR)));
        let by = NOON.plus_seconds(HOUR + set_on.min(0));
        assert_eq!(ageing(&scene, HOUR), Some(by), "whichever is behind: {set_on} s on");
        (scene.set_on, _) = (0, clock.told.set(Some(Scene::RIGHT.told(0))));
    }
}

#[test]
fn a_clock_that_the_hub_keeps_nothing_of_stamps_by_the_hubs_until_it_is_set_right() {
    const BEHIND: i64 = -60 * 24 * HOUR;
    let (clock, mut scene) = (Clock::default(), Scene { set_on: BEHIND, paused: 0 });
    let stamped = |scene: &Scene, second| {
        (clock.stamp_at(scene.reading(second)).as_micros() - NOON.as_micros()) / 1_000_000
    };
    clock.learn_at(NOON, scene.reading(0));
    assert_eq!(stamped(&scene, 1), BEHIND + 1, "the hub may keep more than that");
    clock.is_too_slow.set(true);
    assert_eq!(stamped(&scene, 2), 2);
    scene.set_on = 0;
    assert_eq!(stamped(&scene, 3), 3, "set right, and the hub was not heard since");
    scene.set_on = HOUR;
    assert_eq!(stamped(&scene, 4), HOUR + 4, "as any clock that was set on: the hub tells");
    scene.set_on = 0;
    clock.learn_at(NOON.plus_seconds(5), scene.reading(5));
    scene.set_on = -HOUR;
    assert_eq!(stamped(&scene, 6), 6 - HOUR, "what was said of the clock of before is forgotten");
}

#[test]
fn what_a_slow_clock_said_is_told_from_what_is_old() {
    let clock = Clock { begun: Duration::from_secs(1_000), ..Clock::default() };
    let scene = Scene { set_on: -HOUR, paused: 0 };
    let is_slow = |second: i64, ago: i64, ahead: i64| {
        let here = scene.reading(second);
        clock.is_slow_at(here.machine.plus_seconds(-ago), here.machine.plus_seconds(ahead), here)
    };
    assert!(is_slow(60, 0, HOUR) && is_slow(60, 60, HOUR));
    assert!(!is_slow(60, 61, HOUR), "from before this agent began");
    assert!(!is_slow(60, -1, HOUR), "this clock has not said that yet");
    assert!(!is_slow(60, 0, FUTURE_SECONDS_MAX) && is_slow(60, 0, FUTURE_SECONDS_MAX + 1));
    assert!(is_slow(9 * HOUR, HOUR - 1, HOUR) && !is_slow(9 * HOUR, HOUR, HOUR), "it is old by any clock");
}
