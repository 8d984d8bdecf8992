//! What a row of the route table asks of a request, in words that the gate understands.

use super::{
    body::Kind,
    envelope,
    respond::Representation,
    senders::{self, Encoding},
};
use crate::auth::Role;
use http::Request;

/// Who may come in at a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// Anyone.
    Open,
    /// An operator whose role allows this.
    Operator(Role),
    /// The same, whose token may also be the password of Basic authentication: what dashboards and senders of series can
    /// send.
    Dashboard(Role),
    /// Registration: an operator whose role allows this, or whoever signs with a join token's key.
    Enrol(Role),
    /// An agent; the path parameter, if there is one, names it.
    Agent(Option<&'static str>),
    /// An agent that the path parameter names, or an operator whose role allows this.
    AgentOr(&'static str, Role),
}

impl Auth {
    /// Whether operators may come in here.
    pub const fn takes_operators(self) -> bool {
        match self {
            Self::Operator(_) | Self::Dashboard(_) | Self::Enrol(_) | Self::AgentOr(..) => true,
            Self::Open | Self::Agent(_) => false,
        }
    }

    /// The path parameter that names the agent who asks.
    pub(super) const fn path_parameter(self) -> Option<&'static str> {
        match self {
            Self::Agent(name) => name,
            Self::AgentOr(name, _) => Some(name),
            Self::Open | Self::Operator(_) | Self::Dashboard(_) | Self::Enrol(_) => None,
        }
    }
}

/// How a route takes its parameters, and tells what it refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Known parameters in the URL, each once; bodies are JSON; problem documents.
    Pingup,
    /// Any parameters, in the URL and in a form, as often as wanted; its [`envelope`].
    Prometheus,
    /// Any parameters; a message in the body, and a line of text where it is refused.
    RemoteWrite,
    /// The same; a `google.rpc.Status`, in the request's own encoding.
    Otlp(Encoding),
}

impl Dialect {
    /// Which one is spoken at a path, whether there is such a route or not.
    pub fn at(path: &str) -> Self {
        match path {
            senders::WRITE => Self::RemoteWrite,
            _ if path.starts_with(envelope::PREFIX) => Self::Prometheus,
            _ if path.starts_with(senders::OTLP_PREFIX) => Self::Otlp(Encoding::Protobuf),
            _ => Self::Pingup,
        }
    }

    /// Which one a request speaks.
    pub(super) fn of<B>(request: &Request<B>) -> Self {
        match Self::at(request.uri().path()) {
            Self::Otlp(_) => Self::Otlp(Encoding::of(request.headers())),
            other => other,
        }
    }

    /// Whether those speak so who send series.
    pub(super) const fn is_senders(self) -> bool {
        matches!(self, Self::RemoteWrite | Self::Otlp(_))
    }
}

/// What a row of the route table asks of a request.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Who may come in.
    pub auth: Auth,
    /// The body it takes, in bytes; `None` for a route that takes none.
    pub body_bytes_max: Option<usize>,
    /// What kind of body that is.
    pub body_kind: Kind,
    /// How it is spoken to.
    pub dialect: Dialect,
    /// Parameters it knows.
    pub query: &'static [&'static str],
    /// What it can answer with.
    pub offers: &'static [Representation],
    /// The handler runs to its end, also when its client hangs up.
    pub to_the_end: bool,
}

impl Rules {
    /// Whether the audit hears of who is refused here: at doors by which something is changed, those of agents apart.
    pub const fn is_watched(&self) -> bool {
        self.to_the_end
            && matches!(self.auth, Auth::Operator(_) | Auth::Enrol(_) | Auth::Dashboard(Role::Admin))
    }
}
