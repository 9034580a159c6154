//! What the app is without us: the spec, the commit, the firewall that a run starts from and must give back.

use crate::{AppView, Observed, Request, RunRecord, WaitForDeploy};
use app_spec::{
    App, AppId, AppSpec, CommitSha, ComponentName, Deployment, Fingerprint, FirewallRules, Phase,
    RuleMatch,
};

/// Returns `spec` without any temporary job of ours and without the declared stale ones.
#[must_use]
pub fn without_ours(spec: &AppSpec, also_stale: &[ComponentName]) -> AppSpec {
    let ours = RunRecord::all(spec)
        .into_iter()
        .map(|record| record.job().component());
    let names: Vec<_> = ours.chain(also_stale.iter().cloned()).collect();
    spec.remove_jobs(&names, None)
}

/// Returns the fingerprint of `spec` without us: what a run starts from and must give back.
///
/// A secret counts only as present or absent: whether the platform encrypts a value anew at each reading is not
/// promised either way.
#[must_use]
pub fn baseline(spec: &AppSpec, also_stale: &[ComponentName]) -> Fingerprint {
    Fingerprint::without_secrets(&without_ours(spec, also_stale))
}

/// Returns the newest good deployment.
///
/// The list's row is preferred to the app's slot, whose copy may lack the spec. The list is read after the app: where
/// it shows that the slot's deployment is live no more, its own newest active row is the newer truth.
#[must_use]
pub fn live<'a>(app: &'a App, seen: &'a Observed) -> Option<&'a Deployment> {
    let slot = app.active.as_ref()?;
    let listed = seen.deployments.iter().find(|one| one.id == slot.id);
    match listed {
        Some(row) if row.phase == Phase::Active => Some(row),
        Some(row) => {
            let newest = seen
                .deployments
                .iter()
                .find(|one| one.phase == Phase::Active);
            Some(newest.unwrap_or(row))
        }
        None => Some(slot),
    }
}

/// Returns the commit that `reference` runs in the newest good deployment.
#[must_use]
pub fn live_commit(app: &App, seen: &Observed, reference: &ComponentName) -> Option<CommitSha> {
    live(app, seen)?
        .commit_of(reference.as_str())
        .and_then(|commit| CommitSha::parse(commit).ok())
}

/// Returns the commit that the job must be built from, where one can be known.
///
/// A newly added component is built at the branch's head (inferred from the API description of
/// `update_all_source_versions`). Where the reference component deploys on push, the head is what is live once
/// nothing is in flight; else it is the commit that asked.
#[must_use]
pub fn planned_commit(request: &Request, app: &App, seen: &Observed) -> Option<CommitSha> {
    let settings = &request.settings;
    let source = app.spec.component(settings.reference.as_str())?.source()?;
    source.branch()?;
    let asked = request.commit.clone();
    if source.deploys_on_push()
        && (settings.wait_for_deploy == WaitForDeploy::Live || asked.is_none())
    {
        live_commit(app, seen, &settings.reference)
    } else {
        asked
    }
}

/// Returns the rules beside the app's own and the kept ones, as people read them (`ip_addr 203.0.113.7`).
#[must_use]
pub fn extra_rules(rules: &FirewallRules, app: &AppId, keep: &[RuleMatch]) -> Vec<String> {
    let kept = rules.app_only(app, keep);
    let stays = |rule: &app_spec::FirewallRule<'_>| {
        kept.rules()
            .any(|kept| kept.kind() == rule.kind() && kept.value() == rule.value())
    };
    rules
        .rules()
        .filter(|rule| !stays(rule))
        .map(|rule| format!("{} {}", rule.kind(), rule.value()))
        .collect()
}

/// Returns the app, where it can be seen.
#[must_use]
pub fn app_of(seen: &Observed) -> Option<&App> {
    match &seen.app {
        AppView::Present(app) => Some(app),
        AppView::Gone | AppView::Unreachable(_) | AppView::Denied => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::planner::fixture::{APP, LIVE_COMMIT, World, deployment, request, spec};
    use serde_json::json;

    const OTHER_COMMIT: &str = "89abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn the_slots_deployment_is_live_while_the_list_shows_it_active() {
        let live = |rows: &[(&str, &str)]| {
            let mut world = World::new();
            world.deployments = rows
                .iter()
                .map(|(id, phase)| deployment(id, phase, &spec()))
                .collect();
            let seen = world.seen();
            live(app_of(&seen).unwrap(), &seen).unwrap().id.to_string()
        };
        assert_eq!(live(&[]), "d-live", "the slot alone");
        assert_eq!(live(&[("d-new", "ACTIVE"), ("d-live", "ACTIVE")]), "d-live");
        assert_eq!(
            live(&[("d-new", "ACTIVE"), ("d-live", "SUPERSEDED")]),
            "d-new"
        );
        assert_eq!(
            live(&[("d-new", "ERROR"), ("d-live", "SUPERSEDED")]),
            "d-live"
        );
    }

    #[test]
    fn the_job_is_built_from_the_live_commit_only_where_pushes_deploy() {
        let commit = |pushes: bool, wait: WaitForDeploy, asked: Option<&str>| {
            let mut world = World::new();
            world.spec["services"][0]["github"]["deploy_on_push"] = json!(pushes);
            let mut request = request();
            request.settings.wait_for_deploy = wait;
            request.commit = asked.map(|sha| CommitSha::parse(sha).unwrap());
            let seen = world.seen();
            planned_commit(&request, app_of(&seen).unwrap(), &seen).map(|sha| sha.to_string())
        };
        let (asked, live) = (Some(OTHER_COMMIT), Some(LIVE_COMMIT.to_owned()));
        assert_eq!(commit(true, WaitForDeploy::Live, asked), live);
        assert_eq!(commit(true, WaitForDeploy::Off, None), live);
        assert_eq!(commit(true, WaitForDeploy::Off, asked).as_deref(), asked);
        assert_eq!(commit(false, WaitForDeploy::Live, asked).as_deref(), asked);
        assert_eq!(commit(false, WaitForDeploy::Live, None), None);
    }

    #[test]
    fn another_rule_with_the_same_kind_or_the_same_value_is_extra() {
        let rules = FirewallRules::from_value(&json!([
            {"type": "app", "value": APP},
            {"type": "app", "value": "another"},
            {"type": "tag", "value": APP},
            {"type": "ip_addr", "value": "203.0.113.7"},
        ]))
        .unwrap();
        let keep = [RuleMatch::new(app_spec::RuleKind::IpAddr, "203.0.113.7")];
        assert_eq!(
            extra_rules(&rules, &AppId::new(APP), &keep),
            ["app another".to_owned(), format!("tag {APP}")]
        );
    }
}
