//! `cargo run -p harness -- …`: the whole matrix, seeds, and the replay of one of them.

use std::process::ExitCode;

fn main() -> ExitCode {
    harness::run(std::env::args().skip(1).collect())
}
