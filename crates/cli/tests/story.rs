//! The TER-235 story, as `harbor-pilot demo` plays it, on other stages: in virtual time, and on MariaDB.
#![cfg(test)]
#![cfg(feature = "demo")]

use digitalocean::{BoxError, Transport};
use harbor_pilot::commands::demo::{Detail, Setting, Stage, play};
use harbor_pilot::host::{Stream, Wire};
use http_body_util::BodyExt as _;
use sim::World;
use tower::{Service as _, ServiceExt as _};

/// Leads to a world in this process.
fn in_process(world: &World) -> Wire {
    let inner = world.in_process();
    Wire::Given(Transport::new(tower::service_fn(move |request| {
        let mut inner = inner.clone();
        async move {
            let answer = inner.ready().await?.call(request).await?;
            Ok::<_, BoxError>(answer.map(|body| body.map_err(Into::into).boxed_unsync()))
        }
    })))
}

async fn story_on(database_url: Option<String>) {
    let program = env!("CARGO_BIN_EXE_harbor-pilot").into();
    let setting = Setting {
        program,
        database_url,
        pace: 1.0,
    };
    let stage = Stage::over(&setting, in_process).unwrap();
    let (out, told) = Stream::kept();
    let played = play(&stage, out, Detail::Full).await;
    let told = told.text();
    let played = played.unwrap_or_else(|error| panic!("{told}\n{error:#}"));
    let checks = played.checks;
    let failed: Vec<_> = checks
        .failed()
        .map(|check| {
            format!(
                "{}: {}",
                check.what,
                check.found.as_deref().unwrap_or_default()
            )
        })
        .collect();
    assert!(failed.is_empty(), "{told}\n\n{}", failed.join("\n\n"));
    // A story that checks nothing would pass.
    assert!(checks.0.len() >= 50, "only {} checks", checks.0.len());
    let minutes = played.took.as_secs() / 60;
    println!(
        "{} checks hold; {minutes} simulated minutes from the merge to the last check",
        checks.0.len()
    );
    assert!(
        minutes < 82,
        "{minutes} minutes are no less than by hand:\n{told}"
    );
}

#[tokio::test(start_paused = true)]
async fn sqlite_in_virtual_time() {
    story_on(None).await;
}

#[tokio::test(start_paused = true)]
async fn mariadb_in_virtual_time() {
    #[expect(
        clippy::disallowed_methods,
        reason = "names a server that only CI and scripts/with-mariadb start"
    )]
    let url = std::env::var("HARBOR_PILOT_MARIADB_URL");
    match url {
        Ok(url) => story_on(Some(url)).await,
        Err(_) => {
            println!("skipped: HARBOR_PILOT_MARIADB_URL is not set; scripts/with-mariadb sets it")
        }
    }
}
