//! The allow-list: the actions that may run on this machine, whatever the hub says.

use std::{collections::BTreeSet, fmt};

/// Every action that this version can carry out.
pub const ACTIONS: [&str; 5] = ["ping", "collect_now", "run_discovery", "restart_service", "exec"];
/// Those that do not change the machine: what may run unless told otherwise.
const HARMLESS: [&str; 3] = ["ping", "collect_now", "run_discovery"];

/// Why words are no allow-list.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no action {0:?}; there are: {known}", known = ACTIONS.join(", "))]
pub struct AllowListError(String);

/// The actions that may run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowList(BTreeSet<&'static str>);

impl Default for AllowList {
    fn default() -> Self {
        Self(HARMLESS.into())
    }
}

impl AllowList {
    /// The list of these `words`.
    pub fn parse(words: &[String]) -> Result<Self, AllowListError> {
        let known = |word: &String| {
            let found = ACTIONS.into_iter().find(|action| *action == word.trim());
            found.ok_or_else(|| AllowListError(word.clone()))
        };
        words.iter().map(known).collect::<Result<_, _>>().map(Self)
    }

    /// Whether `action` may run.
    pub fn permits(&self, action: &str) -> bool {
        self.0.contains(action)
    }

    /// What of it `kept` names as well.
    pub fn narrowed(&self, kept: &[String]) -> Self {
        Self(self.0.iter().copied().filter(|action| kept.iter().any(|word| word == action)).collect())
    }
}

impl fmt::Display for AllowList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.is_empty() {
            true => f.write_str("empty"),
            false => f.write_str(&self.0.iter().copied().collect::<Vec<_>>().join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_changes_the_machine_runs_unless_told() {
        let list = AllowList::default();
        assert!(list.permits("ping") && list.permits("collect_now") && list.permits("run_discovery"));
        assert!(!list.permits("exec") && !list.permits("restart_service") && !list.permits(""));
    }

    #[test]
    fn narrowing_never_widens() {
        let list = AllowList::parse(&["ping".into(), " exec".into()]).unwrap();
        let narrowed = list.narrowed(&["exec".into(), "restart_service".into()]);
        assert_eq!(narrowed.to_string(), "exec");
        assert_eq!(narrowed.narrowed(&[]).to_string(), "empty");
        assert_eq!(AllowList::parse(&["rm".into()]), Err(AllowListError("rm".into())));
    }
}
