//! What the dashboards and alert rules ask, with everything chosen that there is.

use crate::grafana::{dashboards, macros::filled, names, rules};
use pingup_promql::{METRIC_NAME, Query, Test};
use std::collections::BTreeSet;

/// Every expression, each once.
pub fn expressions() -> BTreeSet<String> {
    let boards = dashboards::all();
    let asked = boards.iter().flat_map(dashboards::expressions).map(|(expression, _)| filled(expression));
    asked.chain(rules::expressions()).collect()
}

/// Measurements that give the series which are named, beside those that a scene measures by itself. What the hub tells of
/// itself is among them: so its dashboard has data here too.
pub fn measurements() -> Vec<String> {
    let mut found: BTreeSet<String> = names::MEASUREMENTS.iter().map(|name| (*name).to_owned()).collect();
    for expression in expressions() {
        let query = Query::parse(&expression).unwrap_or_else(|error| panic!("{expression}: {error}"));
        let matchers = query.selectors().flatten().filter(|matcher| matcher.name == METRIC_NAME);
        let named = matchers.filter_map(|matcher| match &matcher.test {
            Test::Equal(name) => name.strip_prefix("pingup_").map(str::to_owned),
            _ => None,
        });
        found.extend(named.filter(|name| !names::is_column(&format!("pingup_{name}"))));
    }
    found.into_iter().collect()
}
