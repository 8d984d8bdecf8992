//! Questions that are answered together: who comes while others are being answered waits for that, and then goes with all
//! who came meanwhile. Nobody waits for company: who comes alone goes alone.
//!
//! For the records, of which thousands that a batch has woken ask the same at one moment: a thread, a transaction and a
//! place in the queue for each would cost more than the rows.

use futures_util::future::BoxFuture;
use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};
use tokio::sync::oneshot;

/// What answers questions: one answer for each, in their order.
type Answerer<Q, A> = Box<dyn Fn(Vec<Q>) -> BoxFuture<'static, Vec<A>> + Send + Sync>;

/// Questions of one kind, and who answers them. It holds as many as are asked at once, which is the askers' to bound.
pub(super) struct Together<Q, A> {
    answerer: Answerer<Q, A>,
    together_max: usize,
    line: Mutex<Line<Q, A>>,
}

struct Line<Q, A> {
    waiting: VecDeque<(Q, oneshot::Sender<A>)>,
    /// Whether somebody works it off.
    is_served: bool,
}

impl<Q, A> fmt::Debug for Together<Q, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Together({} waiting)", self.line().waiting.len())
    }
}

impl<Q, A> Together<Q, A> {
    fn line(&self) -> MutexGuard<'_, Line<Q, A>> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<Q: Send + 'static, A: Send + 'static> Together<Q, A> {
    /// Questions that `answerer` answers, up to `together_max` at a time.
    pub(super) fn new(
        together_max: usize,
        answerer: impl Fn(Vec<Q>) -> BoxFuture<'static, Vec<A>> + Send + Sync + 'static,
    ) -> Arc<Self> {
        let line = Mutex::new(Line { waiting: VecDeque::new(), is_served: false });
        Arc::new(Self { answerer: Box::new(answerer), together_max, line })
    }

    /// Asks. It is answered also where nobody waits for that any more. None: whoever was to answer it panicked.
    pub(super) async fn ask(self: &Arc<Self>, question: Q) -> Option<A> {
        let (sender, answer) = oneshot::channel();
        if self.join(question, sender) {
            // Apart from whoever asks: he may hang up, and the others wait for this too.
            tokio::spawn(Serving(Arc::clone(self)).work_off());
        }
        answer.await.ok()
    }

    /// Joins the line; whether nobody works it off.
    fn join(&self, question: Q, sender: oneshot::Sender<A>) -> bool {
        let mut line = self.line();
        line.waiting.push_back((question, sender));
        !std::mem::replace(&mut line.is_served, true)
    }

    /// Who goes next, together; none at the end of the line, which then is not served any more.
    fn next(&self) -> Option<(Vec<Q>, Vec<oneshot::Sender<A>>)> {
        let mut line = self.line();
        let count = line.waiting.len().min(self.together_max);
        line.is_served = count > 0;
        (count > 0).then(|| line.waiting.drain(..count).unzip())
    }
}

/// Whoever works the line off.
struct Serving<Q, A>(Arc<Together<Q, A>>);

impl<Q: Send + 'static, A: Send + 'static> Serving<Q, A> {
    async fn work_off(self) {
        while let Some((questions, senders)) = self.0.next() {
            let answers = (self.0.answerer)(questions).await;
            for (sender, answer) in senders.into_iter().zip(answers) {
                // An error: nobody waits for it any more.
                let _ = sender.send(answer);
            }
        }
    }
}

impl<Q, A> Drop for Serving<Q, A> {
    /// After a panic those who wait are told, by a dropped sender, and the next one is served again.
    fn drop(&mut self) {
        if thread::panicking() {
            let mut line = self.0.line();
            line.is_served = false;
            line.waiting.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::{FutureExt, future::join_all};
    use tokio::sync::Semaphore;

    const TOGETHER_MAX: usize = 4;

    /// Answers a number with itself and the size of its group.
    type Sizes = Together<u32, (u32, usize)>;

    /// Answers once it may.
    fn gated() -> (Arc<Semaphore>, Arc<Sizes>) {
        let gate = Arc::new(Semaphore::new(0));
        let opened = Arc::clone(&gate);
        let together = Together::new(TOGETHER_MAX, move |questions: Vec<u32>| {
            let opened = Arc::clone(&opened);
            async move {
                opened.acquire().await.unwrap().forget();
                assert!(!questions.contains(&13), "on purpose");
                let count = questions.len();
                questions.into_iter().map(|question| (question, count)).collect()
            }
            .boxed()
        });
        (gate, together)
    }

    #[tokio::test]
    async fn who_comes_alone_goes_alone_and_who_comes_meanwhile_goes_together() {
        let (gate, together) = gated();
        let alone = Arc::clone(&together);
        let alone = tokio::spawn(async move { alone.ask(0).await });
        let is_at_work = || {
            let line = together.line();
            line.is_served && line.waiting.is_empty()
        };
        while !is_at_work() {
            tokio::task::yield_now().await;
        }
        let asked = join_all((1..7).map(|number| together.ask(number)));
        let open = async {
            while together.line().waiting.len() < 6 {
                tokio::task::yield_now().await;
            }
            gate.add_permits(3);
        };
        let (answers, ()) = tokio::join!(asked, open);
        assert_eq!(alone.await.unwrap(), Some((0, 1)));
        let answers: Vec<_> = answers.into_iter().map(Option::unwrap).collect();
        assert_eq!(answers, [(1, 4), (2, 4), (3, 4), (4, 4), (5, 2), (6, 2)]);
        gate.add_permits(1);
        assert_eq!(together.ask(7).await, Some((7, 1)), "and who comes later, alone again");
    }

    #[tokio::test]
    async fn whoever_hangs_up_holds_up_nobody() {
        let (gate, together) = gated();
        let first = Box::pin(together.ask(1));
        assert!(first.now_or_never().is_none(), "and it is dropped with that");
        gate.add_permits(2);
        assert_eq!(together.ask(2).await.map(|(question, _)| question), Some(2));
    }

    #[tokio::test]
    async fn after_a_panic_who_waits_is_told_and_the_next_is_served() {
        let (gate, together) = gated();
        gate.add_permits(2);
        let told = tokio::join!(together.ask(13), together.ask(1));
        assert_eq!(told.0, None);
        assert!(told.1.is_none_or(|(question, _)| question == 1), "with it, or behind it");
        assert_eq!(together.ask(2).await.map(|(question, _)| question), Some(2));
    }
}
