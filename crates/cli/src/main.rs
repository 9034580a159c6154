//! The `harbor-pilot` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    harbor_pilot::process::main(std::env::args_os().collect())
}
