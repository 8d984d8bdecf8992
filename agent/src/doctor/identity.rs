//! The key: whether the machine is enrolled, what it was given then can be used, and the hub knows it.

use super::{Check, hub::WITHIN};
use crate::{
    heartbeat,
    identity::Identity,
    join_token,
    transport::{Failure, Hub, Link},
};
use pingup_protocol::{enrol::Credentials, problem::ProblemType};
use std::{io, path::Path};
use tokio::time::timeout;

const NAME: &str = "key";
const AT_HUB: &str = "key at hub";
const ENROL: &str = "make a join token on the hub with `pingup-server join-token create`, and hand it to \
                     `pingup-agent install --join-token -` or `run`";

/// Examines the identity in the folder `state`; hands over one that can be used. `has_token` says whether the
/// settings bring a join token.
pub(super) fn check(state: &Path, has_token: bool) -> (Check, Option<Identity>) {
    let path = state.join("identity.json");
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return (absent(state, has_token), None),
        Err(error) => {
            let remedy = "call this as root, or as the user that the agent runs as";
            return (Check::fail(NAME, format!("{}: {error}", path.display()), remedy), None);
        }
    };
    let shown = path.display();
    let damaged = |what: String| {
        let remedy = "restore it; or empty the state folder and enrol with a token made with \
                      `pingup-server join-token create --replace ID`";
        (Check::fail(NAME, format!("{shown} is damaged: {what}"), remedy), None)
    };
    // What the error says of the text may be part of a key: only where it is.
    let credentials: Credentials = match serde_json::from_slice(&bytes) {
        Ok(credentials) => credentials,
        Err(error) => {
            return damaged(format!(
                "line {}, column {} is not what was written",
                error.line(),
                error.column()
            ));
        }
    };
    match Identity::new(&credentials) {
        Some(identity) => {
            let detail = format!("{}, generation {}", identity.agent_id, credentials.generation);
            (Check::ok(NAME, detail), Some(identity))
        }
        None => damaged("its keys are no keys".to_owned()),
    }
}

fn absent(state: &Path, has_token: bool) -> Check {
    match has_token || state.join(join_token::FILE).exists() {
        true => Check::warn(NAME, "not enrolled yet; a join token waits", "start the agent: it enrols then"),
        false => Check::fail(NAME, format!("not enrolled: no identity.json in {}", state.display()), ENROL),
    }
}

/// Whether the hub knows the key, and this machine the hub's: a heartbeat of long ago changes nothing, and is answered
/// and signed like any other.
pub(super) async fn at_hub(hub: Hub, identity: Identity) -> Check {
    let agent = identity.agent_id.to_string();
    let mut session = Link::new(hub, identity).session("doctor");
    let anew = format!(
        "enrol anew: empty the state folder, and use a token made with `pingup-server join-token create --replace {agent}`"
    );
    match timeout(WITHIN, Box::pin(heartbeat::of_long_ago(&mut session))).await {
        Ok(Ok(())) => Check::ok(AT_HUB, format!("the hub knows {agent}, and signs as it did at enrolment")),
        Ok(Err(failure)) => match (&failure, failure.kind()) {
            (_, Some(ProblemType::AgentRevoked)) => Check::fail(
                AT_HUB,
                failure.to_string(),
                "empty the state folder, and enrol with a new join token",
            ),
            (Failure::Refused(refusal), _) if !refusal.is_passing() => {
                Check::fail(AT_HUB, failure.to_string(), anew)
            }
            (Failure::Unverified(_), _) => {
                let remedy = format!(
                    "this is not the hub that enrolled the agent, or identity.json was changed. Check the address; else {anew}"
                );
                Check::fail(AT_HUB, failure.to_string(), remedy)
            }
            _ => Check::warn(AT_HUB, failure.to_string(), "ask again later"),
        },
        Err(_) => Check::warn(AT_HUB, format!("no answer within {} s", WITHIN.as_secs()), "ask again later"),
    }
}
