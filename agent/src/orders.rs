//! Orders: what this machine does only if an operator signed it, whatever its hub says.
//!
//! Whose word that is, and for which actions, stands in the machine's own settings alone ([`Signers`]); nothing that comes from
//! the hub reaches it. The hub hands orders on, and whoever stole it has all that ever passed through. So an order counts for this agent alone,
//! once ([`Spent`], kept in the journal), and until it expires by a clock that no hub can set back ([`Sure`]).
//!
//! A stolen hub can keep orders back, hand them out late within their life, and have what runs ended. It cannot make one.

mod signers;
mod spent;
mod sure;

pub use signers::{ALWAYS_SIGNED, KEYS_MAX, Signers, SignersError};
pub use spent::{Mark, SPENT_MAX, Spent};
pub use sure::Sure;

use pingup_protocol::{
    command::Command,
    order::{Asked, Order, OrderError},
    time::Timestamp,
};

/// What time it is, as far as it can be told where the hub may lie. An order must not have expired by any of them.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// By the hub's word.
    pub hub: Timestamp,
    /// By the machine's own clock.
    pub machine: Timestamp,
    /// No earlier than this, by what both said before.
    pub sure: Timestamp,
}

/// Why a command that needs an order does not run.
#[derive(Debug, thiserror::Error)]
pub enum NotOrdered {
    /// Nobody signed it.
    #[error(
        "{0} runs here only by an order that an operator signed, and this has none (`pingup-server order` makes one)"
    )]
    Unsigned(String),
    /// What stands there is no order.
    #[error("its order cannot be read: {0}")]
    Unreadable(OrderError),
    /// A key that this machine does not know.
    #[error("its order is of {0}, which is none of this agent's operator keys")]
    Stranger(String),
    /// The signature is of something else.
    #[error(
        "its order is not of this: agent, action, params, timeoutSeconds, nonce or expiresAt are not what was signed"
    )]
    Forged,
    /// Its time is over.
    #[error(
        "its order expired at {expires_at}; it is {} by this machine's clock, {} by the hub's, and later than {} for sure",
        times.machine, times.hub, times.sure
    )]
    Expired {
        /// When.
        expires_at: Timestamp,
        /// What was known of the time.
        times: Times,
        /// By which it is used all the same: a clock may have been wrong.
        mark: Mark,
    },
    /// It ran before.
    #[error("its order was used before")]
    Used,
    /// It may have run before.
    #[error(
        "its order expires before others that this agent keeps no more of, so it may have been used before"
    )]
    Forgotten,
}

impl NotOrdered {
    /// What an operator signed, though it does not hold: it is used by being answered for.
    pub fn into_mark(self) -> Option<Mark> {
        match self {
            Self::Expired { mark, .. } => Some(mark),
            _ => None,
        }
    }
}

impl Signers {
    /// Whether `command` is what an operator ordered, now and for the first time; what must be remembered of it then. Only
    /// for actions that [need](Signers::demand) an order.
    pub fn judge(&self, command: &Command, times: Times, spent: &Spent) -> Result<Mark, NotOrdered> {
        let order = match &command.order {
            None | Some(serde_json::Value::Null) => return Err(NotOrdered::Unsigned(command.action.clone())),
            Some(order) => Order::read(order).map_err(NotOrdered::Unreadable)?,
        };
        if !self.know(&order.key_id) {
            return Err(NotOrdered::Stranger(order.key_id.to_string()));
        }
        let asked = Asked {
            agent_id: &command.agent_id,
            action: &command.action,
            params: &command.params,
            timeout_seconds: command.timeout_seconds,
        };
        order.verify(&asked).map_err(|error| match error {
            OrderError::NotSigned(_) => NotOrdered::Forged,
            error => NotOrdered::Unreadable(error),
        })?;
        let (expires_at, mark) = (order.expires_at, Mark::of(&order));
        if [times.hub, times.machine, times.sure].iter().any(|now| expires_at <= *now) {
            return Err(NotOrdered::Expired { expires_at, times, mark });
        }
        if spent.holds(&mark) {
            return Err(NotOrdered::Used);
        }
        if spent.has_forgotten(&mark) { Err(NotOrdered::Forgotten) } else { Ok(mark) }
    }
}

#[cfg(test)]
mod tests;
