//! The flags of scenarios that push samples: how many agents, over how many connections, how many at a time.

use crate::settings::{AGENTS_MAX, CONNECTIONS_MAX, SettingsError, check_connections, number};
use clap::Args;
use pingup_protocol::limits::BATCH_SAMPLES_MAX;

/// Who pushes, and how; what counts unless said otherwise is the scenario's.
#[derive(Args)]
pub(crate) struct Pushers<const AGENTS: usize, const CONNECTIONS: usize, const BATCH: usize> {
    /// Agents to register
    #[arg(long, env = "PINGUP_AGENTS", value_name = "N", default_value = text(AGENTS),
          value_parser = number::<1, AGENTS_MAX>)]
    pub(crate) agents: usize,
    /// Keep-alive connections
    #[arg(long, env = "PINGUP_CONNECTIONS", value_name = "N", default_value = text(CONNECTIONS),
          value_parser = number::<1, CONNECTIONS_MAX>)]
    pub(crate) connections: usize,
    /// Samples in one request
    #[arg(long, env = "PINGUP_BATCH", value_name = "N", default_value = text(BATCH),
          value_parser = number::<1, { BATCH_SAMPLES_MAX as u64 }>)]
    pub(crate) batch: usize,
}

impl<const AGENTS: usize, const CONNECTIONS: usize, const BATCH: usize> Pushers<AGENTS, CONNECTIONS, BATCH> {
    /// What counts unless said otherwise, with so many agents.
    pub(crate) const fn of(agents: usize) -> Self {
        Self { agents, connections: CONNECTIONS, batch: BATCH }
    }

    /// Refuses connections that would have no agent.
    pub(crate) const fn check(&self) -> Result<(), SettingsError> {
        check_connections(self.connections, self.agents)
    }
}

/// A default as clap takes it. Its own way, `default_value_t`, keeps one text for every instance of a generic type:
/// all scenarios would have the defaults of whichever is asked first. It is kept as long as the program runs.
fn text(number: usize) -> &'static str {
    Box::leak(number.to_string().into_boxed_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Scenario<const AGENTS: usize, const CONNECTIONS: usize, const BATCH: usize> {
        #[command(flatten)]
        pushers: Pushers<AGENTS, CONNECTIONS, BATCH>,
    }

    fn defaults<const AGENTS: usize, const CONNECTIONS: usize, const BATCH: usize>() -> [usize; 3] {
        let read = Scenario::<AGENTS, CONNECTIONS, BATCH>::try_parse_from(["scenario"]).unwrap();
        let Pushers { agents, connections, batch } = read.pushers;
        [agents, connections, batch]
    }

    #[test]
    fn each_scenario_has_defaults_of_its_own() {
        assert_eq!(defaults::<5_000, 256, 1>(), [5_000, 256, 1]);
        assert_eq!(defaults::<1_000, 32, 500>(), [1_000, 32, 500]);
    }
}
