//! The hub over TLS: its own certificate and the operator's, HTTP/1.1 and HTTP/2, and those who do not speak it.

pub mod files;
mod hostile;
mod multiplexed;
mod own;
