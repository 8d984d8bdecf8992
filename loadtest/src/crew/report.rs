//! Reporting: one result after the other goes to the hub, until it has taken each.

use super::{
    chance::Chance,
    member::{Member, Said},
};
use crate::fleet::now;
use pingup_protocol::{
    backoff::{Backoff, REFUSED},
    command::ResultBody,
};
use std::sync::Arc;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};

/// Reports for one agent.
pub(super) struct Reporter {
    member: Arc<Member>,
    results: mpsc::Receiver<ResultBody>,
    backoff: Backoff,
    chance: Chance,
}

impl Reporter {
    /// A reporter of what comes from `results`.
    pub(super) fn new(member: Arc<Member>, results: mpsc::Receiver<ResultBody>) -> Self {
        let (backoff, chance) = (Backoff::new(REFUSED), Chance::new(member.random(11)));
        Self { member, results, backoff, chance }
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
            let said = {
                let mut client = self.member.saying().await;
                self.member.say(&mut client, request).await
            };
            match said {
                Said::Good => {
                    self.backoff.reset();
                    let at = Instant::now();
                    return self.member.diary.note(|entries| {
                        entries.stored += 1;
                        entries.stored_last = entries.stored_last.max(Some(at));
                    });
                }
                // Whoever speaks next waits until it is back.
                Said::Away => {}
                Said::Later(wait) => sleep(self.backoff.after_failure(wait, self.chance.draw())).await,
                Said::Never => return,
            }
        }
    }
}
