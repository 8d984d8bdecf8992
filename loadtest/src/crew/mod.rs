//! Agents that live as the real one does, thousands of them in this program: each waits for commands over the request
//! that the hub holds open, begins and reports them, beats every thirty seconds, and pushes a sample each interval.
//!
//! They keep to docs/protocol.md: what they send is signed, what they hear is verified, numbers rise, and what is not
//! answered is kept and sent again. They have the real agent's two connections, and its waits after
//! a failure. What they leave out is what no hub sees: nothing is written to disk, `ping` is all they can do, and
//! configurations are not fetched. Enrolled they are by an operator, since a hub takes few enrolments from one address.

mod absence;
mod beat;
mod chance;
mod diary;
mod lines;
mod member;
mod push;
mod report;
mod wait;

pub(crate) use diary::{Diary, Entries, record};
pub(crate) use lines::{LINES_REAL, files_needed, kept};

use crate::{error::LoadError, fleet::FleetAgent, progress, settings::Hub, spool::Spool};
use beat::Pulse;
use lines::{Lines, Purpose};
use member::{Common, Member};
use push::Pusher;
use report::Reporter;
use std::{net::Ipv4Addr, sync::Arc, time::Duration};
use tokio::{
    net::TcpListener,
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Instant, interval, sleep},
};
use wait::Waiter;

/// Results of one agent that wait to be reported: twice what the hub hands out at once.
const RESULTS_MAX: usize = 64;
/// How often is looked at what a crew does.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// A request that was sent is at the hub, and waits there, after so long.
const SETTLED_AFTER: Duration = Duration::from_secs(1);

/// How the agents of a crew live.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Habits {
    /// Connections that each keeps, of [`LINES_REAL`].
    pub(crate) lines: usize,
    /// From one sample to the next.
    pub(crate) interval: Duration,
}

/// Agents at work.
pub(crate) struct Crew {
    /// What they live through.
    pub(crate) diary: Arc<Diary>,
    begin: Instant,
    lines: usize,
    members: Vec<Arc<Member>>,
    stop: watch::Sender<bool>,
    loops: JoinSet<()>,
    pushers: JoinSet<Spool>,
}

impl Crew {
    /// Sends the agents of `fleet` to work.
    pub(crate) async fn muster(
        hub: &Arc<Hub>,
        fleet: Vec<FleetAgent>,
        habits: Habits,
    ) -> Result<Self, LoadError> {
        let (stop, stopped) = watch::channel(false);
        let diary = Arc::new(Diary::new(fleet.len()));
        let common = Common {
            hub: Arc::clone(hub),
            diary: Arc::clone(&diary),
            habits,
            begin: Instant::now(),
            lines: Lines::new(habits.lines),
            own_address: has_addresses(hub).await,
        };
        let (mut members, mut loops, mut pushers) = (Vec::new(), JoinSet::new(), JoinSet::new());
        for (place, agent) in fleet.into_iter().enumerate() {
            let member = Arc::new(Member::new(&common, place, agent)?);
            let (results, reported) = mpsc::channel(RESULTS_MAX);
            let line = common.line(place, Purpose::Wait, wait::HELD);
            let mut waiter = Waiter::new(Arc::clone(&member), line, results);
            let mut reporter = Reporter::new(Arc::clone(&member), reported);
            let mut pulse = Pulse::new(Arc::clone(&member));
            let mut pusher = Pusher::new(Arc::clone(&member));
            let until = || until(stopped.clone());
            let stops = [until(), until(), until()];
            let [one, two, three] = stops;
            loops.spawn(async move {
                tokio::select! { () = one => {}, () = waiter.run() => {} }
            });
            loops.spawn(async move {
                tokio::select! { () = two => {}, () = reporter.run() => {} }
            });
            loops.spawn(async move {
                tokio::select! { () = three => {}, () = pulse.run() => {} }
            });
            let stop = until();
            pushers.spawn(async move {
                tokio::select! { () = stop => {}, () = pusher.run() => {} }
                pusher.into_spool()
            });
            members.push(member);
        }
        Ok(Self { diary, begin: common.begin, lines: habits.lines, members, stop, loops, pushers })
    }

    /// How many they are.
    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    /// When they were sent to work.
    pub(crate) fn began(&self) -> Instant {
        self.begin
    }

    /// Connections that each keeps.
    pub(crate) fn lines(&self) -> usize {
        self.lines
    }

    /// The id of the agent at `place`; there is one at every place below [`Crew::len`].
    pub(crate) fn id(&self, place: usize) -> &str {
        self.members[place].agent_id.as_str()
    }

    /// Waits until all wait at the hub over connections that were opened at `mark` or later.
    pub(crate) async fn all_wait(&self, mark: Instant, patience: Duration) -> Result<(), LoadError> {
        let waiting = || self.diary.waiting_since(mark) as u64;
        self.watch("until all wait", self.len() as u64, patience, waiting).await?;
        sleep(SETTLED_AFTER).await;
        Ok(())
    }

    /// Agents whose samples up to `by` are not all at the hub.
    pub(crate) fn undelivered(&self, by: Instant) -> usize {
        self.diary.undelivered(|place| self.members[place].taken(by))
    }

    /// Looks until `count` has come to `all`, with a bar.
    pub(crate) async fn watch(
        &self,
        doing: &str,
        all: u64,
        patience: Duration,
        mut count: impl FnMut() -> u64,
    ) -> Result<(), LoadError> {
        let bar = progress::bar(doing, all, "agents");
        let (began, mut ticks) = (Instant::now(), interval(LOOK_EVERY));
        loop {
            ticks.tick().await;
            let come = count();
            bar.set_position(come);
            if come >= all {
                bar.finish_and_clear();
                return Ok(());
            }
            if began.elapsed() > patience {
                let trouble = self.diary.entries().trouble();
                let trouble = trouble.map_or_else(String::new, |trouble| format!(": {trouble}"));
                let waited = patience.as_secs();
                return Err(LoadError::Waited(format!("{doing}: {come} of {all} after {waited} s{trouble}")));
            }
        }
    }

    /// Sends everybody home; what each sent, and what of it the hub has.
    pub(crate) async fn dismiss(mut self) -> Result<Vec<Spool>, LoadError> {
        self.stop.send_replace(true);
        while let Some(ended) = self.loops.join_next().await {
            ended?;
        }
        let mut spools = Vec::with_capacity(self.members.len());
        while let Some(spool) = self.pushers.join_next().await {
            spools.push(spool?);
        }
        Ok(spools)
    }
}

/// Comes back when the crew is sent home.
async fn until(mut stopped: watch::Receiver<bool>) {
    // An error: nobody is left who could say so.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

/// Whether each agent can have an address of its own: the hub is on this machine, and so are its addresses.
async fn has_addresses(hub: &Hub) -> bool {
    let loopback = hub.host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback());
    loopback && TcpListener::bind((Ipv4Addr::new(127, 1, 0, 1), 0)).await.is_ok()
}
