//! Answers that wait for something to happen, as a request for commands does until there is one.
//!
//! A handler that returns one is over: what its gate, its router and its request took is given back, and only the
//! wait is left. The connection can then be served by almost nothing until the wait ends (`converse`).

use axum::{body::Body, response::Response};
use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
};

/// A wait that ends with an answer. Dropping it gives the wait up.
pub type Waiting = Pin<Box<dyn Future<Output = Response> + Send>>;

/// A wait on its way through the router; an extension of a response must be one that can be cloned.
#[derive(Clone)]
struct Held(Arc<Mutex<Option<Waiting>>>);

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Held(…)")
    }
}

/// An answer that is what `wait` comes to. It should hold no more than it needs: thousands wait at once.
pub fn held(wait: impl Future<Output = Response> + Send + 'static) -> Response {
    let mut response = Response::new(Body::empty());
    let waiting: Waiting = Box::pin(wait);
    response.extensions_mut().insert(Held(Arc::new(Mutex::new(Some(waiting)))));
    response
}

/// The wait that `response` stands for, if it does.
pub fn take(response: &mut Response) -> Option<Waiting> {
    let Held(waiting) = response.extensions_mut().remove()?;
    waiting.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// What `response` comes to, waited for here.
#[cfg(test)]
pub async fn settled(mut response: Response) -> Response {
    match take(&mut response) {
        Some(waiting) => waiting.await,
        None => response,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::StatusCode;

    #[tokio::test]
    async fn a_wait_is_taken_once_and_comes_to_its_answer() {
        let mut response = held(async {
            let mut answer = Response::default();
            *answer.status_mut() = StatusCode::ACCEPTED;
            answer
        });
        let copy = response.extensions().get::<Held>().cloned().unwrap();
        assert_eq!(take(&mut response).unwrap().await.status(), StatusCode::ACCEPTED);
        assert!(take(&mut response).is_none());
        assert!(copy.0.lock().unwrap().is_none(), "nobody else has it");
        assert!(take(&mut Response::default()).is_none());
    }
}
