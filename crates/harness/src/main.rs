//! `cargo run -p harness -- …`: the whole matrix, seeds, and the replay of one of them.

use mimalloc::MiMalloc;
use std::process::ExitCode;

/// Most of what a run of the hall costs is memory taken and given back.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    harness::run(std::env::args().skip(1).collect())
}
