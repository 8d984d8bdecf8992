//! `export`: an agent's samples as CSV or Parquet, to a file or to standard output.
//!
//! A file has its name only when all of it is written and synced; until then it is `<name>.partial`. Ctrl-C
//! leaves nothing behind. Refuses: to overwrite either without `--force`, and Parquet on standard output, which
//! could not be written in one go.

mod csv;

use super::{CliError, PlaceArguments, progress};
use crate::{
    clock::Clock,
    storage::{DataFolder, StorageError},
    tsdb::{
        TsdbError,
        export::{Export, Question},
    },
};
use clap::ValueEnum;
use indicatif::ProgressBar;
use pingup_protocol::{ids::AgentId, time::Timestamp};
use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Duration,
};
use tokio::{
    runtime::Builder,
    signal::unix::{SignalKind, signal},
    sync::oneshot,
    time::timeout,
};

/// What a file's name ends with until it is whole.
const PARTIAL: &str = ".partial";
/// Written at once.
const BUFFER_BYTES: usize = 256 * 1024;
/// How long Ctrl-C waits for the work to end before it tidies up itself.
const END_WAIT: Duration = Duration::from_secs(5);

#[derive(clap::Args)]
pub(super) struct ExportArguments {
    /// Whose samples
    #[arg(long, value_name = "ID", value_parser = AgentId::parse)]
    agent: AgentId,
    /// From when on: 2026-02-25T10:00:00Z, or 7d for a week ago [default: the beginning]
    #[arg(long, value_name = "T", value_parser = moment)]
    from: Option<Moment>,
    /// Until when, that moment excluded [default: the end]
    #[arg(long, value_name = "T", value_parser = moment)]
    to: Option<Moment>,
    /// The form of the file
    #[arg(long)]
    format: Format,
    /// The file to be made [default: standard output, for CSV]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Overwrite the file, and what a cut-off export left beside it
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    place: PlaceArguments,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// The columns and cells of the API's CSV
    Csv,
    /// The columns of the history's own files, moments marked as UTC
    Parquet,
}

/// A moment as people say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    At(Timestamp),
    Ago(Duration),
}

pub(super) fn moment(text: &str) -> Result<Moment, &'static str> {
    if let Ok(at) = Timestamp::parse(text) {
        return Ok(Moment::At(at));
    }
    let ago = humantime::parse_duration(text).map(Moment::Ago);
    ago.map_err(|_| "a moment such as 2026-02-25T10:00:00Z, or a time before now such as 7d, expected")
}

impl Moment {
    pub(super) fn resolve(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::Ago(ago) => {
                now.plus_seconds(i64::try_from(ago.as_secs()).unwrap_or(i64::MAX).saturating_neg())
            }
        }
    }
}

pub(super) fn export(arguments: ExportArguments, clock: &Clock) -> Result<(), CliError> {
    let ExportArguments { agent, from, to, format, out, force, place } = arguments;
    let now = clock.now();
    let [from, to] = [from, to].map(|moment| moment.map(|moment| moment.resolve(now)));
    if from.zip(to).is_some_and(|(from, to)| from >= to) {
        return Err(CliError::Usage("--from must lie before --to".to_owned()));
    }
    if format == Format::Parquet && out.is_none() {
        return Err(CliError::Usage("--format parquet needs --out FILE".to_owned()));
    }
    let taken = out.as_ref().filter(|out| !force && out.symlink_metadata().is_ok());
    if let Some(taken) = taken {
        return Err(CliError::Failed(format!("{} exists; overwrite it with --force", taken.display())));
    }
    let folder = DataFolder::open(&place.data_dir()?)?;
    if !folder.sqlite_path().exists() {
        return Err(CliError::Failed(format!("there are no records in {}", folder.path().display())));
    }
    let export = Export::open(&folder, Question { agent_id: agent, from, to })?;
    run(Arc::new(export), format, out.map(|out| (out, force)))
}

/// A file that is not whole yet; nobody else writes it, unless told so.
struct Unfinished {
    file: File,
    path: PathBuf,
    out: PathBuf,
}

impl Unfinished {
    fn create(out: PathBuf, force: bool) -> Result<Self, CliError> {
        let mut path = out.as_os_str().to_owned();
        path.push(PARTIAL);
        let path = PathBuf::from(path);
        let created = if force { File::create(&path) } else { File::create_new(&path) };
        let file = created.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => CliError::Failed(format!(
                "{} exists: another export is making it, or was cut off; overwrite it with --force",
                path.display()
            )),
            _ => StorageError::file("create", &path)(error).into(),
        })?;
        Ok(Self { file, path, out })
    }
}

/// Does the work on a thread of its own and listens for signals meanwhile. `target`: the file, and whether what is there
/// is overwritten.
fn run(export: Arc<Export>, format: Format, target: Option<(PathBuf, bool)>) -> Result<(), CliError> {
    let failed = |error: io::Error| CliError::Failed(format!("cannot start: {error}"));
    let runtime = Builder::new_current_thread().enable_all().build().map_err(failed)?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        let file = target.map(|(out, force)| Unfinished::create(out, force)).transpose()?;
        let (done, mut ended) = oneshot::channel();
        let (working, unfinished) = (Arc::clone(&export), file.as_ref().map(|file| file.path.clone()));
        let work = move || {
            let written = write(&working, format, file);
            // Nobody waits any more when a signal came first.
            let _ = done.send(written);
        };
        thread::Builder::new().name("export".to_owned()).spawn(work).map_err(failed)?;
        tokio::select! {
            written = &mut ended => {
                return written.unwrap_or_else(|_| Err(CliError::Failed("the export broke off".to_owned())));
            }
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        export.stop();
        if let Some(unfinished) = unfinished {
            // It tidies up itself as soon as it can.
            let _ = timeout(END_WAIT, ended).await;
            let _ = fs::remove_file(unfinished);
        }
        Err(CliError::Failed("stopped before the end".to_owned()))
    })
}

fn write(export: &Export, format: Format, file: Option<Unfinished>) -> Result<(), CliError> {
    let bar = progress::of_days("export", export.days());
    let written = match file {
        Some(file) => to_file(export, format, file, &bar),
        None => csv::write(export, &mut BufWriter::with_capacity(BUFFER_BYTES, io::stdout().lock()), || {
            bar.inc(1);
        }),
    };
    bar.finish_and_clear();
    written
}

fn to_file(
    export: &Export,
    format: Format,
    unfinished: Unfinished,
    bar: &ProgressBar,
) -> Result<(), CliError> {
    let Unfinished { file, path, out } = unfinished;
    let written = fill(export, format, file, &path, bar).and_then(|()| {
        fs::rename(&path, &out).map_err(StorageError::file("rename", &path))?;
        let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        Ok(synced.map_err(StorageError::file("sync", folder))?)
    });
    if written.is_err() {
        // The first error is the one to tell.
        let _ = fs::remove_file(&path);
    }
    written
}

fn fill(export: &Export, format: Format, file: File, path: &Path, bar: &ProgressBar) -> Result<(), CliError> {
    let mut file = BufWriter::with_capacity(BUFFER_BYTES, file);
    match format {
        Format::Csv => csv::write(export, &mut file, || bar.inc(1)),
        Format::Parquet => export.write_parquet(&mut file, || bar.inc(1)).map(drop).map_err(TsdbError::into),
    }?;
    file.flush().map_err(StorageError::file("write", path))?;
    Ok(file.get_ref().sync_all().map_err(StorageError::file("sync", path))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_time_or_how_long_ago() {
        let now = Timestamp::parse("2026-02-25T10:00:00Z").unwrap();
        for (text, at) in [
            ("2026-02-25T11:00:00+02:00", "2026-02-25T09:00:00Z"),
            ("7d", "2026-02-18T10:00:00Z"),
            ("90s", "2026-02-25T09:58:30Z"),
        ] {
            assert_eq!(
                moment(text).map(|moment| moment.resolve(now).to_string()),
                Ok(at.to_owned()),
                "{text}"
            );
        }
        for bad in ["", "yesterday", "2026-02-25", "-7d"] {
            assert!(moment(bad).is_err(), "{bad:?}");
        }
    }
}
