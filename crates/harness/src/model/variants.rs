//! The fixed list of variants.

use super::check::{GONE, KEPT, ONCE, RAN, Variant};
use super::rules::{Overlap, PROTOCOL, Repair, Rules};
use super::world::Bounds;

/// What a variant is there to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    /// The protocol keeps every promise.
    Holds,
    /// It keeps its promises, and the commands may run again: that is not promised without a mark in the script.
    Allowed,
    /// With one rule taken away, or one thing that we rely on, a promise breaks.
    Breaks,
}

/// One variant of the list.
#[derive(Debug, Clone, Copy)]
pub(super) struct Case {
    pub(super) name: &'static str,
    /// What is special about it, in words.
    pub(super) what: &'static str,
    pub(super) variant: Variant,
    pub(super) expected: Expected,
    /// What must hold; where nothing must, the search ends when what must break has broken.
    pub(super) holds: &'static [&'static str],
    /// What must break.
    pub(super) breaks: &'static [&'static str],
}

const NOTHING: Bounds = Bounds {
    pushes: 0,
    edits: 0,
    rollbacks: 0,
    crashes: 0,
    lost: 0,
    reruns: 0,
    failures: 0,
    breaks: 0,
    sweeps: 0,
};
/// What goes wrong on our side and with the job.
const WRONG: Bounds = Bounds {
    crashes: 1,
    lost: 1,
    failures: 1,
    ..NOTHING
};
const TWO: Rules = Rules {
    runners: 2,
    ..PROTOCOL
};
/// Two runners, of which one may die and one may lose a reply.
const TWO_WRONG: Bounds = Bounds {
    crashes: 1,
    lost: 1,
    ..NOTHING
};

const fn holds(name: &'static str, what: &'static str, rules: Rules, bounds: Bounds) -> Case {
    Case {
        name,
        what,
        variant: Variant { rules, bounds },
        expected: Expected::Holds,
        holds: &[ONCE, GONE, KEPT, RAN],
        breaks: &[],
    }
}

const fn allowed(name: &'static str, what: &'static str, rules: Rules, bounds: Bounds) -> Case {
    Case {
        name,
        what,
        variant: Variant { rules, bounds },
        expected: Expected::Allowed,
        holds: &[ONCE, GONE, KEPT],
        breaks: &[RAN],
    }
}

const fn breaks(
    name: &'static str,
    what: &'static str,
    broken: &'static [&'static str],
    rules: Rules,
    bounds: Bounds,
) -> Case {
    Case {
        name,
        what,
        variant: Variant { rules, bounds },
        expected: Expected::Breaks,
        holds: &[],
        breaks: broken,
    }
}

/// Returns the variants, in the order of the table.
#[rustfmt::skip]
pub(super) fn all() -> Vec<Case> {
    const REVERTS: Rules = Rules { rollback_reverts: true, ..PROTOCOL };
    const QUEUES: Rules = Rules { overlap: Overlap::Queue, ..PROTOCOL };
    const GUARD: Rules = Rules { script_guard: true, ..PROTOCOL };
    const EDIT: Bounds = Bounds { edits: 1, ..NOTHING };
    const EDIT_WRONG: Bounds = Bounds { edits: 1, ..WRONG };
    const LATE: Rules = Rules { rollback_late: true, ..PROTOCOL };
    const ROLLBACK: Bounds = Bounds { rollbacks: 1, ..NOTHING };
    vec![
        holds("run", "the protocol, nobody edits", PROTOCOL, Bounds { pushes: 1, reruns: 1, ..WRONG }),
        holds("run-reverts", "a rollback takes the spec back", REVERTS, Bounds { pushes: 1, reruns: 1, ..WRONG }),
        holds("late-rollback", "a person's rollback after the lease", LATE, Bounds { pushes: 1, crashes: 1, ..ROLLBACK }),
        holds("script-guard", "the script keeps a mark of its own", GUARD, EDIT_WRONG),
        holds("two-runners", "two runners at once", TWO, TWO_WRONG),
        holds("two-runners-push", "two runners, and a push", TWO, Bounds { pushes: 1, ..NOTHING }),
        holds("two-runners-sweep", "two runners, and a sweeper beside them", TWO, Bounds { sweeps: 2, ..NOTHING }),
        allowed("edit", "somebody edits", PROTOCOL, EDIT_WRONG),
        allowed("edit-reverts", "a rollback takes the spec back", REVERTS, EDIT_WRONG),
        allowed("edit-queues", "deployments wait for each other", QUEUES, EDIT_WRONG),
        allowed("edit-queues-reverts", "both of these", Rules { rollback_reverts: true, ..QUEUES }, EDIT_WRONG),
        allowed("edit-and-push", "somebody edits, somebody pushes, no process dies", PROTOCOL, Bounds { pushes: 1, edits: 1, reruns: 1, failures: 1, ..NOTHING }),
        allowed("two-edits", "two people edit", PROTOCOL, Bounds { edits: 2, ..NOTHING }),
        allowed("two-runners-edit", "two runners, and an edit", TWO, EDIT),
        allowed("rollback", "a person's rollback inside the lease", PROTOCOL, Bounds { pushes: 1, crashes: 1, ..ROLLBACK }),
        allowed("services-fail", "a deployment fails for the services' sake", PROTOCOL, Bounds { pushes: 1, crashes: 1, lost: 1, breaks: 1, ..NOTHING }),
        allowed("push-rebuilds-some", "a push rebuilds only what deploys on push", Rules { push_rebuilds_all: false, ..PROTOCOL }, Bounds { pushes: 1, ..WRONG }),
        allowed("push-seen-through", "a push between an edit and a dead process's update", PROTOCOL, Bounds { pushes: 1, edits: 1, crashes: 1, failures: 1, ..NOTHING }),
        allowed("older-claim", "a run closes a dead one's claim after an edit", PROTOCOL, Bounds { edits: 1, crashes: 1, lost: 1, reruns: 1, ..NOTHING }),
        allowed("sweeper-dies", "a sweeper dies after the claim was closed", PROTOCOL, Bounds { edits: 1, rollbacks: 1, crashes: 1, ..NOTHING }),
        allowed("rollback-overtaken", "somebody's edit fails to deploy and is rolled back", REVERTS, Bounds { edits: 1, breaks: 1, ..NOTHING }),
        allowed("two-readings", "our job fails in a deployment of somebody else's, and a stale copy goes over that", PROTOCOL, Bounds { edits: 2, failures: 1, ..NOTHING }),
        breaks("no-claim", "inserts without a claim", &[ONCE], Rules { claims: false, ..PROTOCOL }, Bounds { crashes: 1, reruns: 1, ..NOTHING }),
        breaks("any-claim-inserts", "not only the oldest open claim inserts", &[ONCE], Rules { oldest_inserts: false, ..TWO }, NOTHING),
        breaks("no-settle-time", "an older claim is closed at once", &[ONCE], Rules { settle: false, ..TWO }, TWO_WRONG),
        breaks("old-claim-inserts", "a claim of any age inserts", &[ONCE], Rules { fresh: false, ..TWO }, TWO_WRONG),
        breaks("late-update", "an update takes effect after the settle time", &[ONCE], Rules { punctual: false, ..TWO }, Bounds { lost: 1, ..NOTHING }),
        breaks("sent-again", "a doubtful insert is sent again", &[ONCE], Rules { sent_once: false, ..PROTOCOL }, Bounds { lost: 1, ..NOTHING }),
        breaks("ran-again", "what ran is planned again", &[ONCE], Rules { once: false, ..TWO }, NOTHING),
        breaks("not-free", "inserts beside another job", &[ONCE], Rules { free: false, ..TWO }, NOTHING),
        breaks("no-lease", "a job never disarms itself for its age", &[RAN], Rules { lease: false, ..LATE }, ROLLBACK),
        breaks("no-commit-check", "a job runs whatever it was built from", &[RAN], Rules { commit_check: false, ..PROTOCOL }, Bounds { pushes: 1, ..NOTHING }),
        breaks("no-sweeper", "nobody comes after a run that died", &[GONE], Rules { sweeper: false, ..PROTOCOL }, Bounds { crashes: 1, ..NOTHING }),
        breaks("no-repair", "nothing is put back", &[KEPT], Rules { repair: Repair::Off, ..PROTOCOL }, EDIT),
        breaks("push-hides-removal", "a push hides an update of a dead process", &[KEPT], Rules { sees_through: false, ..PROTOCOL }, Bounds { pushes: 1, edits: 1, crashes: 1, ..NOTHING }),
        breaks("repair-predecessor", "what stood before the insert is put back", &[KEPT], Rules { repair: Repair::Predecessor, ..PROTOCOL }, EDIT),
        breaks("removal-unclaimed", "a job without an open claim is taken out without one", &[KEPT], Rules { claims_removals: false, ..PROTOCOL }, Bounds { edits: 1, rollbacks: 1, crashes: 1, ..NOTHING }),
        breaks("shared-user", "the token's user edits by hand, too", &[KEPT], Rules { own_user: false, ..PROTOCOL }, Bounds { crashes: 1, ..EDIT }),
        breaks("slow-update", "an update is under way for a whole deployment", &[KEPT], Rules { prompt: false, ..PROTOCOL }, Bounds { crashes: 1, ..EDIT }),
    ]
}
