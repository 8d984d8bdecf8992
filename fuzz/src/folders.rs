//! Files that a crash or a bad disk left behind: the hub's journal, the agent's spool, the agent's journal of commands.
//! Whatever stands in them, opening comes back, and what was whole before a changed place is still read.

use pingup_agent::{
    journal::Journal as Commands,
    spool::{Bounds, Kind, Lane, Spool},
    state::StateDir,
};
use pingup_protocol::time::Timestamp;
use pingup_server::storage::{DiskSpace, Faults, Journal};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
    time::Duration,
};
use tempfile::TempDir;

const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);
/// Records that a file has before it is changed.
const RECORDS: u8 = 4;

/// In memory where the system has such a place: thousands of files a second are synced here.
static PLACE: LazyLock<TempDir> = LazyLock::new(|| {
    let memory = Path::new("/dev/shm");
    let builder = tempfile::Builder::new();
    match memory.is_dir() {
        true => builder.tempdir_in(memory),
        false => builder.tempdir(),
    }
    .expect("a folder can be made")
});

/// A folder of that name without anything in it.
fn empty(name: &str) -> PathBuf {
    let folder = PLACE.path().join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir(&folder).expect("a folder can be made");
    folder
}

/// A byte that says whether what follows is a whole file or is written over one, from a place that two more bytes say.
fn spoil(path: &Path, bytes: &[u8]) -> Option<usize> {
    let (&whole, rest) = bytes.split_first()?;
    if whole % 2 == 0 {
        fs::write(path, rest).expect("a file can be written");
        return Some(0);
    }
    let (&[high, low], rest) = rest.split_first_chunk::<2>()?;
    let mut file = fs::read(path).expect("the file is there");
    let at = usize::from(u16::from_be_bytes([high, low])) % (file.len() + 1);
    file.truncate(file.len().max(at));
    let over = rest.len().min(file.len() - at);
    file[at..at + over].copy_from_slice(&rest[..over]);
    file.extend_from_slice(&rest[over..]);
    fs::write(path, file).expect("a file can be written");
    Some(at)
}

/// The hub's journal.
pub fn journal(bytes: &[u8]) {
    let folder = empty("journal");
    let disk = DiskSpace::watch(&folder, 0).expect("the disk can be asked");
    let mut journal = Journal::open(&folder, disk, Faults::default()).expect("a journal can be opened");
    journal.begin(1).expect("a segment can be begun");
    let mut ends = Vec::new();
    let path = Journal::path(&folder, 1);
    for number in 0..RECORDS {
        journal.append(&[number; 40]).expect("a record can be appended");
        ends.push(fs::metadata(&path).expect("the file is there").len() as usize);
    }
    drop(journal);
    let Some(at) = spoil(&path, bytes) else { return };
    let mut read = Vec::new();
    let _ = Journal::read(&folder, 1, |payload| {
        read.push(payload.to_vec());
        Ok(())
    });
    let untouched = ends.iter().filter(|&&end| end <= at).count();
    assert!(read.len() >= untouched, "{} read, {untouched} untouched", read.len());
    for (number, payload) in (0..RECORDS).zip(&read[..untouched]) {
        assert_eq!(payload, &[number; 40]);
    }
}

/// The agent's spool.
pub fn spool(bytes: &[u8]) {
    let folder = empty("spool");
    let bounds = Bounds { bytes_max: 1 << 20, age_max: Duration::from_secs(3_600) };
    let mut spool = Spool::open(&folder, bounds, NOW).expect("a spool can be opened");
    for number in 0..RECORDS {
        let json = format!("{{\"number\":{number}}}").into_bytes();
        spool.append(Kind::Sample, NOW.plus_seconds(number.into()), json).expect("a record can be appended");
    }
    drop(spool);
    let Some((&which, rest)) = bytes.split_first() else { return };
    let mut files: Vec<_> =
        fs::read_dir(&folder).expect("it is there").map(|entry| entry.expect("it is").path()).collect();
    files.sort();
    let path = files[usize::from(which) % files.len()].clone();
    if spoil(&path, rest).is_none() {
        return;
    }
    let Ok(mut spool) = Spool::open(&folder, bounds, NOW) else { return };
    let waiting = spool.oldest(Lane::Live, 100, 1 << 20).expect("what was opened can be read");
    assert!(waiting.is_sorted_by(|one, next| one.number < next.number));
    spool.append(Kind::Sample, NOW, b"{}".to_vec()).expect("it can be written to again");
}

/// The agent's journal of commands.
pub fn commands(bytes: &[u8]) {
    let folder = empty("commands");
    let state = StateDir::open(&folder).expect("a state folder can be opened");
    let Some((&which, rest)) = bytes.split_first() else { return };
    let results = folder.join("results");
    fs::create_dir_all(&results).expect("a folder can be made");
    let path = match which % 2 {
        0 => folder.join("journal.json"),
        _ => results.join(format!("{:020}.json", 7)),
    };
    fs::write(path, rest).expect("a file can be written");
    if let Ok(mut journal) = Commands::open(&state, NOW) {
        let last = journal.last_seq();
        // Two at most: what stood there, and that of a command that was running.
        for _ in 0..2 {
            let Ok(Some(oldest)) = journal.oldest() else { break };
            journal.remove(oldest.command_seq).expect("a result that is there can be taken");
        }
        assert_eq!(journal.oldest().ok().flatten(), None, "a result that was taken is gone");
        assert_eq!(journal.last_seq(), last, "what was begun stays begun");
    }
}
