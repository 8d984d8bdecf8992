//! Saying what is done, or would be: a line each on stdout.

use super::{
    InstallError,
    files::{Change, Content, Item},
    init::Step,
    layout::Root,
    steps,
};
use pingup_protocol::plain;
use std::{
    io::{self, Write},
    path::Path,
};

/// Says on stdout what is done, or would be.
pub(super) struct Teller {
    /// Nothing is done, only said.
    pub(super) dry_run: bool,
}

impl Teller {
    /// Says `line`.
    pub(super) fn say(&self, line: &str) -> Result<(), InstallError> {
        writeln!(io::stdout(), "{}", plain::line(line)).map_err(InstallError::io(Path::new("stdout")))
    }

    /// Says what became of `item`; what a new one would say, if it is only said.
    pub(super) fn tell(&self, item: &Item, change: Change) -> Result<(), InstallError> {
        let word = match (change, self.dry_run) {
            (Change::Made, true) => "would make",
            (Change::Updated, true) => "would update",
            (Change::Made, false) => "made",
            (Change::Updated, false) => "updated",
            (Change::Unchanged, _) => "unchanged",
        };
        self.say(&format!("{word:<13}{} ({:04o})", item.path, item.mode))?;
        if let (true, true, Content::Text(text)) = (self.dry_run, change != Change::Unchanged, &item.content)
        {
            for line in text.lines() {
                self.say(format!("    {}", without_secret(line)).trim_end())?;
            }
        }
        Ok(())
    }

    /// Removes `path`, where it is.
    pub(super) fn remove(&self, root: &Root, path: &str) -> Result<(), InstallError> {
        let file = root.path(path);
        if !file.exists() {
            return Ok(());
        }
        if self.dry_run {
            return self.say(&format!("{:<13}{path}", "would remove"));
        }
        std::fs::remove_file(&file).map_err(InstallError::io(&file))?;
        self.say(&format!("{:<13}{path}", "removed"))
    }

    /// Runs `steps`, if it is the machine itself that they are about.
    pub(super) async fn steps(&self, root: &Root, steps: &[Step]) -> Result<(), InstallError> {
        for &step in steps.iter().filter(|_| root.is_machine()) {
            let line = steps::line(step);
            if self.dry_run {
                self.say(&format!("{:<13}{line}", "would run"))?;
                continue;
            }
            steps::run(step).await?;
            self.say(&format!("{:<13}{line}", "ran"))?;
        }
        Ok(())
    }
}

/// A line of a file, but for a join token that somebody wrote there.
fn without_secret(line: &str) -> &str {
    if line.contains("pjt_") { "# (a join token)" } else { line }
}
