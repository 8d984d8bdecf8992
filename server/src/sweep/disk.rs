//! Is there room on the disk? Asked each second; everything else only looks at the answer.

use super::{Job, JobError, TICK};
use crate::storage::DiskSpace;
use tokio::task::spawn_blocking;

/// The job.
pub fn job(disk: DiskSpace) -> Job {
    Job::new("disk", TICK, move || {
        let disk = disk.clone();
        // A network file system may take its time to answer.
        async move { spawn_blocking(move || measure(&disk)).await? }
    })
}

fn measure(disk: &DiskSpace) -> Result<(), JobError> {
    let had_room = disk.has_room();
    disk.measure()?;
    match (had_room, disk.has_room()) {
        (true, false) => tracing::error!(
            free_bytes = disk.free_bytes(),
            reserve_bytes = disk.reserve_bytes(),
            "less than the reserve is free on the disk: nothing more is taken in until there is room"
        ),
        (false, true) => tracing::info!(free_bytes = disk.free_bytes(), "there is room on the disk again"),
        _ => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measuring_keeps_the_flag_true_to_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let disk = DiskSpace::watch(folder.path(), 0).unwrap();
        measure(&disk).unwrap();
        assert!(disk.has_room());
        drop(folder);
        assert!(measure(&disk).is_err(), "a folder that is gone is told");
    }
}
