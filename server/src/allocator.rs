//! The allocator, jemalloc, and how it is set up: the one file of the hub with `unsafe` in it.
//!
//! What the hub takes is freed on another thread than it was made on: bodies by the writer, segments by the keeper.
//! glibc's arenas, one a thread, are slow at that and keep what is freed. Measured at 1 000 connections: a third more
//! rows a second than with glibc, and 85 MB at the peak instead of 100; mimalloc was as fast and took 110 to 150.

/// What the hub's own code allocates with; C libraries keep the system's.
#[cfg(unix)]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Read by jemalloc when it begins. An arena a processor, so that few blocks lie in few; what is free goes back to
/// the system within a twentieth of a second, done by whoever allocates: jemalloc's own thread for that sleeps too
/// long, and batches had 117 MB at the peak with it, 90 without. Given back at once, it costs a sixth of the speed.
#[cfg(unix)]
#[expect(unsafe_code, reason = "jemalloc looks for its settings under this name")]
// SAFETY: jemalloc declares the symbol as a pointer to a C string; this is one that is never written to, and no other
// crate defines it.
#[unsafe(export_name = "_rjem_malloc_conf")]
pub(crate) static SETTINGS: &[u8; 79] =
    b"percpu_arena:percpu,dirty_decay_ms:50,muzzy_decay_ms:0,background_thread:false\0";
