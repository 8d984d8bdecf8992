//! Running a program: argv, never a shell; nothing on stdin; both outputs into one pipe, so that they stand in
//! the order they were written; in a process group of its own, which is ended whole when its time is up. One that an
//! operator cancels is asked to end first, and has a moment to do so.
//!
//! What a program leaves running when it ends by itself goes on, and is read for as long as it writes: nothing dies
//! of a pipe that was closed.

use super::{
    ending::{Cut, Ending},
    output::{Output, SoFar},
};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use std::{
    convert::Infallible,
    io,
    process::{ExitStatus, Stdio},
    time::Duration,
};
use tokio::{
    net::unix::pipe,
    process::{Child, Command},
    time::{sleep, timeout},
};

/// How long output is still waited for when the program has ended, and something it started holds the pipe.
const LINGER: Duration = Duration::from_millis(500);
/// How long a program that was cancelled has to end by itself.
const GRACE: Duration = Duration::from_secs(5);
/// How often it is looked whether it did.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Bytes read at a time.
const READ_BYTES: usize = 8 * 1024;
/// What no program is to inherit: a secret, where it came by the environment.
const SECRET_VARIABLE: &str = "PINGUP_JOIN_TOKEN";

/// How a program ended.
#[derive(Debug)]
pub(super) struct Ended {
    /// Its exit code; none when it was ended by a signal.
    pub(super) exit_code: Option<i64>,
    /// What it printed, and why it was ended, if it was.
    pub(super) output: String,
    /// Why it was ended, if it was.
    pub(super) cut: Option<Cut>,
}

/// Runs `argv` until `ending` says otherwise; what it prints is added to `output`.
pub(super) async fn run(argv: &[String], ending: &Ending<'_>, output: &SoFar) -> Result<Ended, String> {
    let [program, arguments @ ..] = argv else { return Err("no program was named".to_owned()) };
    let (reader, child) =
        spawn(program, arguments).map_err(|error| format!("cannot run {program:?}: {error}"))?;
    let mut group = Group::of(child);
    let exited = tokio::select! {
        biased;
        status = exit(&mut group.child, &reader, output) => Ok(status),
        cut = ending.wait() => Err(cut),
    };
    match exited {
        Ok(status) => {
            group.leave();
            read_rest(reader, output).await;
            let status = status.map_err(|error| format!("cannot wait for {program:?}: {error}"))?;
            if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
                output.push(format!("\n[pingup-agent: it was ended by signal {signal}]").as_bytes());
            }
            Ok(Ended { exit_code: status.code().map(i64::from), output: output.text(), cut: None })
        }
        Err(cut) => {
            if cut == Cut::Cancelled {
                persuade(&group, &reader, output, ending).await;
            }
            group.kill();
            // What it wrote until now is in the pipe; at most what left its group is there to write more.
            read_rest(reader, output).await;
            let _ = timeout(LINGER, group.child.wait()).await;
            let text = format!("[pingup-agent: {cut}]\n{}", output.text());
            Ok(Ended { exit_code: None, output: Output::of(text.as_bytes()).text(), cut: Some(cut) })
        }
    }
}

/// Asks all of the group to end, and waits until its leader has, for a while; reads meanwhile. An agent that stops has no
/// such while.
async fn persuade(group: &Group, reader: &pipe::Receiver, output: &SoFar, ending: &Ending<'_>) {
    group.ask();
    let reading = async {
        read_all(reader, |bytes| output.push(bytes)).await;
        std::future::pending::<Infallible>().await
    };
    tokio::select! {
        biased;
        () = group.leader_ended() => {}
        () = ending.stop().wait() => {}
        () = sleep(GRACE) => {}
        never = reading => match never {},
    }
}

fn spawn(program: &str, arguments: &[String]) -> io::Result<(pipe::Receiver, Child)> {
    let (reader, writer) = io::pipe()?;
    // The command, and with it our ends of the pipe for writing, is gone when this returns: else it never ends.
    let child = Command::new(program)
        .args(arguments)
        .env_remove(SECRET_VARIABLE)
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer)
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    Ok((pipe::Receiver::from_owned_fd(reader.into())?, child))
}

/// Waits until the program has ended, and reads meanwhile.
async fn exit(child: &mut Child, reader: &pipe::Receiver, output: &SoFar) -> io::Result<ExitStatus> {
    tokio::select! {
        biased;
        status = child.wait() => status,
        () = read_all(reader, |bytes| output.push(bytes)) => child.wait().await,
    }
}

/// Reads what is left in the pipe. What the program left running may hold it open: that is not waited for, but read
/// on until it ends, and let go.
async fn read_rest(reader: pipe::Receiver, output: &SoFar) {
    if timeout(LINGER, read_all(&reader, |bytes| output.push(bytes))).await.is_err() {
        tokio::spawn(async move { read_all(&reader, |_| ()).await });
    }
}

/// Reads to the end.
async fn read_all(reader: &pipe::Receiver, mut keep: impl FnMut(&[u8])) {
    let mut buffer = vec![0; READ_BYTES];
    loop {
        // Whoever writes without end does not keep the others from their turn.
        tokio::task::coop::consume_budget().await;
        if reader.readable().await.is_err() {
            return;
        }
        match reader.try_read(&mut buffer) {
            Ok(0) => return,
            Ok(count) => keep(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}

/// A program with all it started: ended when this is dropped, unless it was left alone.
struct Group {
    child: Child,
    leader: Option<Pid>,
}

impl Group {
    fn of(child: Child) -> Self {
        let leader = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        Self { child, leader }
    }

    /// Asks all of it to end.
    fn ask(&self) {
        if let Some(leader) = self.leader {
            // The only error there can be is that nobody is left.
            let _ = kill_process_group(leader, Signal::TERM);
        }
    }

    /// Waits until the leader has ended, and leaves it so: its number stays its own.
    async fn leader_ended(&self) {
        let Some(leader) = self.leader else { return };
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        while let Ok(None) = waitid(WaitId::Pid(leader), options) {
            sleep(LOOK_EVERY).await;
        }
    }

    /// Ends all of it. Safe while the leader was not waited for: its number cannot be another's yet.
    fn kill(&mut self) {
        if let Some(leader) = self.leader.take() {
            // The only error there can be is that nobody is left.
            let _ = kill_process_group(leader, Signal::KILL);
        }
    }

    /// The program has ended by itself; what it left running (a service, say) goes on.
    const fn leave(&mut self) {
        self.leader = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{execute::output::CUT, stop};
    use pingup_protocol::limits::OUTPUT_BYTES_MAX;

    const AMPLE: Duration = Duration::from_secs(60);

    async fn shell(script: &str, within: Duration) -> Ended {
        start(&["sh".into(), "-c".into(), script.into()], within).await.unwrap()
    }

    async fn start(argv: &[String], within: Duration) -> Result<Ended, String> {
        let ((_stopper, stop), (_canceller, cancel)) = (stop::channel(), stop::channel());
        run(argv, &Ending::new(&stop, &cancel, within), &SoFar::default()).await
    }

    /// A shell that is cancelled once it has said something.
    async fn cancelled(script: &str) -> Ended {
        let ((_stopper, stop), (canceller, cancel)) = (stop::channel(), stop::channel());
        let (argv, so_far) = (["sh", "-c", script].map(String::from), SoFar::default());
        let ending = Ending::new(&stop, &cancel, AMPLE);
        let (ended, ()) = tokio::join!(run(&argv, &ending, &so_far), async {
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
        let gone = || rustix::process::test_kill_process(pid).is_err() || is_zombie(pid);
        timeout(AMPLE, async {
            while !gone() {
                tokio::task::yield_now().await;
            }
        })
        .await
        .unwrap();
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
        let ended = cancelled(script).await;
        assert_eq!((ended.cut, ended.exit_code), (Some(Cut::Cancelled), None));
        let mut lines = ended.output.lines();
        assert_eq!(lines.next(), Some("[pingup-agent: it was ended since it was cancelled]"));
        gone(lines.next().unwrap()).await;
        assert_eq!(lines.next(), Some("tidied"), "{}", ended.output);
    }

    #[tokio::test]
    async fn a_program_that_will_not_be_cancelled_is_ended_all_the_same() {
        let ended = cancelled("trap '' TERM; echo $$; while :; do sleep 600; done").await;
        gone(ended.output.lines().nth(1).unwrap()).await;
    }

    /// Ended, and only its parent has not looked yet: in a container nobody may be there to do so.
    fn is_zombie(pid: Pid) -> bool {
        let stat =
            std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
        stat.contains(") Z ")
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
}
