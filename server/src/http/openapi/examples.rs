//! One example of each JSON body of the hub's own API, both ways. They stand in `examples.json` by method and path; a story in the
//! tests sends what is asked and compares what is answered, so they are what the hub takes and says.

use crate::http::route::Route;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// The examples of one route.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Pair {
    request: Option<Value>,
    answer: Option<Value>,
}

/// All examples.
pub(super) struct Examples(BTreeMap<String, Pair>);

impl Examples {
    pub(super) fn read() -> Self {
        // It is part of the program; a test reads it too.
        Self(serde_json::from_str(include_str!("examples.json")).unwrap_or_default())
    }

    /// What somebody may send there.
    pub(super) fn request(&self, route: &Route) -> Option<Value> {
        self.of(route)?.request.clone()
    }

    /// What is then answered, as the first of the route's answers.
    pub(super) fn answer(&self, route: &Route) -> Option<Value> {
        self.of(route)?.answer.clone()
    }

    fn of(&self, route: &Route) -> Option<&Pair> {
        self.0.get(&format!("{} {}", route.method, route.path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{respond::Representation, router::table, rules::Dialect};
    use std::collections::BTreeSet;

    /// What answers with this document cannot have an example of itself.
    const ITSELF: &str = "/api/v1/openapi.json";

    #[test]
    fn every_json_body_of_the_hubs_own_api_has_an_example_and_nothing_else_has() {
        let examples = Examples::read();
        let mut named = BTreeSet::new();
        for route in table() {
            named.insert(format!("{} {}", route.method, route.path));
            if route.rules.dialect != Dialect::Pingup || route.path == ITSELF {
                continue;
            }
            let (takes, gives) =
                (route.rules.body_bytes_max.is_some(), route.rules.offers.contains(&Representation::Json));
            let said = (examples.request(&route).is_some(), examples.answer(&route).is_some());
            assert_eq!(said, (takes, gives), "{} {}", route.method, route.path);
        }
        assert!(!examples.0.is_empty() && examples.0.keys().all(|key| named.contains(key)));
    }
}
