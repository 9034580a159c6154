//! `sim`: the built-in simulator on a socket of this machine, until it is stopped.

use super::demo::world::WORLD;
use super::sql;
use crate::args::{SimArgs, SimCommand};
use crate::desk::{self, Desk};
use crate::wiring::chain;
use futures_util::future::{Either, select};
use jiff::Timestamp;
use migration::{Reason, Refusal};
use serde_json::{Value, json};
use sim::{Clock, World, WorldConfig};
use std::pin::pin;
use tokio::net::TcpListener;

/// Serves a world and prints where, and what is in it.
pub(crate) async fn sim(desk: Desk<'_>, args: SimArgs) -> u8 {
    if let Some(SimCommand::Sql(args)) = &args.what {
        return sql::sql(&desk, args);
    }
    match serve(&desk, args).await {
        Ok(()) => Reason::Done.exit().code(),
        Err(refusal) => desk.refuse(refusal),
    }
}

async fn serve(desk: &Desk<'_>, args: SimArgs) -> Result<(), Refusal> {
    let usage = |message: String, hint: &str| Refusal::new(Reason::Usage, message, hint);
    if !args.listen.ip().is_loopback() {
        return Err(usage(
            format!(
                "the simulator listens on this machine only, not on `{}`",
                args.listen
            ),
            "It starts real processes for whoever asks: give a loopback address such as 127.0.0.1:0.",
        ));
    }
    if !(args.pace.is_finite() && args.pace >= 1.0) {
        return Err(usage(
            format!("`pace` holds `{}`, which it can't be", args.pace),
            "it must be a number from 1 on",
        ));
    }
    let text = match &args.world {
        None => WORLD.to_owned(),
        Some(path) => std::fs::read_to_string(desk.host.path(path)).map_err(|error| {
            usage(
                format!("cannot read the world `{}`: {error}", path.display()),
                "",
            )
        })?,
    };
    let config = WorldConfig::read(&text).map_err(|error| {
        usage(
            chain(&error),
            "Its form is told in the simulator's own documentation.",
        )
    })?;
    let ids = ids(&config);
    let start = config.start.unwrap_or_else(Timestamp::now);
    let world = World::new(config, Clock::starting_at(start).at_pace(args.pace))
        .map_err(|error| usage(chain(&error), ""))?;
    let listener = TcpListener::bind(args.listen).await;
    let listener = listener.map_err(|error| {
        usage(
            format!("cannot listen on `{}`: {error}", args.listen),
            "Port 0 takes a free one.",
        )
    })?;
    let address = listener
        .local_addr()
        .map_err(|error| usage(error.to_string(), ""))?;
    let mut document = ids;
    document["url"] = json!(format!("http://{address}"));
    document["pace"] = json!(args.pace);
    document["schema_version"] = json!(desk::SCHEMA_VERSION);
    desk.result(&told(&document), &document);
    let mut stop = desk.host.stop.clone();
    match select(pin!(sim::serve(world, listener)), pin!(stop.asked())).await {
        Either::Left((Err(error), _)) => Err(Refusal::new(
            Reason::PlatformUnreachable,
            format!("the simulator stopped: {error}"),
            "",
        )),
        Either::Left((Ok(()), _)) | Either::Right(_) => Ok(()),
    }
}

/// Returns what is in the world, by its ids. A world's tokens are made up and open nothing but it.
fn ids(config: &WorldConfig) -> Value {
    let text = |value: &Value, field: &str| {
        value
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let apps = config
        .apps
        .iter()
        .map(|app| json!({ "id": app.id, "name": text(&app.spec, "name") }));
    let databases = config
        .databases
        .iter()
        .map(|cluster| json!({ "id": cluster.id, "name": cluster.name }));
    let tokens = config.tokens.iter().map(|token| token.token.clone());
    let github = config.github.get("tokens").and_then(Value::as_object);
    let github = github.into_iter().flatten().map(|(token, _)| token.clone());
    let repositories = config.github.get("repositories").and_then(Value::as_array);
    let repositories = repositories
        .into_iter()
        .flatten()
        .map(|repository| text(repository, "name"));
    json!({
        "apps": apps.collect::<Vec<_>>(),
        "databases": databases.collect::<Vec<_>>(),
        "tokens": tokens.collect::<Vec<_>>(),
        "github_tokens": github.collect::<Vec<_>>(),
        "repositories": repositories.collect::<Vec<_>>(),
    })
}

fn told(document: &Value) -> String {
    let url = document
        .get("url")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let mut text = format!(
        "listening on {url} at pace {}\n",
        document.get("pace").unwrap_or(&Value::Null)
    );
    for (list, what) in [("apps", "app"), ("databases", "database")] {
        for one in document
            .get(list)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            let field = |field: &str| {
                one.get(field)
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned()
            };
            text.push_str(&format!("{what} {} ({})\n", field("name"), field("id")));
        }
    }
    for (list, what) in [
        ("repositories", "repository"),
        ("tokens", "DigitalOcean token"),
        ("github_tokens", "GitHub token"),
    ] {
        for one in document
            .get(list)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
        {
            text.push_str(&format!("{what} {one}\n"));
        }
    }
    text.push_str(&format!(
        "use it with DIGITALOCEAN_API_URL={url} GITHUB_API_URL={url}; Ctrl-C ends it\n"
    ));
    text
}
