//! The program as real processes, killed at some of a run's requests; `harness process` plays all of them.
#![cfg(test)]

use std::process::{Command, Output};

fn process(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
    command.arg("process").args(arguments).output().unwrap()
}

#[test]
fn whoever_comes_after_a_killed_process_puts_the_app_back() {
    let played = process(&["--every", "97"]);
    let said = String::from_utf8_lossy(&played.stdout);
    println!("{said}");
    assert!(played.status.success(), "{said}\n{played:?}");
}

#[test]
fn a_program_that_does_nothing_is_found_out() {
    let played = process(&["--every", "97", "--binary", "/bin/true"]);
    let said = String::from_utf8_lossy(&played.stdout);
    assert!(!played.status.success(), "{said}");
    assert!(said.contains("C6 result"), "{said}");
}
