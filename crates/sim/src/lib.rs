//! Servers that behave like App Platform and the GitHub calls Harbor Pilot uses.

mod clock;
mod github;
mod routes;
mod token;
mod world;

pub use clock::Clock;
pub use github::{GitHubState, Pushed};
pub use token::{Side, Token};
pub use world::World;
