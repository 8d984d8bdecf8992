//! A program with all it started: its process group, asked, watched and killed as one.
//!
//! The group has its leader's number, and that stays its own for as long as the leader was not waited for: a leader that
//! has ended is left as it is until everything was sent that is to be sent. So no signal can reach a stranger.

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use std::time::Duration;
use tokio::{process::Child, time::sleep};

/// How often it is looked whether somebody of a group is left: no system tells.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A program with all it started: killed when this is dropped, unless it was left alone.
pub(super) struct Group {
    /// The leader.
    pub(super) child: Child,
    leader: Option<Pid>,
}

impl Group {
    /// The group that `child`, just begun, leads.
    pub(super) fn of(child: Child) -> Self {
        let leader = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        Self { child, leader }
    }

    /// Asks all of it to end.
    pub(super) fn ask(&self) {
        if let Some(leader) = self.leader {
            // The only error there can be is that nobody is left.
            let _ = kill_process_group(leader, Signal::TERM);
        }
    }

    /// Waits until nobody of it is left who could do anything.
    pub(super) async fn emptied(&self) {
        let Some(leader) = self.leader else { return };
        while test_kill_process_group(leader).is_ok() && !has_only_ended(leader) {
            sleep(LOOK_EVERY).await;
        }
    }

    /// Kills all of it.
    pub(super) fn kill(&mut self) {
        if let Some(leader) = self.leader.take() {
            // The only error there can be is that nobody is left.
            let _ = kill_process_group(leader, Signal::KILL);
        }
    }

    /// The program has ended by itself; what it left running (a service, say) goes on.
    pub(super) const fn leave(&mut self) {
        self.leader = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Whether all that is left of a group has ended, and was only not waited for yet. Linux counts these among a group
/// that can be signalled; others do not.
#[cfg(target_os = "linux")]
fn has_only_ended(leader: Pid) -> bool {
    let Ok(processes) = std::fs::read_dir("/proc") else { return false };
    let stats =
        processes.flatten().filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok());
    let group = leader.as_raw_nonzero().get();
    let mut members = stats.filter_map(|stat| Stat::read(&stat)).filter(|stat| stat.group == group);
    members.all(|stat| stat.has_ended)
}

#[cfg(not(target_os = "linux"))]
const fn has_only_ended(_leader: Pid) -> bool {
    false
}

/// What Linux says of a process.
#[cfg(target_os = "linux")]
pub(super) struct Stat {
    /// Ended, and not waited for.
    pub(super) has_ended: bool,
    group: i32,
}

#[cfg(target_os = "linux")]
impl Stat {
    /// Reads a line of `/proc/PID/stat`: the number, the name in parentheses, which may hold any, the state, the
    /// parent, the group.
    pub(super) fn read(stat: &str) -> Option<Self> {
        let (_, rest) = stat.rsplit_once(") ")?;
        let mut words = rest.split(' ');
        let has_ended = matches!(words.next()?, "Z" | "X");
        Some(Self { has_ended, group: words.nth(1)?.parse().ok()? })
    }
}
