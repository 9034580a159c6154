//! The handle on a world and everything that it holds.

use crate::clock::Clock;
use crate::github::{GitHubState, Pushed};
use crate::token::{Side, Token, presented};
use http::HeaderMap;
use jiff::Timestamp;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A cheap handle on one simulated pair of worlds; clones share it.
#[derive(Clone)]
pub struct World {
    state: Arc<Mutex<State>>,
}

/// What a world holds. Handlers see it through [`World::with`], already moved on to the time of the request.
pub(crate) struct State {
    /// The clock; handlers use [`State::now`] instead, so that one request sees one time.
    pub(crate) clock: Clock,
    /// The simulated time up to which everything has happened.
    pub(crate) now: Timestamp,
    /// The GitHub half.
    pub(crate) github: GitHubState,
    /// Every token that is known.
    pub(crate) tokens: Vec<Token>,
    /// What absolute URLs begin with, without a slash at the end.
    pub(crate) public_base: String,
}

impl World {
    /// Returns a world with nothing in it.
    #[must_use]
    pub fn empty(clock: Clock) -> Self {
        let now = clock.now();
        Self {
            state: Arc::new(Mutex::new(State {
                clock,
                now,
                github: GitHubState::default(),
                tokens: Vec::new(),
                public_base: "http://127.0.0.1".to_owned(),
            })),
        }
    }

    /// Runs `work` on the state under the lock. Must not be nested.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.lock())
    }

    /// A panic in another test thread must not hide its message behind a poisoned lock.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Returns the known token that a request presents, if it is good on that side.
    pub(crate) fn token(&self, side: Side, headers: &HeaderMap) -> Option<&Token> {
        let text = presented(headers)?;
        self.tokens
            .iter()
            .find(|known| known.side == side && known.token == text)
    }

    /// Starts the deployments that a push causes on apps whose components track the branch.
    pub(crate) fn on_push(&mut self, _pushed: &Pushed) {
        self.now = self.now.max(self.clock.now());
    }
}
