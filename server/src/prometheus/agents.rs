//! Whose series there are, and what they are called: `agent_id`, `instance` (its name, else its id) and
//! `job="pingup"`. What else is known of an agent labels one series alone, `pingup_agent_info`, so that a change of it
//! does not end all others.
//!
//! Labels are those of now, also for what was measured before: who is renamed, is renamed in the past as well. An agent
//! that was removed keeps its series, under the name it had; one of which only the history knows goes by its id.

use pingup_promql::Labels;
use pingup_protocol::{ids::AgentId, time::Timestamp};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Agents that series are named by at most, some 500 bytes each; beyond it, by their ids.
pub const AGENTS_MAX: usize = 65_536;
/// The value of `job`.
const JOB: &str = "pingup";

/// An agent, living or removed, as the records know it.
#[derive(Clone, Debug, PartialEq)]
pub struct Agent {
    /// Its id.
    pub id: AgentId,
    /// Its name for people.
    pub name: Option<String>,
    /// What its machine says of itself: label and value.
    pub facts: Vec<(&'static str, String)>,
    /// By what it is grouped: name and value.
    pub labels: Vec<(String, String)>,
    /// When it came, by the hub's clock.
    pub created_at: Timestamp,
    /// When it was removed.
    pub removed_at: Option<Timestamp>,
    /// When it said farewell, by its own clock, oldest first: a bounded number of the newest.
    pub farewells: Vec<Timestamp>,
}

/// An agent's labels, shared by its series.
#[derive(Clone, Debug)]
pub(super) struct Person {
    pub(super) id: Box<str>,
    /// Of what it measured.
    pub(super) labels: Labels,
    /// Of what is known of it, and from when until when, milliseconds; nothing for one of which only the history knows.
    pub(super) info: Option<(Labels, i64, i64)>,
    /// When it said farewell, milliseconds, ascending.
    pub(super) farewells: Vec<i64>,
}

/// Everybody at one moment, by id.
#[derive(Debug, Default)]
pub(super) struct People(BTreeMap<Box<str>, Arc<Person>>);

impl People {
    pub(super) fn new(agents: Vec<Agent>) -> Self {
        Self(
            agents
                .into_iter()
                .map(|agent| (agent.id.as_str().into(), Arc::new(Person::new(agent))))
                .collect(),
        )
    }

    /// Who has this id.
    pub(super) fn get(&self, id: &str) -> Arc<Person> {
        self.0.get(id).cloned().unwrap_or_else(|| Arc::new(Person::unknown(id)))
    }

    /// All that the records know, by id.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Person>> {
        self.0.values()
    }
}

impl Person {
    fn new(agent: Agent) -> Self {
        let labels = identity(agent.id.as_str(), agent.name.as_deref());
        let until = agent.removed_at.map_or(i64::MAX, |at| millis(at.as_micros()));
        let mut seen = BTreeSet::new();
        let grouped = agent.labels.into_iter().map(|(name, value)| (label_name(&name), value));
        // Of two that become the same the first counts.
        let grouped = grouped.filter(|(name, _)| seen.insert(name.clone()));
        let own = labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        let facts = agent.facts.into_iter().map(|(name, value)| (name.to_owned(), value));
        let info = Labels::new(own.chain(facts).chain(grouped));
        let from = millis(agent.created_at.as_micros());
        let farewells = agent.farewells.iter().map(|at| millis(at.as_micros())).collect();
        Self { id: agent.id.as_str().into(), labels, info: Some((info, from, until)), farewells }
    }

    fn unknown(id: &str) -> Self {
        Self { id: id.into(), labels: identity(id, None), info: None, farewells: Vec::new() }
    }
}

fn identity(id: &str, name: Option<&str>) -> Labels {
    let instance = name.filter(|name| !name.is_empty()).unwrap_or(id);
    Labels::new([("agent_id", id), ("instance", instance), ("job", JOB)])
}

/// A label of an agent as a label of a series: dots and hyphens become underscores.
fn label_name(name: &str) -> String {
    format!("label_{}", name.replace(['.', '-'], "_"))
}

/// Whole milliseconds, those that a moment lies in.
pub(super) const fn millis(micros: i64) -> i64 {
    micros.div_euclid(1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(name: Option<&str>) -> Agent {
        let label = |name: &str| (name.to_owned(), format!("<{name}>"));
        Agent {
            id: AgentId::parse("a-1").unwrap(),
            name: name.map(str::to_owned),
            facts: vec![("hostname", "web".to_owned()), ("os", String::new())],
            labels: vec![label("site-a"), label("site.a"), label("role")],
            created_at: Timestamp::from_micros(1_999),
            removed_at: None,
            farewells: vec![Timestamp::from_micros(-1)],
        }
    }

    #[test]
    fn a_series_is_called_by_its_agents_name_and_only_info_by_what_changes() {
        let people = People::new(vec![agent(Some("Web"))]);
        let person = people.get("a-1");
        assert_eq!(person.labels.to_string(), r#"{agent_id="a-1", instance="Web", job="pingup"}"#);
        let (info, from, until) = person.info.clone().unwrap();
        assert_eq!((from, until, &person.farewells[..]), (1, i64::MAX, &[-1][..]));
        let expected = r#"{agent_id="a-1", hostname="web", instance="Web", job="pingup", label_role="<role>", label_site_a="<site-a>"}"#;
        assert_eq!(info.to_string(), expected);
    }

    #[test]
    fn who_has_no_name_goes_by_the_id() {
        for name in [None, Some("")] {
            assert_eq!(Person::new(agent(name)).labels.get("instance"), "a-1");
        }
        let stranger = People::default().get("b");
        assert_eq!((stranger.labels.get("instance"), stranger.info.is_none()), ("b", true));
    }
}
