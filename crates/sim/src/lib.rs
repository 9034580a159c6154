//! Servers that behave like App Platform and the GitHub calls Harbor Pilot uses.
