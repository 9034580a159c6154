//! A pull request that asks for a migration: its plan before the merge, the command to run after it.

use super::conduct::finish;
use super::errand::{Errand, carry_out};
use super::merged::{meant, on_record};
use super::work::Work;
use crate::publish::{Labels, Stage};
use github::{PullRequestEvent, Sha};
use migration::{Authority, Config, Exit, Intent, Purpose, Reason, Refusal};

/// Plans every migration that the pull request means, each in a comment of its own.
///
/// The manifest is the head's: that is what would be merged. Everything else is the base's: a pull request must not
/// choose its own app, labels or firewall before somebody has reviewed it.
pub(crate) async fn preview(work: &Work<'_>, event: &PullRequestEvent, config: &Config) -> Exit {
    let (Some(head), Some(branch)) = (&event.pull.head_sha, &event.pull.base_ref) else {
        return work
            .nothing("the event does not tell what the pull request would merge")
            .await;
    };
    let meant = match meant(work, config, &event.pull, head.as_str()).await {
        Ok(meant) => meant,
        Err(refusal) => return refused(work, event, config, refusal).await,
    };
    let mut exit = Exit::Success;
    for located in meant {
        let errand = Errand {
            located,
            at: head.as_str().to_owned(),
            config: config.clone(),
            branch: branch.clone(),
            pull: Some(event.number()),
            intent: Intent::Run,
            // Stands for the merge that is not made yet; nothing is claimed with it.
            authority: Authority::Merge(head.as_str().to_owned()),
            purpose: Purpose::Preview,
        };
        let ended = Box::pin(carry_out(work, errand)).await;
        if exit == Exit::Success {
            exit = ended;
        }
    }
    exit
}

/// Says what to do when the label came after the merge: no push will run it any more.
pub(crate) async fn late(work: &Work<'_>, event: &PullRequestEvent, config: &Config) -> Exit {
    let pull = &event.pull;
    let branch = pull
        .base_ref
        .clone()
        .unwrap_or_else(|| work.info.default_branch.clone());
    let at = pull
        .merge_commit_sha
        .as_ref()
        .map_or(branch.as_str(), Sha::as_str);
    let labels = Labels::of(config, work.asked.label.as_deref());
    let meant = match meant(work, config, pull, at).await {
        Ok(meant) => meant,
        Err(refusal) => return refused(work, event, config, refusal).await,
    };
    for located in meant {
        let command = work.dispatch(&branch, "run", Some(&located.id));
        let refusal = Refusal::new(
            Reason::Skipped,
            format!(
                "the label `{}` was put on after the merge, so no push runs `{}`",
                labels.request, located.path
            ),
            format!("Run it by hand when it is wanted:\n\n    {command}"),
        );
        let links = work.links(&branch, Some(&located.id), Some(event.number()));
        // Only a notice: where the app is not to be seen, it goes without its key.
        let known = on_record(work, config, &located, at).await.ok().flatten();
        let mut report = work.refusal(Some(located.id), Some(event.number()), refusal);
        report.subject.key = known.map(|known| known.key);
        finish(
            work,
            report,
            &links,
            (Some(event.number()), &labels, None::<Stage>),
        )
        .await;
    }
    Exit::Success
}

async fn refused(
    work: &Work<'_>,
    event: &PullRequestEvent,
    config: &Config,
    refusal: Refusal,
) -> Exit {
    let labels = Labels::of(config, work.asked.label.as_deref());
    let links = work.links("", None, Some(event.number()));
    let report = work.refusal(None, Some(event.number()), refusal);
    finish(work, report, &links, (Some(event.number()), &labels, None)).await
}
