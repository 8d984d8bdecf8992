//! Who speaks to a hub: its command line, operators, agents; and what of theirs is secret.

use super::{Hub, agent, program, wire::Wire};
use std::process::Output;

/// Characters that nothing told has by chance.
const SECRET_CHARS_MIN: usize = 40;

impl Hub {
    /// Runs another subcommand on this hub's folder.
    pub fn run(&self, arguments: &[&str]) -> Output {
        program().args(arguments).arg("--data-dir").arg(self.folder()).output().unwrap()
    }

    /// Runs a subcommand that prints one line.
    pub fn line(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        let said = String::from_utf8(output.stdout).unwrap().trim().to_owned();
        match arguments {
            ["token", ..] => self.keep_secret(&said),
            ["join-token", ..] => self.keep_secret(join_secret(&said)),
            _ => {}
        }
        said
    }

    /// Notes a text that neither an answer nor the log may have.
    pub fn keep_secret(&self, secret: &str) {
        assert!(secret.len() >= SECRET_CHARS_MIN, "so short a text is in every answer");
        self.secrets.lock().unwrap().push(secret.to_owned());
    }

    /// Checks that `told` has none of the secrets that were made.
    #[track_caller]
    pub fn assert_no_secret(&self, told: &str) {
        for secret in self.secrets.lock().unwrap().iter() {
            assert!(!told.contains(secret.as_str()), "a secret is told: {told}");
        }
    }

    /// An operator's token of that role.
    pub fn token(&self, role: &str) -> String {
        self.line(&["token", "create", "--role", role, "--name", role])
    }

    /// An operator of that role.
    pub fn operator(&self, role: &str) -> Wire {
        self.wire.with_token(&self.token(role))
    }

    /// A join token for one use.
    pub fn join_token(&self) -> String {
        self.line(&["join-token", "create", "--token-only"])
    }

    /// Registers an agent as an operator does.
    pub fn register(&self, id: &str) -> agent::Agent {
        let answer = self.operator("operator").post("/api/v1/agents", &serde_json::json!({ "id": id }));
        assert_eq!(answer.status, 201, "{answer:?}");
        let credentials = &answer.json()["credentials"];
        self.keep_secret(credentials["token"].as_str().unwrap());
        for key in credentials["keys"].as_object().unwrap().values() {
            self.keep_secret(key.as_str().unwrap());
        }
        agent::Agent::new(self.wire.clone(), credentials)
    }
}

/// The secret of a join token, `pjt_<id>_<secret>`: what names it is none, and the secret may have `_` itself.
pub fn join_secret(token: &str) -> &str {
    token.splitn(3, '_').nth(2).unwrap()
}

#[test]
fn a_secret_is_kept_whole() {
    assert_eq!(join_secret("pjt_a1_b_c_"), "b_c_");
}
