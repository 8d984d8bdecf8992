//! Operators at the gate: whose token it is, and what becomes of an address that sends bad ones.
//!
//! A token that is known passes first, before anybody asks how its address behaved: whoever shares that with a guesser
//! is not kept out. Nor is who has a provider's token that a key at hand signed. Only what is unknown else asks the [`Lockout`](crate::brake::Lockout), and is looked at (its signature,
//! then its row) unless the address is locked. So a bad token costs one digest and two looks at maps in memory, once its
//! address is locked, and a signature before that.

use super::{Gate, Known, invalid};
use crate::{
    auth::{
        Operator, Role, Stay,
        oidc::{Oidc, OidcError},
        operators::IntroduceError,
        token::TokenError,
    },
    deed::Who,
    figures::LoginRefusal,
    http::{
        places::{Proof, Seat},
        problem::Refusal,
    },
};
use pingup_protocol::{problem::ProblemType, time::Timestamp};
use std::net::IpAddr;

impl Gate {
    /// Whose token this is, if it allows what is asked for.
    pub(super) async fn operator(&self, token: &str, asked: Role, seat: &Seat) -> Result<Known, Refusal> {
        let (now, figures) = (self.porch.clock.now(), &self.porch.figures);
        let address = seat.peer.address.ip();
        let (operator, stay) = match self.keyring.operators().known(token, now) {
            Some(known) => known.map_err(|error| self.turn_away(error))?,
            // In boxes: these are the rare cases.
            None => match self.porch.oidc.as_ref().filter(|oidc| oidc.is_theirs(token)) {
                Some(oidc) => Box::pin(self.vouched_for(oidc, token, address, now)).await?,
                None => Box::pin(self.introduce(token, address, now)).await?,
            },
        };
        seat.prove(|| Proof::Operator);
        if !operator.role.allows(asked) {
            figures.login_refused(LoginRefusal::Role);
            let detail =
                format!("this needs the role {}, the token has {}", asked.as_str(), operator.role.as_str());
            let who = Who::operator(operator, stay.token_id());
            return Err(Refusal::new(ProblemType::ScopeDenied, detail).to(who));
        }
        if self.rules.dialect.is_senders() {
            let token = stay.token_id().unwrap_or(&operator.name);
            self.porch.moderator.take_sender(token, now).map_err(|seconds| {
                let who = Who::operator(operator.clone(), stay.token_id());
                Refusal::too_often("requests of this token", seconds).to(who)
            })?;
        }
        stay.note_use(now, address);
        Ok(Known::Operator(operator, stay))
    }

    /// Looks at a token that is not known, if its address is listened to.
    async fn introduce(
        &self,
        token: &str,
        address: IpAddr,
        now: Timestamp,
    ) -> Result<(Operator, Stay), Refusal> {
        self.listen_to(address, now)?;
        match self.keyring.operators().introduce(token, address).await {
            Ok(introduced) => Ok(introduced),
            Err(IntroduceError::Storage(error)) => Err(error.into()),
            Err(IntroduceError::Token(error)) => {
                // Of one that expired nobody can say that it was guessed, nor of an agent's own at the wrong door.
                if error == TokenError::Invalid && self.keyring.check(token, now).is_err() {
                    self.count(address, now);
                }
                Err(self.turn_away(error))
            }
        }
    }

    /// Asks whether the provider vouches for a token that says it is the provider's.
    async fn vouched_for(
        &self,
        oidc: &Oidc,
        token: &str,
        address: IpAddr,
        now: Timestamp,
    ) -> Result<(Operator, Stay), Refusal> {
        // One that was asked about before passes whatever its neighbours do.
        if let Some(known) = oidc.known(token) {
            return Ok(known);
        }
        // So does one that a key at hand has signed: who shares an address with a guesser has a new one every few minutes.
        if self.porch.lockout.check(address, now).is_err() && !oidc.is_signed(token) {
            self.listen_to(address, now)?;
        }
        oidc.check(token).await.map_err(|error| {
            let (kind, why) = match error {
                OidcError::Invalid(_) => (ProblemType::TokenInvalid, LoginRefusal::Invalid),
                OidcError::Expired => (ProblemType::TokenExpired, LoginRefusal::Expired),
                OidcError::NoRole(_) => (ProblemType::ScopeDenied, LoginRefusal::Role),
                OidcError::Unavailable => return Refusal::new(ProblemType::Overloaded, error.to_string()),
            };
            if why == LoginRefusal::Invalid {
                self.count(address, now);
            }
            self.porch.figures.login_refused(why);
            Refusal::new(kind, error.to_string())
        })
    }

    /// Whether an address that sent bad tokens is listened to again.
    fn listen_to(&self, address: IpAddr, now: Timestamp) -> Result<(), Refusal> {
        self.porch.lockout.check(address, now).map_err(|seconds| {
            self.porch.figures.login_refused(LoginRefusal::Locked);
            Refusal::too_often("bad tokens from this address", seconds)
        })
    }

    fn count(&self, address: IpAddr, now: Timestamp) {
        if let Some(seconds) = self.porch.lockout.count(address, now)
            && self.porch.moderator.may_tell(now)
        {
            tracing::warn!(%address, seconds, "too many bad tokens: none of this address is looked at for a while");
        }
    }

    fn turn_away(&self, error: TokenError) -> Refusal {
        self.porch.figures.login_refused(match error {
            TokenError::Invalid => LoginRefusal::Invalid,
            TokenError::Expired => LoginRefusal::Expired,
            TokenError::Revoked => LoginRefusal::Revoked,
        });
        invalid(error)
    }
}
