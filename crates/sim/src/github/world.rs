//! How a test or a story reaches the GitHub half of a world.

use jiff::Timestamp;

use super::{ControlError, GitHubState, Pushed};
use crate::World;

impl World {
    /// Runs `work` on GitHub at the simulated time. Must not be nested.
    pub fn github<T>(&self, work: impl FnOnce(&mut GitHubState, Timestamp) -> T) -> T {
        self.at_now(|state| work(&mut state.github, state.now))
    }

    /// Runs `work`, which pushes or merges, and lets App Platform hear of the push.
    ///
    /// # Errors
    ///
    /// Those of `work`; App Platform hears of nothing then.
    pub fn github_push(
        &self,
        work: impl FnOnce(&mut GitHubState, Timestamp) -> Result<Pushed, ControlError>,
    ) -> Result<Pushed, ControlError> {
        self.at_now(|state| {
            let pushed = work(&mut state.github, state.now)?;
            state.on_push(&pushed);
            Ok(pushed)
        })
    }
}
