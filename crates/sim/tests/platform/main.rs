//! The App Platform half of a world, seen as its callers see it: over HTTP requests, in virtual time.
#![cfg(test)]

mod client;
mod contract;
mod deploying;
mod errors;
mod faults;
mod firewall;
mod jobs;
mod logs;
mod overlap;
mod rollback;
mod sockets;
mod specs;
