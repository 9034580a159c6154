//! Carries a goal out against a live platform, surviving a crash at any point.
//!
//! One loop: observe → `next` → act. What `next` decides is `migration`'s, where a URL leads is `digitalocean`'s; here
//! are the order of effects, the waits and their deadlines, and the one stream of events that feeds every report.
//!
//! **Architecture invariant:** no GitHub, no standard output, no environment. The ledger and the history of commits
//! are ports ([`Ledger`], [`Lineage`]) that the caller provides.

mod act;
mod cancel;
mod driver;
mod event;
mod ledger;
mod log;
mod observe;
mod poll;
mod preflight;
mod probe;
mod read;

pub use cancel::{StopSignal, StopSwitch, stop_switch};
pub use driver::{Ended, Harbor, clean, migrate, plan};
pub use event::stream;
pub use ledger::{Ledger, LedgerError, Lineage, NoLineage};
pub use poll::{Pace, PlatformClock};
pub use preflight::of_error;
