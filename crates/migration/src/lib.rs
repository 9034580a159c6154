//! Everything decided or worded about one migration: pure, no I/O, no clock.
