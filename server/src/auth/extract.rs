//! How handlers get hold of what the gate checked. A handler that asks for what its row of the route table
//! does not provide gets a 500, in every test of that route. It is taken, not copied: nobody asks twice.

use super::{AgentCaller, AgentMessage, Caller, Operator, OperatorBody, PlainBody, RawBody, Stay};
use crate::{
    deed::{By, Who},
    http::{Peer, problem::Refusal},
};
use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use http::request::Parts;
use std::convert::Infallible;

macro_rules! from_the_gate {
    ($($checked:ty),*) => { $(
        impl<S: Sync> FromRequestParts<S> for $checked {
            type Rejection = Refusal;

            async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
                parts.extensions.remove::<Self>().ok_or_else(|| {
                    Refusal::internal("the route table does not provide", &stringify!($checked))
                })
            }
        }
    )* };
}
from_the_gate!(Operator, Stay, AgentCaller, AgentMessage, Caller, OperatorBody, PlainBody, RawBody);

impl<S: Sync> OptionalFromRequestParts<S> for Operator {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned())
    }
}

/// The operator whom the gate let in, and from where: who does a deed.
impl<S: Sync> FromRequestParts<S> for By {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let operator = <Operator as FromRequestParts<S>>::from_request_parts(parts, state).await?;
        let token = parts.extensions.get::<Stay>().and_then(Stay::token_id);
        let who = Who::operator(operator, token);
        let peer = parts.extensions.get::<Peer>();
        let peer = peer.ok_or_else(|| Refusal::internal("the route table does not provide", &"Peer"))?;
        Ok(Self::over(who, peer.address.ip()))
    }
}
