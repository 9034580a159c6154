//! The GitHub REST calls under `/repos/…`.

use crate::World;
use axum::Router;

/// Returns the GitHub routes over `world`.
pub(crate) fn router(_world: World) -> Router {
    Router::new()
}
