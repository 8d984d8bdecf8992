//! The porch: the only place that knows HTTP's status codes, headers and limits.
//!
//! [`serve`] accepts connections, over TLS by a `handshake`; `converse` speaks with one client, by hyper while there is
//! something to do (`desk`, `line`, `turn` are its parts), or `multiplex` where that one speaks HTTP/2; [`router`] is the
//! route table, of [`route`]s; [`dispatch`] finds a request's row and finishes its
//! answer; [`gate`] runs the checks that a row of the table asks for. Handlers live in their rooms and return a response,
//! one that waits ([`held`]), or a [`problem::Refusal`].

pub mod body;
mod converse;
pub mod cursor;
mod desk;
pub mod dispatch;
pub mod envelope;
pub mod form;
pub mod gate;
mod handshake;
pub mod held;
mod line;
pub mod moderate;
mod multiplex;
pub mod openapi;
pub mod pack;
mod pieces;
pub mod places;
pub mod problem;
pub mod protobuf;
pub mod query;
pub mod respond;
pub mod route;
pub mod router;
pub mod rules;
pub mod senders;
pub mod serve;
mod turn;
pub mod unpack;

use crate::{auth::oidc::Oidc, brake::Lockout, clock::Clock, deed::TellAttempt, figures::Figures};
use ::http::HeaderMap;
use pingup_protocol::problem::ProblemType;
use problem::Refusal;
use std::{fmt, net::SocketAddr, sync::Arc};

/// Where a request came from, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The other end of the connection.
    pub address: SocketAddr,
    /// Over TLS, which this hub itself ended.
    pub is_tls: bool,
}

impl Peer {
    /// Whether nobody on the way reads what it is told: over TLS, or on this machine.
    pub fn keeps_secrets(&self) -> bool {
        self.is_tls || self.address.ip().to_canonical().is_loopback()
    }
}

/// What the porch itself needs.
#[derive(Clone)]
pub struct Porch {
    /// For the time in refusals.
    pub clock: Clock,
    /// For counting them.
    pub figures: Arc<Figures>,
    /// For operators' bad tokens.
    pub lockout: Arc<Lockout>,
    /// For those who ask too often.
    pub moderator: moderate::Moderator,
    /// For the bodies of agents.
    pub bodies: body::Budget,
    /// For the bodies of operators.
    pub operators_bodies: body::Budget,
    /// For the bodies of those who send series.
    pub senders_bodies: body::Budget,
    /// What each of them has of it, as they come.
    pub senders_shares: body::Shares,
    /// For the bodies of everyone else.
    pub strangers_bodies: body::Budget,
    /// For operators whom somebody else vouches for.
    pub oidc: Option<Oidc>,
    /// Told of who tries to change what they may not.
    pub attempts: TellAttempt,
}

impl fmt::Debug for Porch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Porch(…)")
    }
}

/// The text of a header that stands once.
fn single<'a>(headers: &'a HeaderMap, name: &::http::HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// For paths that no row of the table has.
pub(crate) async fn no_such_path() -> Refusal {
    Refusal::new(ProblemType::NotFound, "no such path; GET /api/v1/openapi.json lists them all")
}

/// For methods that no row of the table has for this path.
pub(crate) async fn no_such_method() -> Refusal {
    Refusal::new(ProblemType::MethodNotAllowed, "see the Allow header for the methods of this path")
}
