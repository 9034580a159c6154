//! Carries a goal out against a live platform, surviving a crash at any point.
