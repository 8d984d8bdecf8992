//! The body: read as far as it may be, strict JSON, and an agent's signed by a key that lives.

use super::{
    Gate, Known, invalid,
    verify::{signable_json, strict_json, verify},
};
use crate::{
    auth::{
        AgentMessage, OperatorBody, Pass, PlainBody, RawBody, Standing, keyring::revoked, token::TokenError,
    },
    deed::Who,
    http::{
        body::{self, Kind, Own, Share},
        moderate::cost,
        places::Seat,
        problem::Refusal,
        rules::Dialect,
    },
};
use axum::{body::HttpBody, extract::Request};
use bytes::Bytes;
use pingup_protocol::problem::ProblemType;
use std::sync::atomic::AtomicUsize;

impl Gate {
    /// Reads a body of at most `bytes_max`, and what it takes of the memory for bodies.
    pub(super) async fn read_body<B: HttpBody<Data = Bytes> + Unpin>(
        &self,
        caller: &Known,
        seat: &Seat,
        body: &mut B,
        bytes_max: usize,
    ) -> Result<(Bytes, Share<&AtomicUsize>), Refusal> {
        let budget = match caller {
            Known::Nobody => &self.porch.strangers_bodies,
            Known::Operator(sender, _) if self.rules.dialect.is_senders() => {
                // In a box: few requests come this way.
                return Box::pin(self.read_of_sender(&sender.name, body, bytes_max)).await;
            }
            Known::Operator(..) => &self.porch.operators_bodies,
            Known::Agent(..) => &self.porch.bodies,
        };
        let read = body::read(&mut *body, bytes_max, budget, caller.arriving()).await;
        read.map_err(|refusal| match caller {
            Known::Agent(pass, _) => {
                self.note_refusal(pass, seat, &refusal);
                refusal.to(Who::Agent(pass.token().agent_id.clone()))
            }
            Known::Nobody | Known::Operator(..) => refusal,
        })
    }

    /// The same of one who sends series. It counts for that one until the room has read it.
    async fn read_of_sender<B: HttpBody<Data = Bytes> + Unpin>(
        &self,
        sender: &str,
        body: &mut B,
        bytes_max: usize,
    ) -> Result<(Bytes, Share<&AtomicUsize>), Refusal> {
        let (budget, own) = (&self.porch.senders_bodies, self.porch.senders_shares.of(sender));
        let read = body::read(&mut *body, bytes_max, budget, Some(Own::of_sender(&own))).await;
        if self.rules.dialect == Dialect::RemoteWrite && read.as_ref().is_err_and(body::is_too_large) {
            body::drop_rest(body).await;
        }
        let (bytes, share) = read?;
        Ok((own.hold(bytes)?, share))
    }

    /// Leaves what was checked of a body for the handler.
    pub(super) async fn admit_body(
        &self,
        caller: Known,
        bytes: Bytes,
        seat: &Seat,
        request: &mut Request,
    ) -> Result<(), Refusal> {
        match caller {
            Known::Nobody => {
                strict_json(&bytes)?;
                request.extensions_mut().insert(RawBody(bytes));
            }
            // It may have been revoked while the body was on its way.
            Known::Operator(_, stay) if stay.is_revoked() => return Err(invalid(TokenError::Revoked)),
            Known::Operator(operator, stay) if self.rules.body_kind != Kind::Json => {
                let extensions = request.extensions_mut();
                extensions.insert(operator);
                extensions.insert(stay);
                extensions.insert(PlainBody(bytes));
            }
            Known::Operator(operator, stay) => {
                let body = signable_json(&bytes)?;
                let extensions = request.extensions_mut();
                extensions.insert(operator);
                extensions.insert(stay);
                extensions.insert(RawBody(body.clone()));
                extensions.insert(OperatorBody(body));
            }
            Known::Agent(pass, keys) => {
                // An agent that was never known is taken through the same work, and told the same.
                let key = keys.as_ref().map_or_else(|| self.keyring.nobody(), |keys| keys.up());
                let received = bytes.len();
                let verified = verify(bytes, key).await;
                let bytes = match (keys, verified) {
                    (Some(_), Ok(Some(bytes))) => bytes,
                    (_, verified) => return Err(self.not_verified(&pass, seat, (verified.err(), received))),
                };
                // Its key may have died while the body was on its way.
                let Standing::Alive(keys) = self.keyring.standing(&pass).await? else {
                    return Err(revoked(&pass.token().agent_id));
                };
                if keys.are_unused() {
                    // In a box: it is the first message of a generation.
                    Box::pin(self.keyring.note_use(&keys, Some(seat.peer.address.ip()))).await?;
                }
                request.extensions_mut().insert(AgentMessage::verified(keys, bytes, received));
            }
        }
        Ok(())
    }

    /// The refusal of a message that could not be read, or did not verify.
    fn not_verified(
        &self,
        pass: &Pass,
        seat: &Seat,
        (unreadable, received): (Option<Refusal>, usize),
    ) -> Refusal {
        let refusal = unreadable.unwrap_or_else(|| {
            let detail = "the signature does not verify with this agent's key over the canonical body";
            Refusal::new(ProblemType::SignatureInvalid, detail)
        });
        let refusal = refusal.after(received);
        self.note_refusal(pass, seat, &refusal);
        refusal
    }

    /// Counts a refusal by what was read for it, unless the hub is at fault, or the line.
    fn note_refusal(&self, pass: &Pass, seat: &Seat, refusal: &Refusal) {
        if !refusal.kind().retryable() {
            let now = self.porch.clock.now();
            self.porch.moderator.note_refusal(pass, seat.host(), cost(refusal), now);
        }
    }
}
