//! Who sits at the command line: what is done there stands in the audit under the name of a user of this machine.

use crate::deed::{By, Who};
use rustix::process::{Uid, getuid};
use std::fs;

/// Users, a line each: name, password, number, and more.
const USERS: &str = "/etc/passwd";

/// Whoever runs this program. The system says the number; the name is for people.
pub(super) fn by() -> By {
    let uid = getuid();
    let users = fs::read_to_string(USERS).unwrap_or_default();
    By { who: Who::CommandLine(named(uid, &users)), address: None }
}

fn named(uid: Uid, users: &str) -> String {
    let number = uid.as_raw().to_string();
    let mut lines = users.lines().map(|line| line.split(':'));
    let name = lines.find_map(|mut fields| {
        let name = fields.next()?;
        (fields.nth(1)? == number).then_some(name)
    });
    name.map_or_else(|| format!("uid {number}"), |name| format!("{name} (uid {number})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_has_a_number_and_perhaps_a_name() {
        let users = "root:x:0:0:root:/root:/bin/sh\nbroken\nada:x:1000:1000::/home/ada:/bin/sh\n";
        for (uid, name) in [(0, "root (uid 0)"), (1000, "ada (uid 1000)"), (7, "uid 7")] {
            assert_eq!(named(Uid::from_raw(uid), users), name);
        }
    }
}
