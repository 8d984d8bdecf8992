//! TLS: whether the hub proves that it is the hub, by the rule that was set, and for how long it will.

use super::{Check, hub::WITHIN};
use crate::{
    clock::machine_time,
    settings::{HubUrl, HubUrlError, SettingsError, Trust},
    transport::{Failure, Hub, Shown},
};
use pingup_protocol::time::Timestamp;
use tokio::time::timeout;

const NAME: &str = "tls";
/// A certificate that ends sooner than this is told of: time to renew it by hand.
const ENDS_SOON_SECONDS: i64 = 14 * 86_400;

/// Of plain HTTP that `run` would refuse.
pub(super) fn refused(error: &HubUrlError) -> Check {
    let remedy = "https://, with the hub's pin or its authority's file; or insecure_http = true, on a network that you trust";
    Check::fail(NAME, error.to_string(), remedy)
}

/// The hub at `url`, if there is a rule by which it can be known.
pub(super) fn rule(url: &HubUrl, trust: &Result<Trust, SettingsError>) -> Result<Hub, Check> {
    let failed = |what: String| {
        let remedy = "take hub_pin from what the hub prints when it starts, or name the PEM file of its authority with hub_ca";
        Check::fail(NAME, what, remedy)
    };
    let trust = trust.as_ref().map_err(|error| failed(error.to_string()))?;
    Hub::new(url.clone(), trust.clone()).map_err(|error| failed(error.to_string()))
}

/// Examines what the hub shows over TLS; whether it may be spoken to.
pub(super) async fn check(hub: &Hub) -> (Check, bool) {
    match timeout(WITHIN, hub.show()).await {
        Ok(Ok(Some(shown))) => (judge(hub, &shown, machine_time()), true),
        Ok(Ok(None)) => (Check::ok(NAME, format!("the hub is known by {}", hub.known_by())), true),
        Ok(Err(failure @ Failure::Untrusted { .. })) => {
            let remedy = match hub.trust().pins() {
                [] => {
                    "compare with the certificate that the hub was given, and with its authority; the machine's clock must be right"
                }
                _ => {
                    "compare with the pin that the hub prints when it starts; if it is that one, hub_pin in the settings is old"
                }
            };
            (Check::fail(NAME, failure.to_string(), remedy), false)
        }
        Ok(Err(failure)) => {
            let remedy = "see that the hub runs, that the port is the one where it speaks TLS, and that no firewall stands in between";
            (Check::fail(NAME, failure.to_string(), remedy), false)
        }
        Err(_) => {
            let what = format!("{} did not end a handshake within {} s", hub.url(), WITHIN.as_secs());
            (Check::fail(NAME, what, "see that the hub speaks TLS there, and is not overloaded"), false)
        }
    }
}

/// Of plain HTTP that `run` takes.
pub(super) fn plain(url: &HubUrl) -> Check {
    match url.is_local() {
        true => Check::ok(NAME, "none: plain HTTP, which does not leave this machine"),
        false => Check::warn(
            NAME,
            "none: plain HTTP over the network, as --insecure-http allows. Payloads are signed, but for others to read",
            "https://, unless you trust the network",
        ),
    }
}

/// What was `shown` is trusted; here is said why, and until when.
fn judge(hub: &Hub, shown: &Shown, now: Timestamp) -> Check {
    let Shown { version, pin, validity } = shown;
    let known = format!("{version}; the hub is known by {}; its key is {pin}", hub.known_by());
    let Some((_, end)) = validity else { return Check::ok(NAME, known) };
    let says = format!("{known}; its certificate ends at {end}");
    let is_asked = hub.trust().pins().is_empty() || hub.trust().authorities().is_some();
    match (is_asked, *end < now.plus_seconds(ENDS_SOON_SECONDS)) {
        (true, true) => {
            Check::warn(NAME, says, "renew the hub's certificate before that: then nobody reaches it")
        }
        (true, false) => Check::ok(NAME, says),
        (false, _) => Check::ok(NAME, format!("{says}, which is not asked of a pinned key")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Outcome;
    use pingup_protocol::pin::Pin;

    #[test]
    fn a_certificate_that_ends_soon_is_told_of_where_it_counts() {
        let now = Timestamp::from_micros(1_800_000_000_000_000);
        let judged = |seconds| {
            let validity = Some((now.plus_seconds(-1), now.plus_seconds(seconds)));
            let shown = Shown { version: "TLS 1.3", pin: Pin::of(b"x"), validity };
            judge(&Hub::at("https://hub.example"), &shown, now)
        };
        assert_eq!(judged(ENDS_SOON_SECONDS).outcome, Outcome::Ok);
        let soon = judged(ENDS_SOON_SECONDS - 1);
        assert_eq!(soon.outcome, Outcome::Warn);
        assert!(soon.detail.contains("the system's authorities") && soon.remedy.is_some(), "{}", soon.detail);
    }
}
