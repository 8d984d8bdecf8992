//! How the system's allocator is set up: the one file of the hub with `unsafe` in it.
//!
//! glibc learns from what is freed: after the first large buffer it takes all of that size from its arenas, one a
//! thread, and what is freed there stays with the process. Batches and segments are such buffers, and are freed on
//! another thread than they were made on. With a threshold that is fixed they are mapped and given back each by
//! itself: measured at full load, 88 MB at the peak instead of 116.

/// Blocks from this size on are mapped by themselves.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const MAPPED_BYTES_MIN: i32 = 64 * 1024;

/// Sets it up; call it first.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "the C library's own settings have no other way in")]
pub(crate) fn settle() {
    // SAFETY: mallopt takes two integers and is called before there is a second thread. Refused, it returns 0 and
    // changes nothing.
    let _taken = unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, MAPPED_BYTES_MIN) };
}

/// Other systems' allocators are left as they are.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) const fn settle() {}
