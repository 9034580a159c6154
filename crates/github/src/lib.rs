//! The Actions runner protocol and the GitHub calls that Harbor Pilot uses.
