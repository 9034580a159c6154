//! `action`: the GitHub Action. Reads the event and the inputs, does what they come to, publishes, exits.
//!
//! | module | for |
//! |---|---|
//! | `inputs` | the inputs, which are the command line's choices |
//! | `duty` | which event may do what |
//! | `merged`, `pull_request`, `by_hand`, `clean`, `post`, `status` | one kind of event each |
//! | `repository` | config and manifests at a commit |
//! | `errand`, `conduct` | one migration, settled; carried out and told |
//! | `reporter` | the step's log and the comment while it runs |
//!
//! **Architecture invariant:** no checkout, no child process, and no text of an event that becomes anything but an
//! escaped name.

mod by_hand;
mod clean;
mod conduct;
mod duty;
mod errand;
mod inputs;
mod merged;
mod post;
mod pull_request;
mod reporter;
mod repository;
mod status;
mod work;

pub use inputs::names as input_names;

use crate::desk;
use crate::host::Host;
use crate::publish::console::Console;
use crate::settings::bad;
use crate::wiring::{self, GITHUB_TOKEN_VARIABLES, TOKEN_VARIABLES, chain};
use duty::{Duty, duty};
use futures_util::future::{Either, select};
use github::Event;
use github::actions::{Level, Outputs, RunnerEnvironment, SavedState, Summary};
use migration::render::{notices, result, summary, terminal};
use migration::{Exit, Links, Reason, Refusal, Report};
use std::future::Future;
use std::pin::pin;
use std::time::Duration;
use work::{Given, Work};

/// How long after a signal the process is gone at the latest; the runner kills the container 10 s after it.
const GONE_AFTER: Duration = Duration::from_millis(4_500);

/// Runs the main step and returns the exit code.
///
/// # Cancel safety
/// As [`runner::migrate`]: whoever looks next (post step, schedule, re-run) goes on.
pub async fn main(host: &Host) -> u8 {
    let console = Console::new(host);
    let done = async {
        match Box::pin(step(host, &console)).await {
            Ok(exit) => exit,
            Err(refusal) => refused(host, &console, refusal),
        }
    };
    until_gone(host, &console, done).await
}

/// Runs the post step and returns the exit code.
///
/// # Cancel safety
/// Safe: a removal that is cut off is looked at by whoever comes next.
pub async fn post(host: &Host) -> u8 {
    let console = Console::new(host);
    let Some(left) = post::Left::read(&SavedState::from_vars(host.vars.clone())) else {
        return Exit::Success.code();
    };
    mask(host, &console);
    let done = async {
        let work = async {
            let given = surroundings(host, &console, None)?;
            let work = Work::open_for_post(host, given, console.clone()).await?;
            Box::pin(post::post(&work, left)).await
        };
        match Box::pin(work).await {
            Ok(exit) => exit,
            Err(refusal) => refused(host, &console, refusal),
        }
    };
    until_gone(host, &console, done).await
}

/// Gives work its time to end after a signal, and no more.
async fn until_gone(host: &Host, console: &Console, work: impl Future<Output = Exit>) -> u8 {
    let mut stop = host.stop.clone();
    let gone = async {
        stop.asked().await;
        tokio::time::sleep(GONE_AFTER).await;
    };
    match select(pin!(work), pin!(gone)).await {
        Either::Left((exit, _)) => exit.code(),
        Either::Right(_) => {
            console.end_group();
            console
                .say("Ended by a signal; the post step and the schedule look after what is left.");
            let exit = if host.signal.is_terminate() {
                Exit::Terminated
            } else {
                Exit::Interrupted
            };
            exit.code()
        }
    }
}

async fn step(host: &Host, console: &Console) -> Result<Exit, Refusal> {
    mask(host, console);
    let event = event(host)?;
    // What an event may never do is told before anything is sent, or any input looked at.
    let by_hand = match &event {
        Event::WorkflowDispatch(by_hand) => Some(&by_hand.inputs),
        Event::Push(_)
        | Event::PullRequest(_)
        | Event::Schedule(_)
        | Event::PullRequestTarget
        | Event::WorkflowRun
        | Event::IssueComment
        | Event::Other { .. } => None,
    };
    if !matches!(event, Event::PullRequest(_)) {
        duty(&event, inputs::Mode::Auto, "")?;
    }
    let given = surroundings(host, console, by_hand)?;
    let mode = given.asked.mode;
    let work = Work::open(host, given, console.clone()).await?;
    let config = match &event {
        Event::PullRequest(event) => {
            let base = event
                .pull
                .base_ref
                .as_deref()
                .unwrap_or(&work.info.default_branch);
            repository::config(work.github(), work.asked.choices.config.as_deref(), base).await?
        }
        Event::Push(_)
        | Event::WorkflowDispatch(_)
        | Event::Schedule(_)
        | Event::PullRequestTarget
        | Event::WorkflowRun
        | Event::IssueComment
        | Event::Other { .. } => migration::Config::default(),
    };
    let label = work
        .asked
        .label
        .clone()
        .unwrap_or_else(|| config.label.clone());
    match duty(&event, mode, &label)? {
        Duty::Nothing(why) => Ok(work.nothing(why).await),
        Duty::Preview(event) => Ok(pull_request::preview(&work, event, &config).await),
        Duty::Late(event) => Ok(pull_request::late(&work, event, &config).await),
        Duty::Merged(push, after, mode) => Box::pin(merged::merged(&work, push, after, mode)).await,
        Duty::ByHand(event, mode) => Box::pin(by_hand::by_hand(&work, event, mode)).await,
        Duty::Reap => Box::pin(clean::reap(&work)).await,
        Duty::Status => status::status(&work).await,
    }
}

/// Has the runner hide every secret that it was not told of as one.
fn mask(host: &Host, console: &Console) {
    for secret in TOKEN_VARIABLES
        .iter()
        .chain(&GITHUB_TOKEN_VARIABLES)
        .filter_map(|name| host.var(name))
    {
        console.mask(secret);
    }
}

/// Reads the event that the runner left.
fn event(host: &Host) -> Result<Event, Refusal> {
    let unread = |error: &dyn std::error::Error| {
        Refusal::new(
            Reason::Usage,
            chain(error),
            "`action` runs in a workflow of GitHub Actions.",
        )
    };
    let environment = RunnerEnvironment::from_vars(host.vars.clone());
    let name = environment.event_name().map_err(|error| unread(&error))?;
    let path = environment.event_path().map_err(|error| unread(&error))?;
    let payload = std::fs::read(host.path(&path)).map_err(|error| unread(&error))?;
    Event::parse(name, &payload).map_err(|error| unread(&error))
}

/// Reads inputs and variables, and has the values of `secret-env` hidden too.
fn surroundings(
    host: &Host,
    console: &Console,
    by_hand: Option<&github::DispatchInputs>,
) -> Result<Given, Refusal> {
    let asked = inputs::read(host, by_hand)?;
    for value in asked
        .choices
        .secret_env
        .iter()
        .filter_map(|name| host.var(name.trim()))
    {
        console.mask(value);
    }
    if let Some(pace) = asked
        .choices
        .pace
        .filter(|pace| !(pace.is_finite() && *pace >= 1.0))
    {
        return Err(bad(
            "HARBOR_PILOT_PACE",
            &pace.to_string(),
            "it must be a number from 1 on",
        ));
    }
    let redactor = wiring::redactor(host, &asked.choices.secret_env);
    Ok(Given {
        asked,
        environment: RunnerEnvironment::from_vars(host.vars.clone()),
        redactor,
    })
}

/// Publishes why nothing was done, as far as that works without GitHub.
fn refused(host: &Host, console: &Console, refusal: Refusal) -> Exit {
    let environment = RunnerEnvironment::from_vars(host.vars.clone());
    let redactor = wiring::redactor(host, &[]);
    let mut report = Report {
        refusal: Some(refusal),
        ..Report::new(redactor, migration::Subject::default())
    };
    desk::name_signal(host, &mut report);
    let links = Links {
        run: environment.run_url().ok(),
        ..Links::default()
    };
    console.end_group();
    console.say(&terminal::render_final(&report, &links));
    let text = summary::render(&report, &links, summary::BUDGET);
    let written = environment
        .summary_path()
        .map(|path| Summary::open(&path).and_then(|mut file| file.append(&text)));
    if let Some(Err(error)) = written {
        console.say(&format!("The summary could not be written: {error}"));
    }
    if let Some(Ok(mut file)) = environment
        .output_path()
        .map(|path| Outputs::open(&path, Box::new(host.random)))
    {
        for (name, value) in result::outputs(&report) {
            if let Err(error) = file.set(name, &value) {
                console.say(&chain(&error));
            }
        }
    }
    let told = notices::render(&report, &links);
    for (level, notice) in [(Level::Error, told.error), (Level::Notice, told.notice)] {
        if let Some(notice) = notice {
            console.annotate(level, notice.title.as_str(), notice.message.as_str());
        }
    }
    report.reason().map_or(Exit::Usage, Reason::exit)
}
