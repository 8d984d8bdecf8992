//! Heartbeats: the agent is there, every thirty seconds; or it goes, and says so.

use crate::{
    backoff::{Backoff, REFUSED},
    clock::{Clock, steady},
    config::ConfigKeeper,
    introduction::Introduction,
    status::Vitals,
    stop::Stop,
    transport::{Failure, Link, Revoked, Session},
};
use pingup_protocol::{
    enrol::HostInfo,
    heartbeat::{ConfigReport, HeartbeatAnswer, HeartbeatBody, Presence},
    limits::HEARTBEAT_SECONDS,
    problem::ProblemType,
    time::Timestamp,
};
use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};
use tokio::time::{Instant, Interval, MissedTickBehavior};

const EVERY: Duration = Duration::from_secs(HEARTBEAT_SECONDS);
/// A first beat that lay further behind the hub's clock than this may have been no newer than one of before a restart.
const BEHIND_SECONDS_MAX: i64 = 2;

/// Makes heartbeats, each newer than the one before: the hub ignores what is not. They go by the hub's clock, as soon as
/// it is known: a machine that starts with its own behind would else be ignored until somebody set that right.
pub struct Pulse {
    clock: Rc<Clock>,
    last: Cell<Option<Timestamp>>,
}

impl Pulse {
    /// Beats by `clock`.
    pub const fn new(clock: Rc<Clock>) -> Self {
        Self { clock, last: Cell::new(None) }
    }

    /// Tells the hub `status`, and hears what it has to say.
    pub async fn beat(
        &self,
        session: &mut Session,
        status: Presence,
        info: Option<HostInfo>,
        config: Option<ConfigReport>,
    ) -> Result<HeartbeatAnswer, Failure> {
        let agent_id = session.link().identity().agent_id.clone();
        let is_blind = !self.clock.knows_hub();
        let timestamp = self.next(self.clock.hub_now());
        let mut body = HeartbeatBody { agent_id, timestamp, status, info, metrics: None, config };
        let answer = self.send(session, &body).await?;
        if is_blind && body.timestamp.plus_seconds(BEHIND_SECONDS_MAX) < answer.server_time {
            body.timestamp = self.next(self.clock.hub_now());
            return self.send(session, &body).await;
        }
        Ok(answer)
    }

    async fn send(&self, session: &mut Session, body: &HeartbeatBody) -> Result<HeartbeatAnswer, Failure> {
        let route = format!("/api/v1/agents/{}/heartbeat", body.agent_id);
        let asked = steady();
        let answered = session.post(&route, body).await;
        if let Some(refusal) = answered.as_ref().err().and_then(Failure::refusal)
            && let (Some(ProblemType::TimestampInFuture), Some(hub)) = (refusal.kind, refusal.server_time)
        {
            self.clock.learn(hub);
            self.last.set(None);
        }
        let answer: HeartbeatAnswer = session.verified(&answered?)?;
        session.link().hear_of_keys(answer.credentials.as_ref());
        self.clock.hear(answer.server_time, steady().saturating_sub(asked));
        if let Some(round_trip) = session.link().latency() {
            self.clock.compare(answer.server_time, round_trip);
        }
        Ok(answer)
    }

    fn next(&self, now: Timestamp) -> Timestamp {
        let next = match self.last.get() {
            Some(last) => now.max(Timestamp::from_micros(last.as_micros() + 1)),
            None => now,
        };
        self.last.set(Some(next));
        next
    }
}

/// Beats until told to stop; also as soon as a configuration was applied or refused, for the hub to know. What the
/// machine says of itself goes with the beats until one was heard.
pub async fn run(
    pulse: &Pulse,
    session: &mut Session,
    config: &ConfigKeeper,
    vitals: &Vitals,
    introduction: &RefCell<Introduction>,
    stop: &Stop,
) -> Result<(), Revoked> {
    let mut backoff = Backoff::new(REFUSED);
    let mut due = tokio::time::interval_at(Instant::now(), EVERY);
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stop.or(due_or_news(&mut due, config)).await.is_some() {
        loop {
            // Told to stop in the middle: the beat that says so is newer than this one.
            let info = introduction.borrow_mut().due();
            let beat = pulse.beat(session, Presence::Online, info, Some(config.report()));
            let Some(answered) = stop.or(beat).await else { return Ok(()) };
            match answered {
                Ok(answer) => {
                    introduction.borrow_mut().heard();
                    backoff.reset();
                    config.hear(answer.config_version);
                    vitals.beaten(&answer);
                    break;
                }
                Err(failure) if failure.is_revoked() => return Err(Revoked::because(&failure)),
                Err(failure) => {
                    failure.log_unexpected("heartbeat");
                    stop.sleep(failure.wait(&mut backoff)).await;
                    if stop.is_set() {
                        return Ok(());
                    }
                }
            }
        }
    }
    Ok(())
}

/// Until the next beat is due, or there is news of configurations to tell; then the one after is due from now.
async fn due_or_news(due: &mut Interval, config: &ConfigKeeper) {
    tokio::select! {
        _ = due.tick() => {}
        () = config.news() => due.reset(),
    }
}

/// Asks whether the hub knows this agent, and is the one that this agent knows: by a beat that is older than any, which
/// the hub answers as any other, and which changes nothing.
pub async fn of_long_ago(session: &mut Session) -> Result<(), Failure> {
    let agent_id = session.link().identity().agent_id.clone();
    let route = format!("/api/v1/agents/{agent_id}/heartbeat");
    let (timestamp, status) = (Timestamp::from_micros(0), Presence::Offline);
    let body = HeartbeatBody { agent_id, timestamp, status, info: None, metrics: None, config: None };
    let answer = session.post(&route, &body).await?;
    session.verified::<HeartbeatAnswer>(&answer).map(drop)
}

/// Says that the agent goes.
pub async fn farewell(pulse: &Pulse, link: &Rc<Link>) {
    // Whatever else is being said need not be waited for.
    let mut session = link.session_apart("farewell");
    if let Err(failure) = pulse.beat(&mut session, Presence::Offline, None, None).await {
        tracing::warn!("could not tell the hub that this agent stops: {failure}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_beat_is_newer_than_the_one_before() {
        let pulse = Pulse::new(Rc::new(Clock::default()));
        let beats: Vec<Timestamp> = (0..1_000).map(|_| pulse.next(pulse.clock.hub_now())).collect();
        assert!(beats.is_sorted_by(|earlier, later| earlier < later));
    }

    #[test]
    fn beats_stay_newer_while_the_clock_is_set_back_and_on() {
        let pulse = Pulse::new(Rc::new(Clock::default()));
        let noon = Timestamp::from_micros(1_800_000_000_000_000);
        let steps = [0, 30, -3_570, -3_540, 3_600, 60, 90];
        let beats: Vec<Timestamp> = steps.iter().map(|&step| pulse.next(noon.plus_seconds(step))).collect();
        assert!(beats.is_sorted_by(|earlier, later| earlier < later), "{beats:?}");
        assert_eq!(beats[4], noon.plus_seconds(3_600), "as soon as the clock allows, they carry its time");
    }
}
