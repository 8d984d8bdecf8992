//! Memory that was needed once, given back to the system: the one file of the agent with `unsafe` in it.
//!
//! glibc keeps what is freed for what comes next, all that lies below the last block that is in use. What a scan or a long
//! delivery took would stay with an agent that needs a tenth of it for the rest of its days.

/// Gives back what is free, when it goes: it is made before what it is to outlive.
#[derive(Debug, Default)]
pub struct GivenBack(());

impl Drop for GivenBack {
    fn drop(&mut self) {
        give_back();
    }
}

/// Gives back what is free. It takes milliseconds at most, so it is for what is done seldom.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn give_back() {
    #[expect(unsafe_code, reason = "the C library alone can do it")]
    // SAFETY: the C library declares it so; it may be called by any thread at any time, and touches only what is free.
    unsafe extern "C" {
        safe fn malloc_trim(keep: usize) -> core::ffi::c_int;
    }
    malloc_trim(0);
}

/// Other C libraries give back by themselves, or have no word for it.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub const fn give_back() {}

#[cfg(test)]
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod tests {
    use super::*;

    /// Bytes that lie in memory and in no file.
    fn resident() -> usize {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
        line.trim_end_matches("kB").trim().parse::<usize>().unwrap() * 1024
    }

    /// Other tests run beside, and take some of it meanwhile.
    #[test]
    fn what_is_free_below_what_is_in_use_goes_back() {
        const BLOCKS: usize = 1 << 18;
        let given_back = GivenBack::default();
        let mut blocks: Vec<_> = (0..BLOCKS).map(|number| Some(Box::new([number; 32]))).collect();
        let full = resident();
        // Each block that stays keeps the allocator from seeing one piece that is free.
        blocks
            .iter_mut()
            .enumerate()
            .filter(|(place, _)| place % 256 != 0)
            .for_each(|(_, block)| *block = None);
        drop(given_back);
        let left = resident();
        assert!(left < full - BLOCKS * 128, "{left} of {full}");
        assert!(blocks.iter().flatten().count() == BLOCKS / 256);
    }
}
