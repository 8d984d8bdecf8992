//! Running a program: argv, never a shell; nothing on stdin; both outputs into one pipe, so that they stand in
//! the order they were written; in a process group of its own, which is ended whole when its time is up.
//!
//! What a program leaves running when it ends by itself goes on, and is read for as long as it writes: nothing dies
//! of a pipe that was closed.

use super::output::Output;
use crate::stop::Stop;
use rustix::process::{Pid, Signal, kill_process_group};
use std::{
    io,
    process::{ExitStatus, Stdio},
    time::Duration,
};
use tokio::{
    net::unix::pipe,
    process::{Child, Command},
    time::{Instant, sleep_until, timeout},
};

/// How long output is still waited for when the program has ended, and something it started holds the pipe.
const LINGER: Duration = Duration::from_millis(500);
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
}

/// Why it did not wait for a program any longer.
enum Interrupted {
    Overdue,
    Stopped,
}

/// Runs `argv`, at most for `within`, and until told to stop.
pub(super) async fn run(argv: &[String], within: Duration, stop: &Stop) -> Result<Ended, String> {
    let [program, arguments @ ..] = argv else { return Err("no program was named".to_owned()) };
    let (reader, child) =
        spawn(program, arguments).map_err(|error| format!("cannot run {program:?}: {error}"))?;
    let mut group = Group::of(child);
    let mut output = Output::default();
    let deadline = Instant::now() + within;
    let exited = tokio::select! {
        biased;
        () = stop.wait() => Err(Interrupted::Stopped),
        status = exit(&mut group.child, &reader, &mut output) => Ok(status),
        () = sleep_until(deadline) => Err(Interrupted::Overdue),
    };
    match exited {
        Ok(status) => {
            group.leave();
            read_rest(reader, &mut output).await;
            let status = status.map_err(|error| format!("cannot wait for {program:?}: {error}"))?;
            if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
                output.push(format!("\n[pingup-agent: it was ended by signal {signal}]").as_bytes());
            }
            Ok(Ended { exit_code: status.code().map(i64::from), output: output.into_text() })
        }
        Err(why) => {
            group.kill();
            // What it wrote until now is in the pipe; at most what left its group is there to write more.
            read_rest(reader, &mut output).await;
            let _ = timeout(LINGER, group.child.wait()).await;
            let seconds = within.as_secs();
            let mut text = match why {
                Interrupted::Overdue => format!("[pingup-agent: it was ended after {seconds} s]\n"),
                Interrupted::Stopped => {
                    "[pingup-agent: it was ended since the agent was stopped]\n".to_owned()
                }
            }
            .into_bytes();
            text.extend_from_slice(output.into_text().as_bytes());
            Ok(Ended { exit_code: None, output: Output::of(&text).into_text() })
        }
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
async fn exit(child: &mut Child, reader: &pipe::Receiver, output: &mut Output) -> io::Result<ExitStatus> {
    tokio::select! {
        biased;
        status = child.wait() => status,
        () = read_all(reader, |bytes| output.push(bytes)) => child.wait().await,
    }
}

/// Reads what is left in the pipe. What the program left running may hold it open: that is not waited for, but read
/// on until it ends, and let go.
async fn read_rest(reader: pipe::Receiver, output: &mut Output) {
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
        let (_stopper, stop) = stop::channel();
        run(&["sh".into(), "-c".into(), script.into()], within, &stop).await.unwrap()
    }

    #[tokio::test]
    async fn both_outputs_and_the_exit_code_come_back() {
        let ended = shell("echo one; echo two >&2; echo three; exit 3", AMPLE).await;
        assert_eq!((ended.exit_code, ended.output.as_str()), (Some(3), "one\ntwo\nthree\n"));
    }

    #[tokio::test]
    async fn there_is_nothing_on_stdin_and_no_shell_in_between() {
        let (_stopper, stop) = stop::channel();
        assert_eq!(run(&["cat".into()], AMPLE, &stop).await.unwrap().output, "");
        let ended = run(&["echo".into(), "$HOME; ls".into()], AMPLE, &stop).await.unwrap();
        assert_eq!(ended.output, "$HOME; ls\n");
        assert!(run(&["/nowhere/at-all".into()], AMPLE, &stop).await.unwrap_err().contains("cannot run"));
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
        let child: i32 = ended.output.lines().nth(1).unwrap().parse().unwrap();
        let child = Pid::from_raw(child).unwrap();
        let gone = || rustix::process::test_kill_process(child).is_err() || is_zombie(child);
        timeout(AMPLE, async {
            while !gone() {
                tokio::task::yield_now().await;
            }
        })
        .await
        .unwrap();
    }

    /// Ended, and only its parent has not looked yet: in a container nobody may be there to do so.
    fn is_zombie(pid: Pid) -> bool {
        let stat =
            std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
        stat.contains(") Z ")
    }

    #[tokio::test]
    async fn being_stopped_ends_the_program_and_keeps_what_it_said() {
        let (stopper, stop) = stop::channel();
        let argv: Vec<String> = ["sh", "-c", "echo begun; sleep 600"].map(String::from).to_vec();
        let (ended, ()) = tokio::join!(run(&argv, AMPLE, &stop), async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            stopper.stop();
        });
        assert!(ended.unwrap().output.contains("since the agent was stopped"));
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
        let (done, (_stopper, stop)) = (home.path().join("done"), stop::channel());
        let script = "(sleep 1; head -c 1000000 /dev/zero && echo late && : > \"$0\") & echo begun";
        let argv = ["sh", "-c", script, done.to_str().unwrap()].map(String::from);
        let ended = run(&argv, AMPLE, &stop).await.unwrap();
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
