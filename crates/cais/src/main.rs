//! `cais`: runs, rolls out and watches the services in a standard `compose.yaml`.

mod check;
mod ci;
mod cli;
mod control;
mod exit;
mod image;
mod logs;
mod paths;
mod runtime;
mod secrets;
mod shim;
mod source;
mod store;
mod supervisor;
mod watch;

use std::process::ExitCode;

// The gateway is this same binary: its request path allocates, and mimalloc is quicker at it than
// the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::run()
}
