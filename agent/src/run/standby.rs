//! An agent whose state was found to be a copy at an earlier start: it says nothing to the hub, for all it could say
//! would be in another's name, and waits for somebody to look at it.

use super::{Agent, Signals};
use crate::{copied, stop};

impl Agent {
    /// Waits until it is told to stop; the status says `why`.
    pub(super) async fn stand_by(&self, why: &str, signals: &mut Signals) {
        let why = copied::with_remedy(why);
        tracing::error!("nothing is said to the hub, and no command is run: {why}");
        self.vitals.copied(why);
        let (_stopper, stop) = stop::channel();
        tokio::select! {
            () = signals.wait() => {}
            () = self.status.run(&stop) => {}
        }
    }
}
