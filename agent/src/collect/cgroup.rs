//! What a container may use of its machine: the limits at the root of the control groups that are seen from here
//! (version 2).
//!
//! Outside of containers that root is the machine's own and has no limits, whatever the agent's own service is
//! limited to: a machine is measured by what it has, a container by what it may use. Where the root is no container's,
//! or version 1 is in use, nothing is found here.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Where the control groups are seen.
const ROOT: &str = "/sys/fs/cgroup";

/// A part of the machine's memory, bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MemoryPart {
    /// In use, without what the kernel can take back at once.
    pub(super) used: u64,
    /// How much there may be.
    pub(super) limit: u64,
}

/// A part of the machine's processors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct ProcessorPart {
    /// For how long they were busy, ever, all together; microseconds.
    pub(super) used_micros: u64,
    /// How many may be busy at a time; a half is half of one.
    pub(super) limit: f64,
}

/// A control group with its files.
pub(super) struct Cgroup(pub(super) PathBuf);

impl Cgroup {
    /// The container's that this runs in, if it does.
    pub(super) fn of_container() -> Self {
        Self(ROOT.into())
    }

    /// `None` without a limit.
    pub(super) fn memory(&self) -> Option<MemoryPart> {
        let limit = self.number("memory.max").filter(|&limit| limit > 0)?;
        let idle = field(&self.text("memory.stat")?, "inactive_file")?;
        Some(MemoryPart { used: self.number("memory.current")?.saturating_sub(idle), limit })
    }

    /// `None` without a limit.
    pub(super) fn processors(&self) -> Option<ProcessorPart> {
        let text = self.text("cpu.max")?;
        let (quota, period) = text.trim().split_once(' ')?;
        let (quota, period) = (quota.parse::<u32>().ok()?, period.parse::<u32>().ok()?);
        let limit = f64::from(quota) / f64::from(period);
        let used_micros = field(&self.text("cpu.stat")?, "usage_usec")?;
        (quota > 0 && period > 0).then_some(ProcessorPart { used_micros, limit })
    }

    fn number(&self, file: &str) -> Option<u64> {
        self.text(file)?.trim().parse().ok()
    }

    fn text(&self, file: &str) -> Option<String> {
        fs::read_to_string(Path::join(&self.0, file)).ok()
    }
}

/// The number on the line that begins with `name`.
fn field(text: &str, name: &str) -> Option<u64> {
    let value = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok();
    text.lines().find_map(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with these files.
    fn group(files: &[(&str, &str)]) -> (tempfile::TempDir, Cgroup) {
        let home = tempfile::tempdir().unwrap();
        files.iter().for_each(|(name, text)| fs::write(home.path().join(name), text).unwrap());
        let group = Cgroup(home.path().to_owned());
        (home, group)
    }

    const STAT: (&str, &str) = ("memory.stat", "anon 7\ninactive_file_x 1\ninactive_file 300\n");
    const USED: (&str, &str) = ("cpu.stat", "nr_periods 4\nusage_usec 1500\nuser_usec 9\n");

    #[test]
    fn a_container_says_what_it_may_use_and_uses() {
        let (_home, limited) = group(&[
            ("memory.max", "1000\n"),
            ("memory.current", "700\n"),
            STAT,
            ("cpu.max", "50000 100000\n"),
            USED,
        ]);
        assert_eq!(limited.memory(), Some(MemoryPart { used: 400, limit: 1_000 }));
        assert_eq!(limited.processors(), Some(ProcessorPart { used_micros: 1_500, limit: 0.5 }));
        let (_home, reclaimable) = group(&[("memory.max", "1000\n"), ("memory.current", "200\n"), STAT]);
        assert_eq!(reclaimable.memory(), Some(MemoryPart { used: 0, limit: 1_000 }));
    }

    #[test]
    fn without_a_limit_or_with_one_that_makes_no_sense_there_is_no_part() {
        let (_home, machine) = group(&[]);
        assert_eq!((machine.memory(), machine.processors()), (None, None));
        for (memory, processors) in
            [("max", "max 100000"), ("0", "0 100000"), ("-1", "1 0"), ("", ""), ("much", "1"), ("1", "1 -1")]
        {
            let (_home, group) = group(&[("memory.max", memory), ("cpu.max", processors), STAT, USED]);
            assert_eq!((group.memory(), group.processors()), (None, None), "{memory}, {processors}");
        }
    }
}
