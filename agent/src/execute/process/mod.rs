//! Running a program: argv, never a shell; nothing on stdin; both outputs into one pipe, so that they stand in
//! the order they were written; in a process group of its own, which is ended whole and in order. It is asked to end,
//! has a moment to do so, all of it, and what is left of it then is killed. An agent that stops has no such moment.
//!
//! What a program leaves running when it ends by itself goes on, and is read for as long as it writes: nothing dies
//! of a pipe that was closed.

mod group;
mod pipe;

use super::{
    ending::{Cut, Ending},
    output::{Output, SoFar},
};
use group::Group;
use pipe::{LINGER, read_all, read_rest};
use std::{
    convert::Infallible,
    io,
    process::{ExitStatus, Stdio},
    time::Duration,
};
use tokio::{
    net::unix::pipe::Receiver,
    process::{Child, Command},
    time::{sleep, timeout},
};

/// How long a group that was asked to end has to do so.
const GRACE: Duration = Duration::from_secs(5);
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
    run_with(argv, ending, output, GRACE).await
}

/// The same, with another `grace` for those that are asked to end.
async fn run_with(
    argv: &[String],
    ending: &Ending<'_>,
    output: &SoFar,
    grace: Duration,
) -> Result<Ended, String> {
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
            if cut != Cut::Stopped {
                persuade(&group, &reader, output, ending, grace).await;
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

/// Asks all of the group to end, and waits until all of it has, for as long as `grace`; reads meanwhile. When the agent
/// is to stop, that is over at once.
async fn persuade(group: &Group, reader: &Receiver, output: &SoFar, ending: &Ending<'_>, grace: Duration) {
    group.ask();
    let reading = async {
        read_all(reader, |bytes| output.push(bytes)).await;
        std::future::pending::<Infallible>().await
    };
    tokio::select! {
        biased;
        () = group.emptied() => {}
        () = ending.stop().wait() => {}
        () = sleep(grace) => {}
        never = reading => match never {},
    }
}

fn spawn(program: &str, arguments: &[String]) -> io::Result<(Receiver, Child)> {
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
    Ok((Receiver::from_owned_fd(reader.into())?, child))
}

/// Waits until the program has ended, and reads meanwhile.
async fn exit(child: &mut Child, reader: &Receiver, output: &SoFar) -> io::Result<ExitStatus> {
    tokio::select! {
        biased;
        status = child.wait() => status,
        () = read_all(reader, |bytes| output.push(bytes)) => child.wait().await,
    }
}

#[cfg(test)]
mod tests;
