//! The hub's program; everything it does is in the library, beginning with [`pingup_server::cli`].

mod allocator;

use std::process::ExitCode;

fn main() -> ExitCode {
    pingup_server::cli::main(std::env::args_os())
}
