//! Room for many connections: the soft limit on open files is raised to the hard one.
//!
//! Many systems give a program 1 024 files unless it asks for more. When the system says no, the run goes
//! on, and a connection that cannot be opened says so itself.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the limit as far as the system allows without being root.
pub(crate) fn raise_limit() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // A refusal costs nothing here: see the story above.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

/// How many files this process, and a hub that it starts, may have open; none: any number.
pub(crate) fn granted() -> Option<u64> {
    getrlimit(Resource::Nofile).maximum
}
