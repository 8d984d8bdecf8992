//! Who can be asked about: found by asking the hub.

use super::kinds::Span;
use crate::{
    api::{Api, ListedAgent},
    error::LoadError,
    measured::mix,
    progress,
};

/// Who can be asked about.
#[derive(Clone)]
pub(super) struct Store {
    /// Their ids.
    pub(super) agents: Vec<String>,
    /// Those of them that scan.
    pub(super) with_scans: Vec<String>,
    /// When they measured.
    pub(super) span: Span,
}

impl Store {
    /// The agents that a fill made, or else all; those with scans; and when the newest sample was taken.
    pub(super) async fn find(api: &mut Api) -> Result<Self, LoadError> {
        let listed = api.agents().await?;
        let filled =
            |agent: &&ListedAgent| agent.name.as_deref().is_some_and(|name| name.starts_with("fill-"));
        let mut agents: Vec<_> = listed.iter().filter(filled).map(|agent| agent.id.clone()).collect();
        if agents.is_empty() {
            agents = listed.into_iter().map(|agent| agent.id).collect();
        }
        let end = api
            .newest(agents.first().ok_or(LoadError::Nothing("the hub has no agents to ask about"))?)
            .await?;
        let spinner = progress::spinner("looking for scans");
        let mut with_scans = Vec::new();
        for id in &agents {
            if api.has_scans(id).await? {
                with_scans.push(id.clone());
            }
        }
        spinner.finish_and_clear();
        Ok(Self { agents, with_scans, span: Span { end: end.plus_seconds(1) } })
    }
}

/// One of `ids`, which follows from `random`; none where there are none.
pub(super) fn pick(ids: &[String], random: u64) -> Option<&str> {
    let place = mix(random) % (ids.len() as u64).max(1);
    ids.get(usize::try_from(place).ok()?).map(String::as_str)
}
