//! The HTTP faces of a world, one module per group of endpoints.

pub(crate) mod github;
