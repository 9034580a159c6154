//! The harbor-pilot binary: arguments, environment, wiring, publishing, exit codes.
