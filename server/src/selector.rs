//! Whom an operator means without naming them: agents by label, state or name. Who asks is another room than who
//! knows; the registry answers, through a function that each is handed.

use crate::standing::AgentStatus;
use pingup_protocol::{labels::Labels, schema::SchemaError};
use serde::{Deserialize, Serialize};

/// Living agents to which all that is given applies. A member that is not known is refused: it was meant to narrow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Selector {
    /// They carry all of these.
    #[serde(default)]
    pub labels: Labels,
    /// They do so, by what was last written down; none is ever `revoked`.
    #[serde(default)]
    pub status: Option<AgentStatus>,
    /// With this in id, name or hostname, whatever the case of its ASCII letters.
    #[serde(default)]
    pub q: Option<String>,
}

impl Selector {
    /// Says what of it cannot be asked for, with `place` as its JSON Pointer. One that asks for nothing is refused:
    /// all agents are not meant by leaving something away.
    pub fn check(&self, place: &str) -> Result<(), SchemaError> {
        if self.status == Some(AgentStatus::Revoked) {
            return Err(SchemaError::at(format!("{place}/status"), "a state of living agents expected"));
        }
        if self.q.as_deref().unwrap_or_default().is_empty() && self.status.is_none() && self.labels.is_empty()
        {
            return Err(SchemaError::at(place, "at least one of labels, status and q expected"));
        }
        self.labels.check(&format!("{place}/labels"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn a_selector_asks_for_something() {
        let check = |body: Value| -> Result<(), String> {
            let selector: Selector = serde_json::from_value(body).map_err(|error| error.to_string())?;
            selector.check("/selector").map_err(|error| error.errors[0].pointer.clone())
        };
        for good in [json!({"labels": {"role": "web"}}), json!({"status": "online"}), json!({"q": "web"})] {
            assert_eq!(check(good), Ok(()));
        }
        for (bad, place) in [
            (json!({}), "/selector"),
            (json!({"labels": {}, "q": ""}), "/selector"),
            (json!({"status": "revoked"}), "/selector/status"),
            (json!({"labels": {"Role": "web"}}), "/selector/labels/Role"),
        ] {
            assert_eq!(check(bad), Err(place.to_owned()));
        }
        assert!(check(json!({"label": {"role": "web"}})).is_err_and(|text| text.contains("unknown field")));
    }
}
