//! Heartbeats: every thirty seconds, from any moment within the first thirty on; the first says what the machine is.

use super::{
    chance::Chance,
    diary::record,
    member::{Member, Said},
};
use crate::fleet::now;
use pingup_protocol::{
    backoff::{Backoff, REFUSED},
    enrol::HostInfo,
    heartbeat::{ConfigReport, HeartbeatAnswer, HeartbeatBody, Presence},
    limits::HEARTBEAT_SECONDS,
};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep};

const EVERY: Duration = Duration::from_secs(HEARTBEAT_SECONDS);

/// Beats for one agent.
pub(super) struct Pulse {
    member: Arc<Member>,
    info: Option<HostInfo>,
    backoff: Backoff,
    chance: Chance,
}

impl Pulse {
    /// A pulse that has not beaten yet.
    pub(super) fn new(member: Arc<Member>) -> Self {
        let (backoff, chance) = (Backoff::new(REFUSED), Chance::new(member.random(12)));
        let info = Some(machine(member.place));
        Self { member, info, backoff, chance }
    }

    /// Beats for as long as somebody lets it.
    pub(super) async fn run(&mut self) {
        let mut due = interval_at(self.member.first(EVERY, 2), EVERY);
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            due.tick().await;
            loop {
                match self.beat().await {
                    // Whoever speaks next waits until it is back.
                    Said::Away => {}
                    Said::Later(wait) => sleep(self.backoff.after_failure(wait, self.chance.draw())).await,
                    Said::Good | Said::Never => break,
                }
            }
            self.backoff.reset();
        }
    }

    async fn beat(&mut self) -> Said {
        let member = Arc::clone(&self.member);
        let path = format!("/api/v1/agents/{}/heartbeat", member.agent_id);
        let mut client = member.saying().await;
        let body = HeartbeatBody {
            agent_id: self.member.agent_id.clone(),
            timestamp: now(),
            status: Presence::Online,
            info: self.info.clone(),
            metrics: None,
            config: Some(ConfigReport { applied: Some(0), refused: None }),
        };
        let began = Instant::now();
        let request = self.member.agent.post(&self.member.hub, &path, &body);
        let said = self.member.say(&mut client, request).await;
        if said == Said::Good {
            let answer = client.last();
            match answer.and_then(|answer| self.member.agent.verified::<HeartbeatAnswer>(answer.body)) {
                Some(_) => {
                    self.info = None;
                    self.member.diary.note(|entries| record(&mut entries.beaten, began.elapsed()));
                }
                None => self
                    .member
                    .diary
                    .fault(|| format!("{}: an answer to a heartbeat is not the hub's", self.member.agent_id)),
            }
        }
        said
    }
}

/// A machine as thousands are.
fn machine(place: usize) -> HostInfo {
    HostInfo {
        hostname: Some(format!("machine-{place:05}.example")),
        ip_address: Some(format!("10.{}.{}.{}", place >> 16 & 255, place >> 8 & 255, place & 255)),
        os: Some("Debian GNU/Linux 12 (bookworm)".to_owned()),
        arch: Some("x86_64".to_owned()),
        kernel: Some("6.1.0-28-amd64".to_owned()),
        agent_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        cpu_cores: Some(4),
        memory_mb: Some(8_192),
        disk_gb: Some(100),
        ..HostInfo::default()
    }
}
