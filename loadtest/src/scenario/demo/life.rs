//! What a machine measures at a moment. Pure: it follows from the machine, the moment, and when the demo began.
//!
//! A machine's days have a rhythm; its disk fills slowly; backups come at night. What is the matter with a few of them is
//! told from the demo's beginning backwards, so that it is there whenever somebody looks.

use super::{
    cast::{Machine, Part},
    noise::{DAY, HOUR, MINUTE, chance, glide, rhythm, rounded},
};
use serde::Serialize;

/// Before the demo began: since then the silent machine is silent, the busy one busy, the failing one failing.
const SILENT_SINCE: i64 = 45 * MINUTE;
const BUSY_SINCE: i64 = 5 * HOUR;
const FAILING_SINCE: i64 = 20 * MINUTE;
/// Since then one disk fills; an hour of the day before, the way from one site was slow.
const FILLING_SINCE: i64 = 3 * DAY;
const SLOW_WAY: std::ops::Range<i64> = -26 * HOUR..-25 * HOUR;
const SLOW_SITE: &str = "lisbon";
/// How long a machine is away when it starts anew.
const RESTART: i64 = 4 * MINUTE;
/// What one that restarts does so by: now and then, more or less.
const RESTARTS_EVERY: i64 = 31 * HOUR;
/// When machines are backed up, seconds of the day.
const BACKUP: std::ops::Range<i64> = 2 * HOUR..3 * HOUR;
/// What nobody but the busy one reaches for long.
const CPU_USUAL_MAX: f64 = 84.0;

/// One sample's measurements, by their names on the wire.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Figures {
    clock_offset_seconds: f64,
    pub(super) cpu: f64,
    pub(super) disk: f64,
    disk_read_bytes_per_second: f64,
    disk_write_bytes_per_second: f64,
    latency: f64,
    pub(super) load1: f64,
    pub(super) load15: f64,
    pub(super) load5: f64,
    net_rx_bytes_per_second: f64,
    net_tx_bytes_per_second: f64,
    processes: f64,
    ram: f64,
    spool_dropped: f64,
    swap: f64,
    temperature: f64,
    pub(super) uptime_seconds: f64,
}

/// A machine's life, told from the moment at which the demo began, seconds since 1970.
#[derive(Clone, Copy, Debug)]
pub(super) struct Life<'a> {
    pub(super) machine: &'a Machine,
    pub(super) began: i64,
}

impl Life<'_> {
    /// Whether the machine is heard at that moment.
    pub(super) fn is_heard(&self, at: i64) -> bool {
        let silent = self.machine.part == Part::Silent && at >= self.began - SILENT_SINCE;
        // It is away before it comes up.
        !silent && self.up_since(at) == self.up_since(at + RESTART)
    }

    /// The agent's word for how its machine does.
    pub(super) fn status(&self, at: i64) -> &'static str {
        match self.machine.part {
            Part::Failing if at >= self.began - FAILING_SINCE => "error",
            _ => "online",
        }
    }

    /// When it came up last.
    fn up_since(&self, at: i64) -> i64 {
        let seed = self.machine.seed ^ 1;
        // Most were started weeks ago, for an update by night.
        let long = self.began - DAY * (9 + (chance(seed, 0) * 50.0) as i64);
        let long = long.div_euclid(DAY) * DAY + 3 * HOUR + (chance(seed, 1) * 1_800.0) as i64;
        if self.machine.part != Part::Restarting {
            return long;
        }
        // The last restart is a while ago when the demo begins.
        let since = self.began - 7 * HOUR;
        let last = (at - since).div_euclid(RESTARTS_EVERY);
        let moment =
            |number: i64| since + number * RESTARTS_EVERY + (chance(seed, number) * HOUR as f64) as i64;
        if moment(last) <= at { moment(last) } else { moment(last - 1) }
    }

    /// Everything that it measures at that moment.
    pub(super) fn figures(&self, at: i64) -> Figures {
        let Machine { role, site, part, seed, .. } = self.machine;
        let salted = |salt: u64| seed ^ (salt << 32);
        let (day, is_backup) = (rhythm(at), role.nightly && BACKUP.contains(&at.rem_euclid(DAY)));
        let cpu = self.cpu(at, day, is_backup);
        let load = |every: i64| cpu / 100.0 * role.cores as f64 * (0.75 + 0.5 * glide(salted(2), at, every));
        let up = at - self.up_since(at);
        // What programs leave behind grows for two days after a start.
        let left_behind = 5.0 * (up as f64 / (2 * DAY) as f64).min(1.0);
        let ram = role.ram + left_behind + 7.0 * day + 5.0 * glide(salted(3), at, 2 * HOUR);
        let ram = ram.min(96.0);
        let traffic = role.traffic * (0.06 + day * (0.6 + 0.7 * glide(salted(4), at, 20 * MINUTE)));
        let burst = 8.0 * glide(salted(5), at, 3 * MINUTE).powi(12);
        let written = traffic * 0.12 + 4.0e4 + if is_backup { 9.0e7 } else { 0.0 } + burst * 1.0e6;
        let whole = |value: f64| rounded(value, 0);
        Figures {
            clock_offset_seconds: rounded(self.clock_offset(at), 3),
            cpu: rounded(cpu, 1),
            disk: rounded(self.disk(at), 2),
            disk_read_bytes_per_second: whole(traffic * 0.3 + if is_backup { 1.2e8 } else { 0.0 }),
            disk_write_bytes_per_second: whole(written),
            latency: rounded(self.latency(at, day, site.latency), 2),
            load1: rounded(load(2 * MINUTE), 2),
            load15: rounded(load(25 * MINUTE), 2),
            load5: rounded(load(8 * MINUTE), 2),
            net_rx_bytes_per_second: whole(traffic * 0.4 + if is_backup { 2.0e5 } else { 0.0 }),
            net_tx_bytes_per_second: whole(traffic + if is_backup { 1.5e7 } else { 0.0 }),
            processes: whole(
                90.0 + role.cores as f64 * 11.0 + 40.0 * day + 12.0 * glide(salted(6), at, HOUR),
            ),
            ram: rounded(ram, 1),
            spool_dropped: if *part == Part::Restarting { 12.0 } else { 0.0 },
            swap: rounded((ram - 78.0).max(0.0) * 0.8, 1),
            temperature: rounded(36.0 + cpu * 0.34 + 3.0 * glide(salted(7), at, HOUR), 1),
            uptime_seconds: up as f64,
        }
    }

    fn cpu(&self, at: i64, day: f64, is_backup: bool) -> f64 {
        let Machine { role, part, seed, .. } = self.machine;
        if *part == Part::Busy && at >= self.began - BUSY_SINCE {
            return 94.0 + 5.5 * glide(*seed, at, 4 * MINUTE);
        }
        let sway = 0.55 + 0.45 * glide(*seed, at, 40 * MINUTE) + 0.25 * glide(seed ^ 2, at, 5 * MINUTE);
        // Now and then something runs for a few minutes.
        let job = 38.0 * glide(seed ^ 3, at, 6 * MINUTE).powi(14);
        let backup = if is_backup { 26.0 } else { 0.0 };
        let noise = 3.0 * chance(seed ^ 4, at);
        (role.cpu_idle + role.cpu_day * day * sway + job + backup + noise)
            .min(CPU_USUAL_MAX + 5.0 * chance(seed ^ 5, at))
    }

    fn disk(&self, at: i64) -> f64 {
        let Machine { role, part, seed, .. } = self.machine;
        let days = (at - self.began) as f64 / DAY as f64;
        let sway = 0.15 * glide(seed ^ 6, at, 5 * HOUR);
        let level = match part {
            // Begins to fill, and is at 87 % when the demo begins: in a day there is no room left.
            Part::Filling => 39.0 + 16.0 * (days + FILLING_SINCE as f64 / DAY as f64).max(0.0),
            Part::Slow => 71.0 + 5.2 * days,
            _ => {
                let night = if role.nightly { 1.2 * glide(seed ^ 7, at, 12 * HOUR) } else { 0.0 };
                18.0 + 34.0 * chance(seed ^ 8, 0) + (0.05 + 0.4 * chance(seed ^ 8, 1)) * days + night
            }
        };
        (level + sway).clamp(1.0, 100.0)
    }

    fn latency(&self, at: i64, day: f64, usual: f64) -> f64 {
        let Machine { site, seed, .. } = self.machine;
        let peak = 90.0 * glide(seed ^ 9, at, 2 * MINUTE).powi(24);
        let is_slow = site.name == SLOW_SITE && SLOW_WAY.contains(&(at - self.began));
        let slow = if is_slow { 7.0 + 5.0 * glide(9, at, 5 * MINUTE) } else { 0.0 };
        usual * (1.0 + 0.25 * day + 0.12 * chance(seed ^ 10, at) + slow) + peak
    }

    fn clock_offset(&self, at: i64) -> f64 {
        let Machine { part, seed, .. } = self.machine;
        let sway = 0.03 * (glide(seed ^ 11, at, 2 * HOUR) - 0.5);
        match part {
            // A clock that nobody sets: it gains a little every day.
            Part::Late => 11.0 + 0.8 * (at - self.began) as f64 / DAY as f64 + sway,
            _ => sway,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::cast::{CAST_MIN, cast},
        *,
    };

    const BEGAN: i64 = 1_800_000_000;
    const WEEK: i64 = 7 * DAY;

    #[test]
    fn figures_are_within_what_they_can_be() {
        for machine in &cast(50, 3) {
            let life = Life { machine, began: BEGAN };
            for at in (BEGAN - WEEK..BEGAN + DAY).step_by(1_801) {
                let figures = life.figures(at);
                let percents = [figures.cpu, figures.disk, figures.ram, figures.swap];
                assert!(percents.iter().all(|value| (0.0..=100.0).contains(value)), "{figures:?}");
                assert!(figures.uptime_seconds >= 0.0 && figures.latency > 0.0 && figures.load1 >= 0.0);
            }
        }
    }

    #[test]
    fn what_is_the_matter_is_the_matter_of_one() {
        let cast = cast(CAST_MIN, 3);
        let of = |part: Part| {
            let machine = cast.iter().find(|machine| machine.part == part).unwrap();
            Life { machine, began: BEGAN }
        };
        let disk = |part, at| of(part).figures(at).disk;
        assert!(disk(Part::Filling, BEGAN + DAY) > 99.0 && disk(Part::Filling, BEGAN) < 90.0);
        assert!(disk(Part::Slow, BEGAN + DAY) < 80.0 && disk(Part::Slow, BEGAN + 6 * DAY) > 99.0);
        assert!(of(Part::Busy).figures(BEGAN).cpu > 90.0 && of(Part::Busy).figures(BEGAN - DAY).cpu < 90.0);
        assert!(of(Part::Late).figures(BEGAN).clock_offset_seconds > 5.0);
        assert!(!of(Part::Silent).is_heard(BEGAN) && of(Part::Silent).is_heard(BEGAN - HOUR));
        assert_eq!(
            (of(Part::Failing).status(BEGAN), of(Part::Failing).status(BEGAN - HOUR)),
            ("error", "online")
        );
    }

    #[test]
    fn who_restarts_is_away_for_a_while_and_then_up_for_no_time() {
        let cast = cast(CAST_MIN, 3);
        let machine = cast.iter().find(|machine| machine.part == Part::Restarting).unwrap();
        let life = Life { machine, began: BEGAN };
        assert!(life.is_heard(BEGAN) && life.is_heard(BEGAN + HOUR));
        let heard: Vec<_> = (BEGAN - WEEK..BEGAN).step_by(30).map(|at| (life.is_heard(at), at)).collect();
        let ups: Vec<_> = heard.windows(2).filter(|two| !two[0].0 && two[1].0).map(|two| two[1].1).collect();
        assert!((3..=6).contains(&ups.len()), "{ups:?}");
        assert!(ups.iter().all(|at| life.figures(*at).uptime_seconds < 60.0), "{ups:?}");
    }
}
