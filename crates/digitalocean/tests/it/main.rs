//! What the platform sees of our calls, and what a caller learns from its answers.

#![cfg(test)]

mod apps;
mod contract;
mod databases;
mod deployments;
mod errors;
mod fixture;
mod logs;
mod put;
mod world;
