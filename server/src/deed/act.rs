//! What can be done: a closed list, with a word and a sentence for each.

macro_rules! acts {
    ($(#[doc = $what:literal] $variant:ident $name:literal;)*) => {
        /// What can be done, a closed list: who adds a deed adds its line.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Act { $(#[doc = $what] $variant,)* }

        impl Act {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The word for it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What that is, a sentence.
            pub const fn what(self) -> &'static str {
                match self { $(Self::$variant => $what.trim_ascii(),)* }
            }
        }
    };
}

acts! {
    /// An operator registered an agent.
    AgentRegistered "agent.registered";
    /// A machine enrolled itself with a join token.
    AgentEnrolled "agent.enrolled";
    /// A machine came with a join token made by `--rekey`: the agent stays who it is, with keys anew, and all before are dead.
    AgentRekeyed "agent.rekeyed";
    /// An operator changed an agent's name, metadata or labels.
    AgentChanged "agent.changed";
    /// An agent is gone, and its keys are dead: by an operator, or for the one that took its place.
    AgentRemoved "agent.removed";
    /// An agent is offered the next generation of its keys: an operator asked, the last was too old, or comes from the former master key.
    KeysOffered "keys.offered";
    /// The first message under keys that were offered: they are in use, and those before come to their end.
    KeysUsed "keys.used";
    /// Generations that came to their end, all of a sweep.
    KeysEnded "keys.ended";
    /// An operator called an agent's keys compromised: all are dead.
    KeysCompromised "keys.compromised";
    /// A command for one agent was queued.
    CommandQueued "command.queued";
    /// A command was taken back, or its agent asked to end it.
    CommandCancelled "command.cancelled";
    /// A command of no batch ended, by its agent's word.
    CommandEnded "command.ended";
    /// Commands that time alone ended, all of a sweep.
    CommandsLapsed "commands.lapsed";
    /// A command for many agents was queued, in one write.
    BatchQueued "batch.queued";
    /// What of a batch was not over was taken back.
    BatchCancelled "batch.cancelled";
    /// All commands of a batch are over.
    BatchEnded "batch.ended";
    /// An agent got a new version of its configuration.
    ConfigSet "config.set";
    /// An operator's token was made.
    TokenCreated "token.created";
    /// An operator's token was revoked.
    TokenRevoked "token.revoked";
    /// An operator's token that was made before tokens had rows came, and was taken in.
    TokenTakenIn "token.taken-in";
    /// A join token was made, for machines that enrol.
    JoinTokenCreated "join-token.created";
    /// Another master key is in force.
    MasterKeyRotated "master-key.rotated";
    /// The former master key was destroyed: nothing came from it any more, or what did was ended.
    MasterKeyRetired "master-key.retired";
    /// The master key's file was sealed with a passphrase.
    MasterKeySealed "master-key.sealed";
    /// The seal was taken off the master key's file.
    MasterKeyUnsealed "master-key.unsealed";
    /// The running hub took up another certificate.
    CertificateReplaced "certificate.replaced";
    /// The records were restored from a backup, into a new data folder.
    RecordsRestored "records.restored";
    /// Damaged files of the history were taken out.
    HistoryDropped "history.dropped";
    /// An operator deleted series that others wrote.
    SeriesDeleted "series.deleted";
    /// Somebody tried what they may not.
    RequestRefused "request.refused";
}

impl Act {
    /// The act of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|act| act.as_str() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acts_are_known_by_their_words_and_no_two_have_one() {
        for (place, act) in Act::ALL.iter().enumerate() {
            assert_eq!(Act::from_word(act.as_str()), Some(*act));
            assert!(Act::ALL[..place].iter().all(|before| before.as_str() != act.as_str()));
        }
        assert_eq!(Act::from_word("agent"), None);
    }

    #[test]
    fn every_act_is_explained_where_operators_read() {
        let (_, told) = include_str!("../../../docs/operations.md").split_once("## Who did what").unwrap();
        let (told, _) = told.split_once("\n## ").unwrap();
        let rows: Vec<_> = told.lines().filter_map(|line| line.strip_prefix("| `")).collect();
        for act in Act::ALL {
            let of_it: Vec<_> = rows
                .iter()
                .filter(|row| row.split_once('`').is_some_and(|row| row.0 == act.as_str()))
                .collect();
            assert_eq!(of_it.len(), 1, "{} has its row", act.as_str());
            assert!(of_it[0].contains(act.what()), "{}: {}", act.as_str(), act.what());
        }
        assert_eq!(rows.len(), Act::ALL.len(), "and nothing else has one");
    }
}
