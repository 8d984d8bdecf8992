//! What of all that happens a stream is to tell: `types=agent,command`, `agentId=`.

use super::{Event, Type};
use crate::http::{problem::Refusal, query::Params};
use pingup_protocol::ids::AgentId;

/// Lets events through that are of one of these types, and of this agent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// All types without it.
    pub types: Option<Vec<Type>>,
    /// All agents without it.
    pub agent_id: Option<AgentId>,
}

impl Filter {
    /// Reads the question's parameters. An agent that does not exist may come yet; what is no id cannot.
    pub fn read(params: &Params) -> Result<Self, Refusal> {
        let types = params.text("types").map(|list| list.split(',').map(type_of).collect()).transpose()?;
        let agent_id = params.text("agentId").map(AgentId::parse).transpose();
        let agent_id = agent_id.map_err(|error| Refusal::parameter("agentId", error.to_string()))?;
        Ok(Self { types, agent_id })
    }

    /// Whether `event` is wanted.
    pub fn lets_through(&self, event: &Event) -> bool {
        self.types.as_ref().is_none_or(|types| types.contains(&event.kind()))
            && self.agent_id.as_ref().is_none_or(|agent_id| agent_id == event.agent_id())
    }
}

fn type_of(word: &str) -> Result<Type, Refusal> {
    Type::ALL.into_iter().find(|kind| kind.as_str() == word.trim()).ok_or_else(|| {
        let words = Type::ALL.map(Type::as_str).join(", ");
        Refusal::parameter("types", format!("some of {words} expected, with commas between"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_and_agents_are_read_or_refused_by_name() {
        let read = |query: &str| Filter::read(&Params::parse(query));
        assert_eq!(read("").unwrap(), Filter::default());
        let some = read("types=scan,%20agent&agentId=web-1").unwrap();
        assert_eq!(some.types, Some(vec![Type::Scan, Type::Agent]));
        assert_eq!(some.agent_id, AgentId::parse("web-1").ok());
        for (query, name) in
            [("types=scans", "types"), ("types=agent,", "types"), ("agentId=a%20b", "agentId")]
        {
            let detail = read(query).unwrap_err().problem().detail.clone();
            assert!(detail.starts_with(&format!("query parameter {name}: ")), "{query}: {detail}");
        }
    }
}
