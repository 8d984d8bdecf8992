//! Reporting: one result after the other goes to the hub, until it has taken each.

use super::{
    backoff::Backoff,
    lines::Purpose,
    member::{Member, Said},
};
use crate::{client::Client, fleet::now};
use pingup_protocol::command::ResultBody;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};

/// The wait after a first failure, and the longest.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// Reports for one agent.
pub(super) struct Reporter {
    member: Arc<Member>,
    client: Client,
    results: mpsc::Receiver<ResultBody>,
    backoff: Backoff,
}

impl Reporter {
    /// A reporter of what comes from `results`.
    pub(super) fn new(member: Arc<Member>, results: mpsc::Receiver<ResultBody>) -> Self {
        let client = member.line(Purpose::Report, Duration::ZERO);
        let backoff = Backoff::new(BACKOFF.0, BACKOFF.1, member.random(11));
        Self { member, client, results, backoff }
    }

    /// Reports until nothing more can come.
    pub(super) async fn run(&mut self) {
        while let Some(result) = self.results.recv().await {
            self.report(result).await;
        }
    }

    async fn report(&mut self, mut result: ResultBody) {
        let path = format!("/api/v1/commands/{}/result", result.command_id);
        loop {
            // Signed as it is sent.
            result.timestamp = now();
            let request = self.member.agent.post(&self.member.hub, &path, &result);
            match self.member.say(&mut self.client, request).await {
                Said::Good => {
                    self.backoff.reset();
                    let at = Instant::now();
                    return self.member.diary.note(|entries| {
                        entries.stored += 1;
                        entries.stored_last = entries.stored_last.max(Some(at));
                    });
                }
                Said::Later(wait) => sleep(self.backoff.after_failure(wait)).await,
                Said::Never => return,
            }
        }
    }
}
