//! Programs that end by themselves, that are ended, and what they leave behind.

use super::*;
use crate::{execute::output::CUT, stop};
use group::Stat;
use pingup_protocol::limits::OUTPUT_BYTES_MAX;
use rustix::process::{Pid, Signal};

const AMPLE: Duration = Duration::from_secs(60);
/// For those who do not use it.
const SHORT: Duration = Duration::from_millis(300);
/// A program that ends as soon as it is asked to, and one that it started, which first tidies up for a while. What shells
/// remark of a `sleep` that was ended comes at any moment, so it is kept out of what is looked at.
const LEADER_GOES_FIRST: &str = r#"trap 'echo leader went; exit 0' TERM
    sh -c 'trap "sleep 0.3; echo child tidied; exit 0" TERM; echo begun; while :; do sleep 0.05; done' 2>/dev/null & wait; wait"#;

async fn shell(script: &str, within: Duration) -> Ended {
    start(&["sh".into(), "-c".into(), script.into()], within).await.unwrap()
}

async fn start(argv: &[String], within: Duration) -> Result<Ended, String> {
    let ((_stopper, stop), (_canceller, cancel)) = (stop::channel(), stop::channel());
    run(argv, &Ending::new(&stop, &cancel, within), &SoFar::default()).await
}

/// A shell that is cancelled once it has said something, and has `grace` from then on.
async fn cancelled(script: &str, grace: Duration) -> Ended {
    let ((_stopper, stop), (canceller, cancel)) = (stop::channel(), stop::channel());
    let (argv, so_far) = (["sh", "-c", script].map(String::from), SoFar::default());
    let ending = Ending::new(&stop, &cancel, AMPLE);
    let (ended, ()) = tokio::join!(run_with(&argv, &ending, &so_far, grace), async {
        while so_far.piece(0).is_empty() {
            tokio::task::yield_now().await;
        }
        canceller.stop();
    });
    ended.unwrap()
}

/// Waits until this process, which a script named, is gone.
async fn gone(pid: &str) {
    let pid = Pid::from_raw(pid.parse().unwrap()).unwrap();
    let stat = || std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
    let gone = || Stat::read(&stat()).is_none_or(|stat| stat.has_ended);
    timeout(AMPLE, async {
        while !gone() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
}

#[test]
fn a_process_is_read_whatever_its_name() {
    let read = |stat| Stat::read(stat).map(|stat| stat.has_ended);
    assert_eq!(read("17 (sh) S 1 17 17 0"), Some(false));
    assert_eq!(read("17 (a) Z (b) Z 1 17 17 0"), Some(true));
    assert_eq!(read("17 (sh)"), None);
}

#[tokio::test]
async fn both_outputs_and_the_exit_code_come_back() {
    let ended = shell("echo one; echo two >&2; echo three; exit 3", AMPLE).await;
    assert_eq!((ended.exit_code, ended.output.as_str()), (Some(3), "one\ntwo\nthree\n"));
}

#[tokio::test]
async fn there_is_nothing_on_stdin_and_no_shell_in_between() {
    assert_eq!(start(&["cat".into()], AMPLE).await.unwrap().output, "");
    let ended = start(&["echo".into(), "$HOME; ls".into()], AMPLE).await.unwrap();
    assert_eq!(ended.output, "$HOME; ls\n");
    assert!(start(&["/nowhere/at-all".into()], AMPLE).await.unwrap_err().contains("cannot run"));
}

#[tokio::test]
async fn endless_output_is_cut_and_the_program_still_ends() {
    let ended = shell("yes | head -c 1000000; echo done", AMPLE).await;
    assert_eq!(ended.exit_code, Some(0));
    assert!(ended.output.len() <= OUTPUT_BYTES_MAX && ended.output.ends_with(CUT));
}

#[tokio::test]
async fn a_program_that_takes_too_long_goes_with_all_it_started() {
    let script = "sleep 600 & echo $!; echo so far; wait";
    let ended = shell(script, Duration::from_millis(300)).await;
    assert_eq!(ended.exit_code, None);
    assert!(
        ended.output.contains("it was ended after") && ended.output.contains("so far"),
        "{}",
        ended.output
    );
    gone(ended.output.lines().nth(1).unwrap()).await;
}

#[tokio::test]
async fn a_program_that_is_cancelled_may_tidy_up_and_goes_with_all_it_started() {
    let script = "trap 'echo tidied; exit 0' TERM; trap '' HUP
                  sh -c 'trap \"\" TERM; echo $$; while :; do sleep 1; done' & wait; wait";
    let ended = cancelled(script, SHORT).await;
    assert_eq!((ended.cut, ended.exit_code), (Some(Cut::Cancelled), None));
    let mut lines = ended.output.lines();
    assert_eq!(lines.next(), Some("[pingup-agent: it was ended since it was cancelled]"));
    gone(lines.next().unwrap()).await;
    assert_eq!(lines.next(), Some("tidied"), "{}", ended.output);
}

#[tokio::test]
async fn all_that_a_program_started_has_its_moment_though_the_program_itself_ended() {
    let ended = cancelled(LEADER_GOES_FIRST, AMPLE).await;
    assert_eq!((ended.cut, ended.exit_code), (Some(Cut::Cancelled), None));
    assert!(ended.output.contains("begun\nleader went\n"), "{}", ended.output);
    assert!(ended.output.ends_with("child tidied\n"), "{}", ended.output);
}

#[tokio::test]
async fn one_that_takes_too_long_is_asked_to_end_as_well() {
    let (_stopper, stop) = stop::channel();
    let (_canceller, cancel) = stop::channel();
    let ending = Ending::new(&stop, &cancel, Duration::from_secs(1));
    let (argv, so_far) = (["sh", "-c", LEADER_GOES_FIRST].map(String::from), SoFar::default());
    let ended = run_with(&argv, &ending, &so_far, AMPLE).await.unwrap();
    assert_eq!(ended.cut, Some(Cut::Overdue(Duration::from_secs(1))));
    assert!(ended.output.contains("begun\nleader went\n"), "{}", ended.output);
    assert!(ended.output.ends_with("child tidied\n"), "{}", ended.output);
}

#[tokio::test]
async fn a_program_that_will_not_be_cancelled_is_ended_all_the_same() {
    let ended = cancelled("trap '' TERM; echo $$; while :; do sleep 600; done", SHORT).await;
    gone(ended.output.lines().nth(1).unwrap()).await;
}

#[tokio::test]
async fn being_stopped_ends_the_program_and_keeps_what_it_said() {
    let ((stopper, stop), (_canceller, cancel)) = (stop::channel(), stop::channel());
    let (argv, so_far) = (["sh", "-c", "echo begun; sleep 600"].map(String::from), SoFar::default());
    let ending = Ending::new(&stop, &cancel, AMPLE);
    let (ended, ()) = tokio::join!(run(&argv, &ending, &so_far), async {
        while so_far.piece(0).is_empty() {
            tokio::task::yield_now().await;
        }
        stopper.stop();
    });
    let output = ended.unwrap().output;
    assert!(output.contains("since the agent was stopped") && output.contains("begun"), "{output}");
}

#[tokio::test]
async fn a_program_that_ended_in_time_did_so_whoever_holds_its_output() {
    let ended = shell("sleep 600 & echo $!; exit 4", LINGER - Duration::from_millis(50)).await;
    assert_eq!(ended.exit_code, Some(4), "{}", ended.output);
    let left = Pid::from_raw(ended.output.trim().parse().unwrap()).unwrap();
    rustix::process::kill_process(left, Signal::KILL).unwrap();
}

#[tokio::test]
async fn output_without_end_does_not_outlast_the_deadline() {
    let ended = shell("exec yes", Duration::from_millis(300)).await;
    assert!(ended.exit_code.is_none() && ended.output.contains("it was ended after"));
}

#[tokio::test]
async fn what_a_program_leaves_running_may_go_on_writing() {
    let home = tempfile::tempdir().unwrap();
    let done = home.path().join("done");
    let script = "(sleep 1; head -c 1000000 /dev/zero && echo late && : > \"$0\") & echo begun";
    let argv = ["sh", "-c", script, done.to_str().unwrap()].map(String::from);
    let ended = start(&argv, AMPLE).await.unwrap();
    assert_eq!((ended.exit_code, ended.output.as_str()), (Some(0), "begun\n"));
    timeout(AMPLE, async {
        while !done.exists() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .expect("it was not ended by its pipe");
}

#[tokio::test]
async fn what_a_program_leaves_running_is_not_waited_for() {
    let ended = shell("sleep 5 & echo $!", AMPLE).await;
    assert_eq!(ended.exit_code, Some(0));
    let left = Pid::from_raw(ended.output.trim().parse().unwrap()).unwrap();
    rustix::process::kill_process(left, Signal::KILL).expect("it was still there");
}
