//! The client against HTTP: a mock server over real sockets for what is sent and understood, an
//! in-process transport with a virtual clock for waits and deadlines.
#![cfg(test)]

mod calls;
mod contract;
mod deployments;
mod errors;
mod events;
mod secrets;
mod sticky;
mod support;
mod waits;
