//! Writing it down: at the start, when something was heard, and at the end; never often, and never never.

use super::{OrdersState, Snapshot, SpoolState, Vitals};
use crate::{
    clock::machine_time,
    config::ConfigKeeper,
    orders::Signers,
    record::SharedSpool,
    report::Results,
    state::{StateError, write_lightly},
    stop::Stop,
    transport::Link,
};
use std::{cell::Cell, path::PathBuf, rc::Rc, time::Duration};
use tokio::time::timeout;

/// Between two writings, however much is heard: disks wear out.
const EVERY_LEAST: Duration = Duration::from_secs(5);
/// And however little: who reads sees that the agent lives.
pub(super) const EVERY_MOST: Duration = Duration::from_secs(60);

/// Writes down how the agent does.
pub struct StatusKeeper {
    /// Where.
    pub path: PathBuf,
    /// What the loops heard.
    pub vitals: Rc<Vitals>,
    /// Whether the hub is trusted.
    pub link: Rc<Link>,
    /// What waits.
    pub spool: Rc<SharedSpool>,
    /// What waits as well.
    pub results: Rc<Results>,
    /// What is in force.
    pub config: Rc<ConfigKeeper>,
    /// Whose orders count.
    pub signers: Rc<Signers>,
}

impl StatusKeeper {
    /// Writes until told to stop.
    pub async fn run(&self, stop: &Stop) {
        let failing = Cell::new(false);
        while !stop.is_set() {
            self.note(&failing);
            stop.sleep(EVERY_LEAST).await;
            let heard = timeout(EVERY_MOST - EVERY_LEAST, self.changed());
            // Whether anything was or not: it is time to write.
            let _ = stop.or(heard).await;
        }
    }

    /// Writes for the last time: the agent ends, and this is why.
    pub fn end(&self, why: String) {
        self.vitals.ended(why);
        self.note(&Cell::new(false));
    }

    async fn changed(&self) {
        tokio::select! {
            () = self.vitals.changed() => {}
            () = self.link.distrust_changed() => {}
        }
    }

    /// An agent works as well without: it is said once.
    fn note(&self, failing: &Cell<bool>) {
        let written = self.write();
        match (&written, failing.get()) {
            (Err(error), false) => tracing::warn!("the status is not written down: {error}"),
            (Err(_), true) => {}
            (Ok(()), _) => tracing::debug!("the status is written down"),
        }
        failing.set(written.is_err());
    }

    fn write(&self) -> Result<(), StateError> {
        let spool = self.spool.spool.borrow();
        let journal = self.results.journal.borrow();
        let snapshot = Snapshot {
            written_at: machine_time(),
            heard: self.vitals.heard(),
            distrust: self.link.distrust(),
            spool: SpoolState {
                records: spool.waiting(),
                bytes: spool.bytes(),
                bytes_max: spool.bounds().bytes_max,
                dropped: spool.dropped(),
            },
            results_waiting: journal.waiting() as u64,
            result_unkept: journal.unkept().is_some(),
            config_version: self.config.version(),
            orders: OrdersState {
                keys: self.signers.keys(),
                actions: self.signers.actions().into_iter().map(str::to_owned).collect(),
            },
        };
        let bytes =
            serde_json::to_vec(&snapshot).map_err(|error| StateError::io(&self.path)(error.into()))?;
        write_lightly(&self.path, &bytes)
    }
}
