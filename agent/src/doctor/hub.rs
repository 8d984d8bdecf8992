//! The hub: whether it is named, found, trusted, reached; whether it is one; what time it has; and whether it knows the key.

use super::{Check, tls};
use crate::{
    clock::machine_time,
    identity::Identity,
    settings::{Draft, HubUrl, HubUrlError},
    transport::{Connection, Failure, Method, for_log},
};
use pingup_protocol::{limits::FUTURE_SECONDS_MAX, time::Timestamp};
use serde::Deserialize;
use std::{net::IpAddr, time::Duration};
use tokio::time::timeout;

/// How long each question may take.
pub(super) const WITHIN: Duration = Duration::from_secs(5);
/// Seconds that the clocks may be apart before anyone need know: beyond this samples look misplaced beside others'.
const APART_SECONDS_MAX: i64 = 30;
/// Addresses of a name that are told.
const ADDRESSES_MAX: usize = 4;

/// Of what `GET /health` answers, what is needed to know a hub by.
#[derive(Deserialize)]
struct Health {
    status: String,
    version: String,
}

/// Examines everything about the hub; what one check needs that failed is not examined any further.
pub(super) async fn checks(draft: &Draft, identity: Option<Identity>) -> Vec<Check> {
    let (check, url) = address(draft.hub.as_ref());
    let mut checks = vec![check];
    let Some(url) = url else { return checks };
    let hub = match tls::rule(&url, &draft.trust) {
        Ok(hub) => hub,
        Err(check) => {
            checks.push(check);
            return checks;
        }
    };
    let is_plain = url.tls_name().is_none();
    checks.extend(is_plain.then(|| tls::plain(&url)));
    let (check, found) = resolve(&url).await;
    checks.push(check);
    if !found {
        return checks;
    }
    if !is_plain {
        let (check, trusted) = tls::check(&hub).await;
        checks.push(check);
        if !trusted {
            return checks;
        }
    }
    let mut connection = Connection::new(hub.clone());
    let (check, reached) = health(&mut connection, &url).await;
    checks.push(check);
    if !reached {
        return checks;
    }
    checks.push(clock(&mut connection).await);
    if let Some(identity) = identity {
        checks.push(super::identity::at_hub(hub, identity).await);
    }
    checks
}

fn address(hub: Option<&Result<HubUrl, HubUrlError>>) -> (Check, Option<HubUrl>) {
    let written = "hub = \"https://HOST:PORT\" in the settings, or --hub";
    match hub {
        None => (Check::fail("hub", "nobody said where it is", written), None),
        Some(Err(error @ HubUrlError::Malformed(_))) => {
            (Check::fail("hub", error.to_string(), written), None)
        }
        Some(Err(error @ HubUrlError::Plain(_))) => (tls::refused(error), None),
        Some(Ok(url)) => (Check::ok("hub", url.to_string()), Some(url.clone())),
    }
}

async fn resolve(url: &HubUrl) -> (Check, bool) {
    let (host, port) = url.address();
    if host.parse::<IpAddr>().is_ok() {
        return (Check::ok("name", format!("{host} is an address: there is nothing to look up")), true);
    }
    let failed = |why: String| {
        let remedy =
            "check the spelling in the settings, /etc/hosts, and the name servers in /etc/resolv.conf";
        (Check::fail("name", format!("{host} {why}"), remedy), false)
    };
    match timeout(WITHIN, tokio::net::lookup_host((host, port))).await {
        Err(_) => failed(format!("was not found within {} s", WITHIN.as_secs())),
        Ok(Err(error)) => failed(format!("is not found: {error}")),
        Ok(Ok(found)) => {
            let found: Vec<String> =
                found.take(ADDRESSES_MAX).map(|address| address.ip().to_string()).collect();
            match found.is_empty() {
                true => failed("has no address".to_owned()),
                false => (Check::ok("name", format!("{host} is {}", found.join(", "))), true),
            }
        }
    }
}

async fn health(connection: &mut Connection, url: &HubUrl) -> (Check, bool) {
    let asked = timeout(WITHIN, connection.call(Method::Get, "/health", None, WITHIN)).await;
    let stranger = |what: String| {
        let remedy =
            "check the port in the settings: another program listens there, or something stands in between";
        (Check::fail("connection", what, remedy), false)
    };
    match asked {
        Ok(Ok((body, took))) => match serde_json::from_slice::<Health>(&body) {
            Ok(Health { status, version }) => {
                let (status, version) = (for_log(&status), for_log(&version));
                let millis = took.as_millis();
                (
                    Check::ok(
                        "connection",
                        format!("a hub of version {version}, {status}, after {millis} ms"),
                    ),
                    true,
                )
            }
            Err(_) => stranger(format!("what answers at {url} is no pingup hub")),
        },
        Ok(Err(Failure::Refused(refusal))) if refusal.status == 503 => {
            let what = "the hub answers, and says that it is not well".to_owned();
            (
                Check::warn(
                    "connection",
                    what,
                    "look at its /health and its log; samples wait here meanwhile",
                ),
                true,
            )
        }
        Ok(Err(Failure::Refused(refusal))) => {
            stranger(format!("what answers at {url} is no pingup hub: status {} to /health", refusal.status))
        }
        Ok(Err(failure)) => {
            let remedy =
                "see that the hub runs, that the port is right, and that no firewall stands in between";
            (Check::fail("connection", failure.to_string(), remedy), false)
        }
        Err(_) => {
            let remedy = "see that the hub is not overloaded, and that no firewall drops what is sent";
            (
                Check::fail(
                    "connection",
                    format!("{url} did not answer within {} s", WITHIN.as_secs()),
                    remedy,
                ),
                false,
            )
        }
    }
}

/// What time the hub has: it says so in every refusal, and without a token this is one.
async fn clock(connection: &mut Connection) -> Check {
    let asked = timeout(WITHIN, connection.call(Method::Get, "/api/v1/agents", None, WITHIN)).await;
    let told = match &asked {
        Ok(Err(failure)) => failure.refusal().and_then(|refusal| refusal.server_time),
        _ => None,
    };
    match told {
        Some(hub) => judge_clock(hub, machine_time()),
        None => Check::warn(
            "clock",
            "the hub did not say what time it has",
            "ask again; see that it is a pingup hub",
        ),
    }
}

fn judge_clock(hub: Timestamp, here: Timestamp) -> Check {
    let apart = here.as_micros().saturating_sub(hub.as_micros()) / 1_000_000;
    let said = match apart {
        0 => "as the hub's, to the second".to_owned(),
        1.. => format!("{apart} s ahead of the hub's"),
        _ => format!("{} s behind the hub's", apart.unsigned_abs()),
    };
    let remedy = "set whichever is wrong, and keep it right: `timedatectl set-ntp true`, or chrony";
    match apart.saturating_abs() {
        ..=APART_SECONDS_MAX => Check::ok("clock", said),
        apart if apart <= FUTURE_SECONDS_MAX => Check::warn("clock", said, remedy),
        _ => Check::fail("clock", said, remedy),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Outcome;

    #[test]
    fn clocks_may_be_a_little_apart() {
        let hub = Timestamp::from_micros(1_800_000_000_000_000);
        for (apart, outcome) in [
            (0, Outcome::Ok),
            (30, Outcome::Ok),
            (-30, Outcome::Ok),
            (31, Outcome::Warn),
            (-300, Outcome::Warn),
            (301, Outcome::Fail),
            (-600, Outcome::Fail),
        ] {
            assert_eq!(judge_clock(hub, hub.plus_seconds(apart)).outcome, outcome, "{apart}");
        }
        assert!(judge_clock(hub, hub.plus_seconds(-600)).detail.starts_with("600 s behind"));
    }

    #[test]
    fn what_is_said_of_the_address_holds_no_password() {
        let url = HubUrl::parse("http://user:secret@host", true);
        let (check, found) = address(Some(&url));
        assert!(found.is_none() && !check.detail.contains("secret"), "{}", check.detail);
    }
}
