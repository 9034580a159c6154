//! A stage for the Action: one world in process, people who push, label and merge, and a runner that leaves the event,
//! the inputs and the files of a step and reads back what the step wrote.

use digitalocean::Transport;
use harbor_pilot::host::{Host, Stream, Wire};
use http_body_util::BodyExt as _;
use runner::{StopSwitch, stop_switch};
use serde_json::{Value, json};
use sim::{
    Act, Clock, Edits, GitHubState, MergeMethod, NewPullRequest, Pushed, World, WorldConfig,
};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tempfile::TempDir;
use tower::{Service as _, ServiceExt as _};

pub(crate) const TER_235: &str = ".harbor-pilot/ter-235.yml";
pub(crate) const REPO: &str = "acme/shop";
pub(crate) const APP: &str = "11111111-1111-4111-8111-111111111111";
pub(crate) const DO_TOKEN: &str =
    "dop_v1_canary0canary0canary0canary0canary0canary0canary0canary0canary0";
pub(crate) const GH_TOKEN: &str = "ghs_canaryCanaryCanaryCanaryCanaryCanary";
const BASE: &str = "http://127.0.0.1:9";

/// What a step left behind.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: u8,
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) summary: String,
    pub(crate) outputs: BTreeMap<String, String>,
    pub(crate) state: BTreeMap<String, String>,
}

impl Ran {
    pub(crate) fn output(&self, name: &str) -> &str {
        self.outputs
            .get(name)
            .unwrap_or_else(|| panic!("no output `{name}` in {:?}", self.outputs))
    }

    /// Everything that anybody could read of it.
    pub(crate) fn all(&self) -> String {
        format!(
            "{}\n{}\n{}\n{:?}\n{:?}",
            self.out, self.err, self.summary, self.outputs, self.state
        )
    }
}

/// One world and what is set in its workflow.
pub(crate) struct Stage {
    pub(crate) world: World,
    pub(crate) inputs: BTreeMap<String, String>,
    pub(crate) vars: BTreeMap<String, String>,
    pub(crate) github_down: Arc<AtomicBool>,
    folder: TempDir,
    runs: Cell<u64>,
    steps: Cell<u32>,
    last: RefCell<Option<Pushed>>,
}

/// A manifest of steps, as YAML.
pub(crate) fn manifest(steps: &[(&str, &str)]) -> String {
    let steps: Vec<Value> = steps
        .iter()
        .map(|(name, run)| json!({ "name": name, "run": run }))
        .collect();
    json!({ "steps": steps }).to_string()
}

/// A manifest of two steps that work.
pub(crate) fn good() -> String {
    manifest(&[
        ("columns", "echo adding columns"),
        ("backfill", "echo filling in"),
    ])
}

/// Returns the keys below `section` of action.yml.
pub(crate) fn action_yml(section: &str) -> Vec<String> {
    let text =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../action.yml")).unwrap();
    let lines = text
        .lines()
        .skip_while(|line| *line != format!("{section}:"))
        .skip(1);
    let own = lines.take_while(|line| line.is_empty() || line.starts_with(' '));
    let key = |line: &str| {
        let (key, _) = line.strip_prefix("  ")?.split_once(':')?;
        Some(key.to_owned()).filter(|key| !key.starts_with([' ', '#']))
    };
    own.filter_map(key).collect()
}

/// Replaces what differs from run to run: ids, times and paths.
pub(crate) fn redacted(text: &str) -> String {
    let rules = [
        (
            r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
            "<uuid>",
        ),
        (r"migrate-[0-9a-z]{8}-e", "migrate-<key>-e"),
        (r"key=[0-9a-hjkmnp-tv-z]{8}", "key=<key>"),
        (r"\b[0-9a-f]{32,}\b", "<hex>"),
        (r"\b[0-9a-f]{7,12}\b", "<short>"),
        (r"/tmp/\S*?/temp/", "<temp>/"),
        (r"\d{4}-\d\d-\d\dT[0-9:.]+Z", "<time>"),
        (r"\b\d\d:\d\d(:\d\d)?\b", "<time>"),
    ];
    rules.iter().fold(text.to_owned(), |text, (pattern, name)| {
        regex::Regex::new(pattern)
            .unwrap()
            .replace_all(&text, *name)
            .into_owned()
    })
}

fn config(change: impl FnOnce(&mut Value)) -> WorldConfig {
    let mut github = json!({
        "html_url": BASE,
        "users": ["mona", {"login": "acme", "type": "Organization"}],
        "tokens": { GH_TOKEN: {
            "login": "github-actions[bot]",
            "permissions": {"contents": "read", "pull-requests": "write", "deployments": "write"},
            "repositories": [REPO],
        }},
        "repositories": [{
            "name": REPO,
            "visibility": "private",
            "files": {"Dockerfile": "FROM scratch\n", ".github/harbor-pilot.yml": "app: shop\n"},
            "collaborators": {"mona": "admin"},
            "labels": ["needs-migration"],
        }],
    });
    change(&mut github);
    let spec = json!({
        "name": "shop",
        "region": "nyc",
        "services": [{
            "name": "web",
            "github": {"repo": REPO, "branch": "main", "deploy_on_push": true},
            "dockerfile_path": "Dockerfile",
            "http_port": 3000,
            "instance_size_slug": "apps-s-1vcpu-1gb",
            "instance_count": 1,
            "health_check": {"http_path": "/health"},
            "envs": [
                {"key": "DATABASE_URL", "scope": "RUN_TIME", "value": "${db.DATABASE_URL}"},
                {"key": "JWT_SECRET", "scope": "RUN_TIME", "type": "SECRET", "value": "plain-jwt-secret"},
            ],
        }],
        "databases": [{"name": "db", "engine": "MYSQL", "version": "8", "production": true, "cluster_name": "shop-mysql"}],
        "domains": [{"domain": "shop.example.com", "type": "PRIMARY"}],
    });
    serde_json::from_value(json!({
        "tokens": [{"token": DO_TOKEN, "user": "dev@example.com", "scopes": ["*"]}],
        "apps": [{"id": APP, "spec": spec, "age_seconds": 600}],
        "databases": [{
            "id": "55555555-5555-4555-8555-555555555555",
            "name": "shop-mysql",
            "database_url": "mysql://doadmin:canary-db-password@127.0.0.1:3306/shop",
            "rules": [{"type": "app", "value": APP}],
        }],
        "github": github,
    }))
    .unwrap()
}

/// Reaches the world; GitHub's half answers nothing while `down` is set.
fn transport(world: &World, down: Arc<AtomicBool>) -> Transport {
    let inner = world.in_process();
    Transport::new(tower::service_fn(
        move |request: http::Request<bytes::Bytes>| {
            let (mut inner, down) = (inner.clone(), Arc::clone(&down));
            async move {
                if down.load(Ordering::Relaxed) && request.uri().path().starts_with("/repos/") {
                    std::future::pending::<()>().await;
                }
                let answer = inner.ready().await?.call(request).await?;
                Ok::<_, digitalocean::BoxError>(
                    answer.map(|body| body.map_err(Into::into).boxed_unsync()),
                )
            }
        },
    ))
}

/// Reads a file of `name<<delimiter` entries, as the runner does.
fn entries(path: &Path) -> BTreeMap<String, String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let mut lines = text.lines();
    let mut found = BTreeMap::new();
    while let Some((name, delimiter)) = lines.next().and_then(|line| line.split_once("<<")) {
        let value: Vec<&str> = lines
            .by_ref()
            .take_while(|line| *line != delimiter)
            .collect();
        found.insert(name.to_owned(), value.join("\n"));
    }
    found
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    /// A stage whose GitHub half differs.
    pub(crate) fn with(change: impl FnOnce(&mut Value)) -> Self {
        let start = "2026-02-18T00:30:00Z".parse().unwrap();
        let world = World::new(config(change), Clock::starting_at(start)).unwrap();
        world.set_public_base(BASE);
        Self {
            world,
            inputs: BTreeMap::new(),
            vars: BTreeMap::new(),
            github_down: Arc::default(),
            folder: tempfile::tempdir().unwrap(),
            runs: Cell::new(9000),
            steps: Cell::new(0),
            last: RefCell::default(),
        }
    }

    pub(crate) fn spec(&self) -> Value {
        self.world.state()["apps"][0]["spec"].clone()
    }

    /// How often the app's spec was written through the API.
    pub(crate) fn puts(&self) -> usize {
        self.world
            .requests()
            .iter()
            .filter(|request| request.call == Some("apps.update"))
            .count()
    }

    /// The claims as GitHub keeps them, with their statuses.
    pub(crate) fn payloads(&self) -> String {
        self.github(|github, _| format!("{:?}", github.deployments(REPO)))
    }

    /// When our comment on a pull request was made and edited.
    pub(crate) fn comment_writes(&self) -> Vec<jiff::Timestamp> {
        let requests = self.world.requests().into_iter();
        let ours = requests
            .filter(|request| request.method != "GET" && request.path.contains("/comments"));
        ours.map(|request| request.at).collect()
    }

    /// Has another workflow write to GitHub.
    pub(crate) async fn post_to_github(&self, path: &str, body: &Value) {
        let request = http::Request::post(format!("/repos/{REPO}/{path}"))
            .header("user-agent", "another-workflow")
            .header("authorization", format!("Bearer {GH_TOKEN}"))
            .header("content-type", "application/json")
            .body(bytes::Bytes::from(body.to_string()))
            .unwrap();
        let mut github = self.world.in_process();
        let answer = github.ready().await.unwrap().call(request).await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
    }

    /// How many calls were made to GitHub.
    pub(crate) fn github_calls(&self) -> usize {
        self.world
            .requests()
            .iter()
            .filter(|request| request.to == sim::Face::GitHub)
            .count()
    }

    /// What the job printed, as it was kept on disk.
    pub(crate) fn job_output(&self, ran: &Ran) -> String {
        fs::read_to_string(ran.output("log-path")).unwrap()
    }

    /// Pushes files to `main` without a pull request.
    pub(crate) fn push(&self, files: &[(&str, &str)]) -> Pushed {
        let edits = files
            .iter()
            .fold(Edits::new(), |edits, (path, text)| edits.write(path, *text));
        self.world
            .push(REPO, "main", (&edits, "a direct push"), "mona")
            .unwrap()
    }

    /// The last push that was merged by [`Stage::land`].
    pub(crate) fn last_push(&self) -> Pushed {
        self.last.borrow().clone().unwrap()
    }

    pub(crate) fn github<T>(&self, work: impl FnOnce(&mut GitHubState, Act<'_>) -> T) -> T {
        self.world
            .github(|github, at| work(github, Act { login: "mona", at }))
    }

    /// Opens a pull request that writes files on a branch of its own.
    pub(crate) fn open(&self, number: u64, title: &str, files: &[(&str, &str)]) {
        self.open_from(number, title, &format!("topic-{number}"), files);
    }

    /// Opens a pull request into another branch.
    pub(crate) fn open_into(&self, number: u64, base: &str, files: &[(&str, &str)]) {
        self.open_with(
            files,
            NewPullRequest {
                number: Some(number),
                title: format!("into {base}"),
                head: format!("topic-{number}"),
                base: Some(base.to_owned()),
                ..NewPullRequest::default()
            },
        );
    }

    pub(crate) fn open_from(&self, number: u64, title: &str, head: &str, files: &[(&str, &str)]) {
        self.open_with(
            files,
            NewPullRequest {
                number: Some(number),
                title: title.to_owned(),
                head: head.to_owned(),
                ..NewPullRequest::default()
            },
        );
    }

    /// Opens a pull request that takes a file away.
    pub(crate) fn open_without(&self, number: u64, title: &str, path: &str) {
        let new = NewPullRequest {
            number: Some(number),
            title: title.to_owned(),
            head: format!("topic-{number}"),
            edits: Edits::new().delete(path),
            ..NewPullRequest::default()
        };
        self.github(|github, act| github.open_pull_request(REPO, &new, act))
            .unwrap();
    }

    fn open_with(&self, files: &[(&str, &str)], new: NewPullRequest) {
        let edits = files
            .iter()
            .fold(Edits::new(), |edits, (path, text)| edits.write(path, *text));
        let new = NewPullRequest { edits, ..new };
        self.github(|github, act| github.open_pull_request(REPO, &new, act))
            .unwrap();
    }

    pub(crate) fn label(&self, number: u64, label: &str) {
        self.github(|github, act| github.add_label(REPO, number, label, act))
            .unwrap();
    }

    pub(crate) fn labels(&self, number: u64) -> Vec<String> {
        self.github(|github, _| {
            github
                .labels(REPO, number)
                .into_iter()
                .map(str::to_owned)
                .collect()
        })
    }

    pub(crate) fn comments(&self, number: u64) -> Vec<String> {
        self.github(|github, _| {
            github
                .comments(REPO, number)
                .into_iter()
                .map(|comment| comment.body.clone())
                .collect()
        })
    }

    /// Merges pull requests with one push, and returns what the push was.
    pub(crate) fn land(&self, numbers: &[u64]) -> Pushed {
        let pushed = self
            .github(|github, act| github.merge_queue(REPO, numbers, MergeMethod::Squash, act))
            .unwrap();
        self.world.on_push(&pushed);
        self.last.replace(Some(pushed.clone()));
        pushed
    }

    /// Merges pull requests with one push, and runs the workflow that it starts.
    pub(crate) async fn merge(&self, numbers: &[u64]) -> Ran {
        let pushed = self.land(numbers);
        self.pushed(&pushed).await
    }

    /// Runs the workflow that a push starts.
    pub(crate) async fn pushed(&self, pushed: &Pushed) -> Ran {
        let event = self.github(|github, _| github.push_event(pushed)).unwrap();
        self.step("push", &event).await
    }

    /// Runs the workflow that something that happened to a pull request starts.
    pub(crate) async fn pull_request(&self, number: u64, action: &str, label: Option<&str>) -> Ran {
        let event = self
            .github(|github, _| github.pull_request_event((REPO, number), action, label, "mona"))
            .unwrap();
        self.step("pull_request", &event).await
    }

    /// Starts the workflow by hand.
    pub(crate) async fn by_hand(&self, inputs: &[(&str, &str)]) -> Ran {
        let inputs = inputs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let event = self.github(|github, _| {
            github.workflow_dispatch_event(REPO, ("migrate.yml", "main"), &inputs, "mona")
        });
        self.step("workflow_dispatch", &event.unwrap()).await
    }

    /// Runs the step for an event, as a workflow run of its own.
    pub(crate) async fn step(&self, name: &str, event: &Value) -> Ran {
        self.runs.set(self.runs.get() + 1);
        self.again(name, event).await
    }

    /// Runs the step again in the same workflow run, as "Re-run jobs" does.
    pub(crate) async fn again(&self, name: &str, event: &Value) -> Ran {
        let ((host, out, err), _switch, folder) = self.host(name, event);
        let code = main_step(host).await;
        left(code, (&out, &err), &folder)
    }

    /// Runs the post step with what a main step saved.
    pub(crate) async fn post(&self, state: &BTreeMap<String, String>) -> Ran {
        let ((mut host, out, err), _switch, folder) = self.host("push", &json!({}));
        host.vars.extend(
            state
                .iter()
                .map(|(name, value)| (format!("STATE_{name}"), value.clone())),
        );
        let code = harbor_pilot::run(host, vec!["/harbor-pilot-post".into()]).await;
        left(code, (&out, &err), &folder)
    }

    /// The surroundings of a step, the switch that stops it, and the folder with its files.
    pub(crate) fn host(
        &self,
        name: &str,
        event: &Value,
    ) -> (
        (Host, harbor_pilot::host::Kept, harbor_pilot::host::Kept),
        StopSwitch,
        PathBuf,
    ) {
        let folder = self
            .folder
            .path()
            .join(format!("step-{}", self.steps.replace(self.steps.get() + 1)));
        fs::create_dir(&folder).unwrap();
        let file = |file: &str| folder.join(file).display().to_string();
        fs::write(file("event.json"), event.to_string()).unwrap();
        let run = self.runs.get().to_string();
        let given = [
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_ACTOR", "mona"),
            ("GITHUB_API_URL", BASE),
            ("GITHUB_SERVER_URL", BASE),
            ("GITHUB_REPOSITORY", REPO),
            ("GITHUB_RUN_ID", &run),
            ("GITHUB_RUN_ATTEMPT", "1"),
            (
                "GITHUB_WORKFLOW_REF",
                "acme/shop/.github/workflows/migrate.yml@refs/heads/main",
            ),
            ("GITHUB_EVENT_NAME", name),
            ("GITHUB_EVENT_PATH", &file("event.json")),
            ("GITHUB_OUTPUT", &file("output")),
            ("GITHUB_STATE", &file("state")),
            ("GITHUB_STEP_SUMMARY", &file("summary")),
            ("RUNNER_TEMP", &file("temp")),
            ("INPUT_TOKEN", DO_TOKEN),
            ("INPUT_GITHUB-TOKEN", GH_TOKEN),
            ("INPUT_MODE", "auto"),
            ("INPUT_APP", ""),
            ("INPUT_API-URL", BASE),
        ];
        let mut vars: BTreeMap<String, String> = given
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        for (name, value) in &self.inputs {
            vars.insert(format!("INPUT_{}", name.to_uppercase()), value.clone());
        }
        vars.extend(self.vars.clone());
        let (out, seen_out) = Stream::kept();
        let (err, seen_err) = Stream::kept();
        let (switch, stop) = stop_switch();
        let mut host = Host::new(
            out,
            err,
            folder.clone(),
            Wire::Given(transport(&self.world, Arc::clone(&self.github_down))),
            stop,
        );
        host.vars = vars;
        ((host, seen_out, seen_err), switch, folder)
    }
}

/// Runs the image's entry point.
pub(crate) async fn main_step(host: Host) -> u8 {
    harbor_pilot::run(host, vec!["/harbor-pilot".into(), "action".into()]).await
}

/// Reads what a step left.
pub(crate) fn left(
    code: u8,
    (out, err): (&harbor_pilot::host::Kept, &harbor_pilot::host::Kept),
    folder: &Path,
) -> Ran {
    Ran {
        code,
        out: out.text(),
        err: err.text(),
        summary: fs::read_to_string(folder.join("summary")).unwrap_or_default(),
        outputs: entries(&folder.join("output")),
        state: entries(&folder.join("state")),
    }
}
