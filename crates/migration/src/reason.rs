//! Why a run ended as it did: one stable code, and the exit code that follows.

use serde::Serialize;

/// What the process exits with, as documented for users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[repr(u8)]
pub enum Exit {
    /// Done, skipped, planned or already ran.
    Success = 0,
    /// The migration failed.
    MigrationFailed = 1,
    /// Usage or configuration.
    Usage = 2,
    /// Authentication or scope.
    Authentication = 3,
    /// A deadline passed.
    TimedOut = 4,
    /// The migration failed and the platform rolled the app back.
    RolledBack = 5,
    /// Superseded or cancelled from outside.
    Superseded = 6,
    /// The clean-up is not proven: a person must act. Outranks the rest.
    CleanUpNotProven = 7,
    /// Another migration owns the app.
    Owned = 8,
    /// The migration is done, the app is unhealthy.
    Unhealthy = 9,
    /// It may have run; the truth can't be known.
    Unproven = 10,
    /// The app's state refuses it.
    RefusedByState = 11,
    /// Platform or ledger unreachable, nothing inserted.
    Unreachable = 12,
    /// The firewall is not as asked.
    Firewall = 13,
    /// SIGINT.
    Interrupted = 130,
    /// SIGTERM.
    Terminated = 143,
}

impl Exit {
    /// Returns the process exit code.
    #[must_use]
    pub fn code(self) -> u8 {
        self as u8
    }
}

macro_rules! reasons {
    ($($(#[doc = $doc:literal])* $name:ident = $text:literal => $exit:ident,)*) => {
        /// Why a run ended as it did. The code is stable: workflows compare it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason {
            $($(#[doc = $doc])* $name,)*
        }

        impl Reason {
            /// Every reason, in the documented order.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Returns the stable code (`migration-failed`).
            #[must_use]
            pub fn code(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }

            /// Returns what the process exits with.
            #[must_use]
            pub fn exit(self) -> Exit {
                match self {
                    $(Self::$name => Exit::$exit,)*
                }
            }

            /// Returns what the code means, in one sentence for the documentation.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($($doc),*).trim_ascii(),)*
                }
            }
        }
    };
}

reasons! {
    /// Every step ran and ended with 0, and the app was put back.
    Done = "done" => Success,
    /// Every check passed; no step was run.
    ChecksPassed = "checks-passed" => Success,
    /// The plan was made; nothing was to be run.
    Planned = "planned" => Success,
    /// There was nothing to do for this event.
    Skipped = "skipped" => Success,
    /// Every step was done by an earlier run.
    AlreadyDone = "already-done" => Success,
    /// Stale jobs were removed, or none were found.
    Cleaned = "cleaned" => Success,
    /// A check or step failed; the app keeps running as it was deployed.
    MigrationFailed = "migration-failed" => MigrationFailed,
    /// A check or step failed and the platform rolled the app back.
    RolledBack = "rolled-back" => RolledBack,
    /// A check failed; no step ran.
    CheckFailed = "check-failed" => MigrationFailed,
    /// A variable that the job needs was empty or still encrypted; no step ran.
    VariableMissing = "variable-missing" => MigrationFailed,
    /// The authority's epoch failed earlier; a re-run only reports it.
    AlreadyFailed = "already-failed" => MigrationFailed,
    /// An argument, input or variable is missing or has a wrong form.
    Usage = "usage" => Usage,
    /// The config file is missing, or has something wrong in it.
    BadConfig = "bad-config" => Usage,
    /// The manifest is missing, or has something wrong in it.
    BadManifest = "bad-manifest" => Usage,
    /// A command uses an operator that loses exit codes.
    OperatorRefused = "operator-refused" => Usage,
    /// The app was not found, or its name fits several.
    AppNotFound = "app-not-found" => Usage,
    /// The reference component is not in the app.
    ComponentNotFound = "component-not-found" => Usage,
    /// The database component is not in the app.
    DatabaseNotFound = "database-not-found" => Usage,
    /// The database cluster behind the firewall could not be found.
    ClusterNotFound = "cluster-not-found" => Usage,
    /// The health address is not on one of the app's own hosts.
    HealthUrlForeign = "health-url-foreign" => Usage,
    /// Several migrations could be meant.
    Ambiguous = "ambiguous" => Usage,
    /// The event may not run a migration (a fork, another branch, `pull_request_target`).
    EventRefused = "event-refused" => Usage,
    /// The platform's own validation refuses the edited spec.
    SpecRefused = "spec-refused" => Usage,
    /// A used migration id came back under other steps' names.
    IdReused = "id-reused" => Usage,
    /// The DigitalOcean token is missing or not accepted.
    Unauthorized = "unauthorized" => Authentication,
    /// The DigitalOcean token lacks a scope.
    MissingScope = "missing-scope" => Authentication,
    /// The GitHub token lacks a permission that is needed before anything is inserted.
    MissingPermission = "missing-permission" => Authentication,
    /// The access was lost while the run was under way.
    AccessLost = "access-lost" => CleanUpNotProven,
    /// The job did not start in time and was taken out.
    StartTimedOut = "start-timed-out" => TimedOut,
    /// The job ran longer than it may.
    JobTimedOut = "job-timed-out" => TimedOut,
    /// The whole run's deadline passed.
    Deadline = "deadline" => TimedOut,
    /// Another deployment in flight did not settle in time, so no job was put in over it.
    DeploymentInFlight = "deployment-in-flight" => RefusedByState,
    /// The merged commit's deployment was not seen in time, so no job was put in before it.
    DeployNotSeen = "deploy-not-seen" => RefusedByState,
    /// The merged commit's own deployment failed; no job was put in after it.
    DeployFailed = "deploy-failed" => RefusedByState,
    /// The deployment was cancelled or superseded from outside before the job began.
    Superseded = "superseded" => Superseded,
    /// The job never started, proven; it may be tried again.
    NeverStarted = "never-started" => MigrationFailed,
    /// The job is not proven to be out of the app.
    CleanUpNotProven = "clean-up-not-proven" => CleanUpNotProven,
    /// Our update overwrote somebody's edit at a place that was edited since, too; a person decides what stays.
    EditOverwritten = "edit-overwritten" => CleanUpNotProven,
    /// The job still runs and was left to itself; the sweeper takes it out.
    Detached = "detached" => CleanUpNotProven,
    /// The app was deleted meanwhile.
    AppGone = "app-gone" => CleanUpNotProven,
    /// Another migration's job is in the spec.
    Owned = "owned" => Owned,
    /// The migration is done; the app does not answer as healthy.
    Unhealthy = "unhealthy" => Unhealthy,
    /// The job may have run; its log does not prove how it ended.
    Unproven = "unproven" => Unproven,
    /// An earlier epoch is unproven; a person decides with `retry`.
    EarlierUnproven = "earlier-unproven" => Unproven,
    /// The app is pinned by a manual rollback.
    Pinned = "pinned" => RefusedByState,
    /// A step that is done has changed since.
    ChangedAfterDone = "changed-after-done" => RefusedByState,
    /// A job that was left in the spec by hand is not declared.
    UndeclaredJob = "undeclared-job" => RefusedByState,
    /// A foreign job has the temporary job's name.
    NameTaken = "name-taken" => RefusedByState,
    /// A stale temporary job could not be cleared.
    StaleJob = "stale-job" => RefusedByState,
    /// The app's own rule is missing in the database's firewall, so the job could not connect.
    AppRuleMissing = "app-rule-missing" => RefusedByState,
    /// The app never became active, so there is nothing to go back to.
    NothingLive = "nothing-live" => RefusedByState,
    /// The platform could not be reached before anything was inserted.
    PlatformUnreachable = "platform-unreachable" => Unreachable,
    /// No claim could be made, or the ledger did not list it in time, so no job was put in on it.
    LedgerUnreachable = "ledger-unreachable" => Unreachable,
    /// The firewall is not as it was asked to be.
    Firewall = "firewall" => Firewall,
    /// SIGINT ended the run.
    Interrupted = "interrupted" => Interrupted,
    /// SIGTERM ended the run.
    Terminated = "terminated" => Terminated,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn codes_are_unique_and_kebab() {
        let codes: BTreeSet<_> = Reason::ALL.iter().map(|reason| reason.code()).collect();
        assert_eq!(codes.len(), Reason::ALL.len());
        assert!(
            codes
                .iter()
                .all(|code| code.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'))
        );
    }

    #[test]
    fn every_reason_says_what_it_means() {
        assert!(
            Reason::ALL
                .iter()
                .all(|reason| reason.meaning().ends_with('.'))
        );
    }
}
