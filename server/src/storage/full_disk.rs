//! For tests: a disk that fills up, for real: files that may not grow beyond a limit.
//!
//! The limit is the process's (`RLIMIT_FSIZE`), so a story of it is told in a process of its own, started with
//! the signal for it ignored: writes then fail with "File too large", as with "No space left".

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::process::Command;

/// From now on no file of this process grows beyond `bytes`; `None` lifts the limit.
pub(crate) fn limit_file_size(bytes: Option<u64>) {
    let maximum = getrlimit(Resource::Fsize).maximum;
    setrlimit(Resource::Fsize, Rlimit { current: bytes.or(maximum), maximum }).expect("the limit can be set");
}

/// Runs the test `story`, which is ignored otherwise, alone in a process of its own.
#[track_caller]
pub(crate) fn tell(story: &str) {
    let told = Command::new("sh")
        .args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().expect("the tests' own program"))
        .args(["--exact", story, "--ignored", "--nocapture"])
        .output()
        .expect("it starts once more");
    let said = String::from_utf8_lossy(&told.stdout);
    assert!(told.status.success(), "{said}{}", String::from_utf8_lossy(&told.stderr));
    assert!(said.contains("1 passed"), "the story was not found: {said}");
}
