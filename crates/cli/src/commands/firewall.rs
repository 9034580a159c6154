//! `firewall check` and `firewall restore`: the database's trusted sources, looked at or put back to the app alone.
//!
//! A restore never begins while a temporary job is in the app: the job may still need what is to be taken away, and a
//! write may start a deployment that runs it once more.

use super::run::agreed;
use super::status;
use crate::args::{FirewallArgs, FirewallCommand, FirewallRestore, FirewallWhich};
use crate::desk::{self, Desk};
use crate::wiring::{self, Access, Found};
use crate::{hint, settings};
use app_spec::{ClusterId, FirewallRules, RuleMatch};
use digitalocean::WriteOutcome;
use migration::{Reason, Refusal, extra_rules};
use serde_json::json;

/// Checks or restores.
pub(crate) async fn firewall(desk: Desk<'_>, args: FirewallArgs) -> u8 {
    let done = match args.what {
        FirewallCommand::Check(which) => check(&desk, which).await,
        FirewallCommand::Restore(restore) => Box::pin(put_back(&desk, restore)).await,
    };
    done.unwrap_or_else(|refusal| desk.refuse(refusal))
}

/// A firewall that was read.
struct Read {
    access: Access,
    found: Found,
    cluster: ClusterId,
    keep: Vec<RuleMatch>,
    rules: FirewallRules,
}

async fn read(desk: &Desk<'_>, which: FirewallWhich) -> Result<Read, Refusal> {
    let choices = which.place.choices().or_from(desk.host)?;
    let config = wiring::config(desk.host, &choices)?;
    let keep = settings::keep_rules(
        if which.keep_rule.is_empty() {
            &choices.keep_rule
        } else {
            &which.keep_rule
        },
        &config,
    )?;
    let wanted = wiring::wanted_app(&choices, None, &config)?;
    let access = wiring::access(desk.host, &choices)?;
    let found = wiring::resolve_app(&access, &wanted).await?;
    let given = which
        .database_cluster
        .as_deref()
        .or(choices.database_cluster.as_deref());
    let cluster = match settings::cluster(given, &config) {
        Some(cluster) => cluster,
        None => {
            let database = which.database.as_deref().or(choices.database.as_deref());
            let database = settings::database(database, &config, &found.app)?;
            cluster_of(&access, &found, &database).await?
        }
    };
    let rules = access
        .client
        .firewall(&cluster)
        .await
        .map_err(|error| wiring::refused(&access, &error))?;
    Ok(Read {
        access,
        found,
        cluster,
        keep,
        rules,
    })
}

/// Finds the cluster behind a database component by its name.
async fn cluster_of(access: &Access, found: &Found, database: &str) -> Result<ClusterId, Refusal> {
    let app = found.app.spec.name();
    let Some(component) = found.app.spec.database(database) else {
        let known: Vec<&str> = found
            .app
            .spec
            .databases()
            .map(|database| database.name())
            .collect();
        return Err(Refusal::new(
            Reason::DatabaseNotFound,
            format!("app `{app}` has no database `{database}`"),
            format!("It has: {}", settings::quoted(&known)),
        ));
    };
    let wanted = component.cluster_name().unwrap_or(database);
    let clusters = access
        .client
        .databases()
        .await
        .map_err(|error| wiring::refused(access, &error))?;
    clusters
        .iter()
        .find(|cluster| cluster.name == wanted)
        .map(|cluster| cluster.id.clone())
        .ok_or_else(|| {
            Refusal::new(
                Reason::ClusterNotFound,
                format!(
                    "cannot find the cluster `{wanted}` of database `{database}` of app `{app}`"
                ),
                "Give its id with `--database-cluster`: `doctl databases list` shows it.",
            )
        })
}

async fn check(desk: &Desk<'_>, which: FirewallWhich) -> Result<u8, Refusal> {
    let read = desk.unless_stopped(read(desk, which)).await??;
    Ok(tell(desk, &read, &read.rules, Wrote::No))
}

async fn put_back(desk: &Desk<'_>, args: FirewallRestore) -> Result<u8, Refusal> {
    if !args.yes && desk.host.input.is_none() {
        return Err(hint::unconfirmed("a write to the firewall"));
    }
    let read = desk.unless_stopped(read(desk, args.which)).await??;
    let app = &read.found.app.id;
    let target = read.rules.app_only(app, &read.keep);
    if target == read.rules {
        return Ok(tell(desk, &read, &read.rules, Wrote::No));
    }
    let survey = status::survey(&read.access, &read.found, None).await?;
    if let Some(job) = survey.jobs.first() {
        return Err(Refusal::new(
            Reason::StaleJob,
            format!(
                "the temporary job `{}` is in app `{}`, so the firewall is not touched",
                job.name,
                read.found.app.spec.name()
            ),
            "Let its run end, or take it out with `harbor-pilot reap`; then restore.",
        ));
    }
    desk.tell(&changes(&read));
    if !args.yes {
        agreed(desk).await?;
    }
    match read
        .access
        .client
        .put_firewall(&read.cluster, &target)
        .await
    {
        WriteOutcome::Applied(()) => {}
        WriteOutcome::NotApplied(error) => return Err(wiring::refused(&read.access, &error)),
        // Read back below: what stands there now is the answer.
        WriteOutcome::Ambiguous(error) => desk.warn(&format!(
            "the reply to the write was lost ({error}); reading it back"
        )),
    }
    let now = read
        .access
        .client
        .firewall(&read.cluster)
        .await
        .map_err(|error| wiring::refused(&read.access, &error))?;
    Ok(tell(desk, &read, &now, Wrote::Yes))
}

/// Whether the rules were written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wrote {
    Yes,
    No,
}

fn changes(read: &Read) -> String {
    let extra = extra_rules(&read.rules, &read.found.app.id, &read.keep);
    let mut text = format!(
        "The firewall of cluster {} is put back to app-only access:\n",
        read.cluster
    );
    for rule in &extra {
        text.push_str(&format!("  - {rule}\n"));
    }
    if !read.rules.admits_app(&read.found.app.id) {
        text.push_str(&format!("  + app {}\n", read.found.app.id));
    }
    text
}

fn tell(desk: &Desk<'_>, read: &Read, rules: &FirewallRules, wrote: Wrote) -> u8 {
    let app = &read.found.app.id;
    let extra: Vec<String> = extra_rules(rules, app, &read.keep)
        .iter()
        .map(|rule| desk.redactor.clean_line(rule).to_string())
        .collect();
    let admitted = rules.admits_app(app);
    let as_asked = extra.is_empty() && admitted;
    let mut text = match (as_asked, wrote) {
        (true, Wrote::Yes) => "The firewall was put back: only the app gets in, and the rules to keep. It takes minutes until the cluster acts on it.\n".to_owned(),
        (true, Wrote::No) => "The firewall is as it should be: only the app gets in, and the rules to keep.\n".to_owned(),
        (false, _) => String::new(),
    };
    if !admitted {
        text.push_str(&format!(
            "The firewall has no rule for the app itself ({app}).\n"
        ));
    }
    if !extra.is_empty() {
        text.push_str("Rules beside the app's own and the kept ones:\n");
        extra
            .iter()
            .for_each(|rule| text.push_str(&format!("  {rule}\n")));
    }
    if !as_asked && wrote == Wrote::No {
        text.push_str("`harbor-pilot firewall restore` puts it back; `--keep-rule TYPE:VALUE` keeps a rule.\n");
    }
    let reason = if as_asked {
        Reason::Done
    } else {
        Reason::Firewall
    };
    let document = json!({
        "schema_version": desk::SCHEMA_VERSION,
        "cluster": read.cluster.as_str(),
        "as_asked": as_asked,
        "admits_app": admitted,
        "extra_rules": extra,
        "written": wrote == Wrote::Yes,
        "exit_code": reason.exit().code(),
    });
    desk.result(
        desk.redactor.clean(&text).as_str(),
        &status::cleaned(desk, document),
    );
    reason.exit().code()
}
