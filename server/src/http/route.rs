//! A row of the route table, and the same behind its gate.
//!
//! A row cannot be made without saying who may come ([`Rules`] has no default), and its handler cannot be reached but
//! through the gate that its rules make: nothing here hands it out, and [`Dispatch`](super::dispatch::Dispatch) takes
//! nothing but rows that are [`Gated`].

use super::{
    Peer, Porch,
    body::Kind,
    gate::{self, Gate},
    router::House,
    rules::Rules,
};
use crate::auth::Keyring;
use axum::{
    extract::Request,
    handler::Handler,
    middleware::from_fn_with_state,
    response::{IntoResponse, Response},
    routing::{MethodFilter, MethodRouter, on},
};
use bytes::Bytes;
use http::Method;
use hyper::body::Body;
use std::{fmt, pin::Pin, sync::Arc};

/// A handler, to be called without a router.
type BoxedHandler = Box<dyn Fn(Request, House) -> Answering + Send + Sync>;
/// An answer that is being made.
type Answering = Pin<Box<dyn Future<Output = Response> + Send>>;

/// A row of the table.
pub struct Route {
    /// GET, POST, PATCH or DELETE.
    pub method: Method,
    /// The path, parameters in braces.
    pub path: &'static str,
    /// What it asks of a request.
    pub rules: Rules,
    routed: MethodRouter<House>,
    handler: BoxedHandler,
}

/// A row behind its gate.
pub(super) struct Gated {
    method: Method,
    path: &'static str,
    gate: Arc<Gate>,
    routed: MethodRouter<House>,
    handler: BoxedHandler,
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Route({} {}, {:?})", self.method, self.path, self.rules.auth)
    }
}

impl Route {
    pub(super) fn new<H: Handler<T, House> + Sync, T: 'static>(
        method: Method,
        path: &'static str,
        rules: Rules,
        handler: H,
    ) -> Self {
        let filter = match method {
            Method::POST => MethodFilter::POST,
            Method::PATCH => MethodFilter::PATCH,
            Method::DELETE => MethodFilter::DELETE,
            _ => MethodFilter::GET,
        };
        let routed = on(filter, handler.clone());
        let handler: BoxedHandler =
            Box::new(move |request, house| Box::pin(handler.clone().call(request, house)));
        Self { method, path, rules, routed, handler }
    }

    /// Nothing that matters follows in the handler once its client has hung up: it needs no task of its own.
    pub(super) const fn nothing_follows(mut self) -> Self {
        self.rules.to_the_end = false;
        self
    }

    /// It takes another kind of body than its dialect's.
    pub(super) const fn takes(mut self, kind: Kind) -> Self {
        self.rules.body_kind = kind;
        self
    }

    /// The same behind its gate.
    pub(super) fn gated(self, keyring: &Keyring, porch: &Porch) -> Gated {
        let Self { method, path, rules, routed, handler } = self;
        let gate = Arc::new(Gate { rules, path, keyring: keyring.clone(), porch: porch.clone() });
        let routed = routed.route_layer(from_fn_with_state(Arc::clone(&gate), gate::check));
        Gated { method, path, gate, routed, handler }
    }
}

impl Gated {
    pub(super) const fn method(&self) -> &Method {
        &self.method
    }

    pub(super) const fn path(&self) -> &'static str {
        self.path
    }

    pub(super) fn rules(&self) -> &Rules {
        &self.gate.rules
    }

    /// For axum's router.
    pub(super) fn routed(&self) -> MethodRouter<House> {
        self.routed.clone()
    }

    /// Answers a request for a path without parameters.
    pub(super) async fn answer<B>(&self, request: http::Request<B>, peer: Peer, house: &House) -> Response
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let handler = |request| (self.handler)(request, house.clone());
        self.gate.pass(None, request, Some(peer.address.ip()), handler).await.into_response()
    }
}
