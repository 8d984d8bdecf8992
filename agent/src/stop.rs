//! The word to stop: said once, heard by every loop.

use std::time::Duration;
use tokio::sync::watch;

/// Hears whether to stop.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

/// Says it. When it is dropped, that says it too.
#[derive(Debug)]
pub struct Stopper(watch::Sender<bool>);

/// A pair of the two.
pub fn channel() -> (Stopper, Stop) {
    let (sender, receiver) = watch::channel(false);
    (Stopper(sender), Stop(receiver))
}

impl Stopper {
    /// Tells everyone to stop.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }

    /// Whether it was said.
    pub fn is_set(&self) -> bool {
        *self.0.borrow()
    }
}

impl Stop {
    /// Whether it was said.
    pub fn is_set(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is said.
    pub async fn wait(&self) {
        // An error means that nobody is left who could say it: stop as well.
        let _ = self.0.clone().wait_for(|stopped| *stopped).await;
    }

    /// Waits for `work`; `None` when it was told to stop before that was done.
    pub async fn or<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.wait() => None,
            done = work => Some(done),
        }
    }

    /// Waits for `duration`, less when told to stop.
    pub async fn sleep(&self, duration: Duration) {
        self.or(tokio::time::sleep(duration)).await;
    }
}
