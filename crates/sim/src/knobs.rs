//! Every question that the platform's documentation leaves open, as a choice with all of its answers.
//!
//! A test that depends on one answer sets it; whoever wants to know that nothing depends on it runs under both.
//! The first answer of each is the default. Values are written in snake case in a world file and at `/_sim/knobs`.

use serde::{Deserialize, Serialize};
use std::time::Duration;

macro_rules! answers {
    ($($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident),+ $(,)? })+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$variant_doc])* $variant),+ }
    )+};
}

answers! {
    /// What a failed `POST_DEPLOY` job does to its deployment. First-hand accounts conflict.
    PostDeployFailure {
        /// `ERROR`, then a separate auto-rollback deployment.
        #[default] Rollback,
        /// The release stays live and becomes `ACTIVE`; only the job's own step says `ERROR`.
        StaysLive,
        /// `ERROR`, and the deployment before it simply stays the active one.
        Error,
    }
    /// What a failed `PRE_DEPLOY` job does to its deployment.
    PreDeployFailure {
        /// `ERROR`; the new code never goes live and no rollback deployment follows.
        #[default] Error,
        /// `ERROR`, then a separate auto-rollback deployment.
        Rollback,
    }
    /// What `app.spec` shows after an automatic rollback.
    SpecAfterRollback {
        /// The spec that failed.
        #[default] Kept,
        /// The spec of the deployment that was rolled back to.
        Reverted,
    }
    /// Whether the jobs in a spec run again when a rollback, or its reversal, deploys that spec.
    RollbackJobs {
        /// They are left alone.
        #[default] Skip,
        /// They run like in any other deployment.
        Rerun,
    }
    /// What a deployment does to one that is still in flight.
    Overlap {
        /// The older one turns `CANCELED`.
        #[default] Cancel,
        /// The older one goes on; the newer one waits in `PENDING_BUILD`.
        Queue,
        /// The older one turns `SUPERSEDED`.
        Supersede,
    }
    /// Whether rows of the deployment list carry the spec.
    ListSpec {
        /// As in a single deployment.
        #[default] Present,
        /// The rows lack it.
        Omitted,
    }
    /// Where a failed deployment is seen on the app.
    FailedSlot {
        /// In no slot at all.
        #[default] Leaves,
        /// It lingers as the one in progress until another one begins.
        Lingers,
    }
    /// Whether the reply to a spec update names the deployment it made.
    PutReply {
        /// As `pending_deployment`.
        #[default] Deployment,
        /// Not at all.
        Bare,
    }
    /// When a job's log is archived for the first time.
    LogArchive {
        /// When the job is over.
        #[default] AfterEnd,
        /// From its start on, growing.
        WhileRunning,
    }
    /// How the log endpoints answer for a component that has a log.
    LogAnswer {
        /// With its URLs.
        #[default] Normal,
        /// With an empty list.
        Empty,
        /// With status 400.
        BadRequest,
    }
    /// How archived logs are stored.
    LogEncoding {
        /// As text.
        #[default] Plain,
        /// Compressed, without saying so in a header.
        Gzip,
    }
    /// How `run_command` is started.
    RunCommand {
        /// Split into arguments, without a shell: `a && b` runs `a` with two odd arguments.
        #[default] Argv,
        /// By `/bin/sh -c`.
        Shell,
    }
    /// What a firewall update does to the apps that its rules name.
    FirewallPut {
        /// Nothing.
        #[default] Quiet,
        /// Each is deployed once more (`UPDATE_DATABASE_TRUSTED_SOURCES`).
        Deploys,
    }
    /// What an empty list of trusted sources means.
    EmptyFirewall {
        /// Nobody gets in.
        #[default] Closed,
        /// Everybody gets in.
        Open,
    }
    /// Whether a secret reads the same twice.
    EvOnRead {
        /// The same encrypted text each time.
        #[default] Stable,
        /// A new encrypted text at every read of the app; the older ones stay good.
        Changing,
    }
    /// What happens to an encrypted value sent back in another component of the same app.
    EvInNewComponent {
        /// It is decrypted there too.
        #[default] Accepted,
        /// The spec is refused.
        Rejected,
        /// It is taken, and the process sees the encrypted text.
        Undecryptable,
    }
    /// What happens to a spec field that nobody knows.
    UnknownField {
        /// It is stored and read back.
        #[default] Keep,
        /// The spec is refused.
        Reject,
    }
    /// Whether spec read-back is normalised.
    ReadBack {
        /// `GENERAL`, false, zero and empty values vanish, defaults appear.
        #[default] Normalised,
        /// As submitted.
        Verbatim,
    }
    /// Whether deploy-time jobs are seen among the job invocations.
    JobInvocations {
        /// One for each job of each deployment.
        #[default] Listed,
        /// None.
        Hidden,
    }
    /// Whether a deploy-time job's `timeout` is kept to.
    JobTimeout {
        /// The job is killed and counts as failed.
        #[default] Honoured,
        /// It runs on.
        Ignored,
    }
    /// Whether a deployment tells its cause in more than a sentence. Only the official client has these fields; the published
    /// description of the API does not promise them.
    CauseDetails {
        /// `cause_details` and `previous_deployment_id` are there.
        #[default] Shown,
        /// Neither is.
        Omitted,
    }
    /// How a time that is not set yet reads.
    UnsetTimes {
        /// The field is missing.
        #[default] Omitted,
        /// `0001-01-01T00:00:00Z`.
        Zero,
    }
    /// What a `COMMIT_HASH` binding turns into inside a job.
    CommitHash {
        /// The commit the component was built from.
        #[default] Resolved,
        /// The binding's own text.
        Literal,
        /// Nothing.
        Empty,
    }
    /// Which components a push rebuilds.
    PushRefreshes {
        /// Every component of the app on that branch, `deploy_on_push` or not.
        #[default] All,
        /// Only those with `deploy_on_push`.
        Tracking,
    }
    /// The phase while a `POST_DEPLOY` job runs.
    PostJobPhase {
        /// Still `DEPLOYING`.
        #[default] Deploying,
        /// `ACTIVE` already, since the services are live.
        Active,
    }
}

/// The answers in force in one world.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Knobs {
    /// See [`PostDeployFailure`].
    pub post_deploy_failure: PostDeployFailure,
    /// See [`PreDeployFailure`].
    pub pre_deploy_failure: PreDeployFailure,
    /// See [`SpecAfterRollback`].
    pub spec_after_rollback: SpecAfterRollback,
    /// See [`RollbackJobs`].
    pub rollback_jobs: RollbackJobs,
    /// See [`Overlap`].
    pub overlap: Overlap,
    /// See [`ListSpec`].
    pub list_spec: ListSpec,
    /// For how long a new deployment is missing from the list.
    pub list_lag_seconds: u64,
    /// See [`FailedSlot`].
    pub failed_slot: FailedSlot,
    /// See [`PutReply`].
    pub put_reply: PutReply,
    /// See [`LogArchive`].
    pub log_archive: LogArchive,
    /// How much later than [`Knobs::log_archive`] says an archived log appears.
    pub log_delay_seconds: u64,
    /// See [`LogAnswer`].
    pub log_answer: LogAnswer,
    /// Into how many archives a log is split; 0 counts as 1.
    pub log_parts: u32,
    /// See [`LogEncoding`].
    pub log_encoding: LogEncoding,
    /// See [`RunCommand`].
    pub run_command: RunCommand,
    /// See [`FirewallPut`].
    pub firewall_put: FirewallPut,
    /// How long a firewall update takes to reach the database. Observed: two to five minutes.
    pub firewall_propagation_seconds: u64,
    /// See [`EmptyFirewall`].
    pub empty_firewall: EmptyFirewall,
    /// See [`EvOnRead`].
    pub ev_on_read: EvOnRead,
    /// See [`EvInNewComponent`].
    pub ev_in_new_component: EvInNewComponent,
    /// See [`UnknownField`].
    pub unknown_spec_field: UnknownField,
    /// See [`ReadBack`].
    pub read_back: ReadBack,
    /// See [`JobInvocations`].
    pub job_invocations: JobInvocations,
    /// See [`JobTimeout`].
    pub job_timeout: JobTimeout,
    /// See [`CauseDetails`].
    pub cause_details: CauseDetails,
    /// See [`UnsetTimes`].
    pub unset_times: UnsetTimes,
    /// `${_self.COMMIT_HASH}` in a job; see [`CommitHash`].
    pub self_commit_hash: CommitHash,
    /// `${web.COMMIT_HASH}` in a job; see [`CommitHash`].
    pub component_commit_hash: CommitHash,
    /// See [`PushRefreshes`].
    pub push_refreshes: PushRefreshes,
    /// See [`PostJobPhase`].
    pub post_job_phase: PostJobPhase,
    /// Where set, `propose` refuses every spec with this message.
    pub propose_refusal: Option<String>,
    /// Requests per token and hour (documented: 5000).
    pub rate_limit_hour: u32,
    /// Requests per token and minute (documented: 250).
    pub rate_limit_minute: u32,
}

impl Default for Knobs {
    fn default() -> Self {
        Self {
            post_deploy_failure: PostDeployFailure::default(),
            pre_deploy_failure: PreDeployFailure::default(),
            spec_after_rollback: SpecAfterRollback::default(),
            rollback_jobs: RollbackJobs::default(),
            overlap: Overlap::default(),
            list_spec: ListSpec::default(),
            list_lag_seconds: 0,
            failed_slot: FailedSlot::default(),
            put_reply: PutReply::default(),
            log_archive: LogArchive::default(),
            log_delay_seconds: 0,
            log_answer: LogAnswer::default(),
            log_parts: 1,
            log_encoding: LogEncoding::default(),
            run_command: RunCommand::default(),
            firewall_put: FirewallPut::default(),
            firewall_propagation_seconds: 180,
            empty_firewall: EmptyFirewall::default(),
            ev_on_read: EvOnRead::default(),
            ev_in_new_component: EvInNewComponent::default(),
            unknown_spec_field: UnknownField::default(),
            read_back: ReadBack::default(),
            job_invocations: JobInvocations::default(),
            job_timeout: JobTimeout::default(),
            cause_details: CauseDetails::default(),
            unset_times: UnsetTimes::default(),
            self_commit_hash: CommitHash::default(),
            component_commit_hash: CommitHash::default(),
            push_refreshes: PushRefreshes::default(),
            post_job_phase: PostJobPhase::default(),
            propose_refusal: None,
            rate_limit_hour: 5000,
            rate_limit_minute: 250,
        }
    }
}

/// How long the parts of a deployment take, in simulated seconds. The defaults are the runbook's measurements.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Timing {
    /// From the request to the first build step; the deployment is not yet the one in progress.
    pub pending_seconds: u64,
    /// A build from source.
    pub build_seconds: u64,
    /// A build that is reused.
    pub reused_build_seconds: u64,
    /// A component that comes as an image.
    pub image_build_seconds: u64,
    /// Between the last build and the first deploy step.
    pub pending_deploy_seconds: u64,
    /// Rolling the services out and waiting for their health checks.
    pub deploy_seconds: u64,
    /// The same in a rollback, which finds its images ready.
    pub rollback_deploy_seconds: u64,
    /// Between a job's turn and the start of its process.
    pub job_start_seconds: u64,
    /// A job's process.
    pub job_seconds: u64,
    /// The last step.
    pub finalize_seconds: u64,
    /// From a failure to the rollback deployment.
    pub rollback_delay_seconds: u64,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            pending_seconds: 3,
            build_seconds: 270,
            reused_build_seconds: 2,
            image_build_seconds: 0,
            pending_deploy_seconds: 2,
            deploy_seconds: 240,
            rollback_deploy_seconds: 85,
            job_start_seconds: 10,
            job_seconds: 90,
            finalize_seconds: 2,
            rollback_delay_seconds: 5,
        }
    }
}

/// Returns a span of so many seconds.
pub(crate) const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_knob_reads_in_snake_case_and_a_wrong_one_is_refused() {
        let knobs: Knobs = serde_json::from_str(r#"{"post_deploy_failure":"stays_live"}"#).unwrap();
        assert_eq!(knobs.post_deploy_failure, PostDeployFailure::StaysLive);
        assert_eq!(knobs.overlap, Overlap::Cancel);
        assert!(serde_json::from_str::<Knobs>(r#"{"post_deploy_failures":"stays_live"}"#).is_err());
    }
}
