//! What sets one variant apart from another: how we behave, how the platform behaves, and how much may happen.

/// What a deployment does to one that is still in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overlap {
    /// It ends it.
    Supersede,
    /// It waits for it.
    Queue,
}

/// How an edit that an update of ours overwrote is found again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repair {
    /// By a replay of the deployments, as `migration::repair` does it.
    Replay,
    /// By a look at the deployment before ours alone.
    Predecessor,
    /// Not at all.
    Off,
}

/// How we and the platform behave.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    /// Runners at once.
    pub(super) runners: u8,
    /// A claim is made before an insert.
    pub(super) claims: bool,
    /// Only the oldest open claim inserts.
    pub(super) oldest_inserts: bool,
    /// A claim that another one made is closed only after the settle time, and a doubtful insert is given up only then.
    pub(super) settle: bool,
    /// A claim older than the settle time inserts nothing any more.
    pub(super) fresh: bool,
    /// What is sent on a claim takes effect within the settle time or never.
    pub(super) punctual: bool,
    /// An update takes effect, or never, and is answered or given up, before a deployment is over that began after it
    /// was sent.
    pub(super) prompt: bool,
    /// A doubtful insert is never sent again.
    pub(super) sent_once: bool,
    /// Nothing runs again that ran, or may have.
    pub(super) once: bool,
    /// The insert goes only into an app without a job of ours and without a deployment in flight.
    pub(super) free: bool,
    /// A job whose lease is over disarms itself.
    pub(super) lease: bool,
    /// A job that was built from another commit than planned disarms itself.
    pub(super) commit_check: bool,
    /// The script itself keeps a mark in the database that it ran.
    pub(super) script_guard: bool,
    pub(super) repair: Repair,
    /// A job that no open claim speaks of is claimed before it is taken out.
    pub(super) claims_removals: bool,
    /// A sweeper comes by for ever.
    pub(super) sweeper: bool,
    /// The token belongs to a user who edits nothing by hand.
    pub(super) own_user: bool,
    /// Deployments that nobody asked for, between an edit and the update of ours that overwrote it, hide that update from
    /// nobody.
    pub(super) sees_through: bool,
    pub(super) overlap: Overlap,
    /// A rollback takes the app's spec back with it.
    pub(super) rollback_reverts: bool,
    /// A person's rollback pins the app until it is committed; no update is taken meanwhile.
    pub(super) rollback_pins: bool,
    /// A person's rollback comes after every lease.
    pub(super) rollback_late: bool,
    /// A push rebuilds every component, and not only those that deploy on push.
    pub(super) push_rebuilds_all: bool,
}

/// The protocol as it is, with one runner, on the platform as it is taken to be.
pub(super) const PROTOCOL: Rules = Rules {
    runners: 1,
    claims: true,
    oldest_inserts: true,
    settle: true,
    fresh: true,
    punctual: true,
    prompt: true,
    sent_once: true,
    once: true,
    free: true,
    lease: true,
    commit_check: true,
    script_guard: false,
    repair: Repair::Replay,
    claims_removals: true,
    sweeper: true,
    own_user: true,
    sees_through: true,
    overlap: Overlap::Supersede,
    rollback_reverts: false,
    rollback_pins: true,
    rollback_late: false,
    push_rebuilds_all: true,
};
