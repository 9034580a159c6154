//! The `harbor-pilot` binary.

fn main() {}
