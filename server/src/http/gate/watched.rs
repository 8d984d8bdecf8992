//! Who tries to change something and may not, told to the audit.

use super::Gate;
use crate::{
    deed::Attempt,
    http::{places::Seat, problem::Refusal},
};
use http::Method;
use std::net::IpAddr;

/// Who tries to change something, as far as that is known beforehand.
pub(super) struct Trying {
    address: IpAddr,
    method: Method,
}

impl Trying {
    pub(super) fn of<B>(seat: &Seat, request: &http::Request<B>) -> Self {
        Self { address: seat.peer.address.ip(), method: request.method().clone() }
    }
}

impl Gate {
    /// Tells of whoever was refused for want of a right.
    pub(super) fn tell(&self, trying: Option<Trying>, refusal: Option<&Refusal>) {
        let Some((Trying { address, method }, refusal)) = trying.zip(refusal) else { return };
        let kind = refusal.kind();
        if matches!(kind.status(), 401 | 403 | 429) {
            let route = format!("{method} {}", self.path);
            (self.porch.attempts)(Attempt { address, who: refusal.who().cloned(), route, kind });
        }
    }
}
