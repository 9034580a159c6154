//! A simulated platform on a loopback socket, and the binary pointed at it with nothing of this machine's environment.

use assert_cmd::Command;
use serde_json::{Value, json};
use sim::{Clock, Face, World, WorldConfig};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

pub(crate) const SHOP: &str = "11111111-1111-4111-8111-111111111111";

/// How much faster than real time the simulator runs: a run takes two seconds here, and every bound of a minute there
/// leaves a busy machine a quarter of a second.
pub(crate) const PACE: f64 = 240.0;

/// A binary that hangs fails its test after this long.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Bench {
    pub(crate) world: World,
    pub(crate) url: String,
    folder: TempDir,
    _serving: JoinSet<std::io::Result<()>>,
}

/// How a call ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// The world of these tests: one app from one repository with one database.
pub(crate) fn shop() -> Value {
    json!({
        "start": "2026-02-18T00:35:00Z",
        "tokens": [
            { "token": "do-token-canary", "user": "dev@example.com", "scopes": ["*"] },
            { "token": "do-database", "user": "dba@example.com", "scopes": ["database:read"] },
            { "token": "do-read", "user": "reader@example.com", "scopes": ["app:read", "database:read"] },
        ],
        "apps": [{
            "id": SHOP,
            "timing": { "build_seconds": 60, "deploy_seconds": 60, "job_seconds": 20 },
            "spec": {
                "name": "shop",
                "region": "nyc",
                "services": [{
                    "name": "web",
                    "github": { "repo": "acme/shop", "branch": "main", "deploy_on_push": true },
                    "dockerfile_path": "Dockerfile",
                    "http_port": 3000,
                    "instance_size_slug": "apps-s-1vcpu-1gb",
                    "instance_count": 1,
                    "health_check": { "http_path": "/health" },
                    "envs": [{ "key": "DATABASE_URL", "scope": "RUN_TIME", "value": "${db.DATABASE_URL}" }],
                }],
                "databases": [{ "name": "db", "engine": "MYSQL", "version": "8", "production": true, "cluster_name": "shop-mysql" }],
                "ingress": { "rules": [{ "match": { "path": { "prefix": "/" } }, "component": { "name": "web" } }] },
            },
        }],
        "databases": [{
            "id": "55555555-5555-4555-8555-555555555555",
            "name": "shop-mysql",
            "database_url": "mysql://doadmin:real-password@127.0.0.1:3306/shop",
            "rules": [{ "type": "app", "value": SHOP }],
        }],
        "github": {
            "users": ["mona", { "login": "acme", "type": "Organization" }],
            "repositories": [{ "name": "acme/shop", "files": { "Dockerfile": "FROM scratch\n" }, "collaborators": { "mona": "admin" } }],
        },
    })
}

impl Bench {
    pub(crate) async fn new() -> Self {
        Self::of(shop()).await
    }

    pub(crate) async fn of(world: Value) -> Self {
        let config = WorldConfig::read(&world.to_string()).unwrap();
        let clock = Clock::starting_at(config.start.unwrap()).at_pace(PACE);
        let world = World::new(config, clock).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let mut serving = JoinSet::new();
        serving.spawn(sim::serve(world.clone(), listener));
        let bench = Self {
            world,
            url,
            folder: tempfile::tempdir().unwrap(),
            _serving: serving,
        };
        bench.write(".harbor-pilot/ter-235.yml", "steps:\n  - name: columns\n    run: echo columns\n  - name: backfill\n    run: echo backfill\n");
        bench
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn write(&self, file: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// The binary, pointed at the simulator with a good token.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = bare(args);
        command
            .current_dir(self.folder.path())
            .env("HOME", self.folder.path().join("home"))
            .env("DIGITALOCEAN_API_URL", &self.url)
            .env("DIGITALOCEAN_ACCESS_TOKEN", "do-token-canary")
            .env("HARBOR_PILOT_PACE", PACE.to_string())
            // Three minutes there are less than a second here, which a busy machine may need for one answer.
            .env("HARBOR_PILOT_HEALTH_URL", "off");
        command
    }

    pub(crate) async fn call(&self, args: &[&str]) -> Ended {
        finish(self.command(args)).await
    }

    /// Calls `args` and asserts that nothing but reads was sent, and returns how it ended.
    pub(crate) async fn refused(&self, args: &[&str]) -> Ended {
        let ended = self.call(args).await;
        self.nothing_was_written();
        ended
    }

    /// Every request so far was a read; the platform's checks of a proposed spec and of a rollback change nothing
    /// either.
    #[track_caller]
    pub(crate) fn nothing_was_written(&self) {
        let writes: Vec<_> = self
            .world
            .requests()
            .into_iter()
            .filter(|request| {
                request.to != Face::Live
                    && request.method != "GET"
                    && !request.path.ends_with("/propose")
                    && !request.path.ends_with("/rollback/validate")
            })
            .map(|request| format!("{} {}", request.method, request.path))
            .collect();
        assert_eq!(writes, [] as [String; 0]);
    }

    /// Calls `args`, which must succeed with one JSON document, and returns it.
    pub(crate) async fn json(&self, args: &[&str]) -> Value {
        let ended = self.call(&[args, &["--output", "json"]].concat()).await;
        serde_json::from_str(&ended.out).unwrap_or_else(|error| panic!("{error}: {ended:?}"))
    }
}

/// The binary with an empty environment.
pub(crate) fn bare(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_harbor-pilot"));
    command.env_clear().args(args).timeout(PATIENCE);
    command
}

/// The same, to be sent signals.
pub(crate) fn process(bench: &Bench, args: &[&str]) -> std::process::Command {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_harbor-pilot"));
    command
        .env_clear()
        .args(args)
        .current_dir(bench.folder())
        .env("HOME", bench.folder().join("home"))
        .env("DIGITALOCEAN_API_URL", &bench.url)
        .env("DIGITALOCEAN_ACCESS_TOKEN", "do-token-canary")
        .env("HARBOR_PILOT_PACE", PACE.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

pub(crate) async fn finish(mut command: Command) -> Ended {
    let output = tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap();
    Ended {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

impl Ended {
    /// What was told on standard error, with the exit code before it; addresses and times made equal.
    pub(crate) fn told(&self) -> String {
        let mut lines: Vec<String> = Vec::new();
        for line in self
            .err
            .lines()
            .filter(|line| !line.starts_with("The record of what ran"))
        {
            let time = line.get(2..3) == Some(":") && line.get(5..6) == Some(":");
            lines.push(if time {
                format!("[time]{}", line.get(8..).unwrap_or_default())
            } else {
                line.to_owned()
            });
        }
        assert_eq!(self.out, "", "{self:?}");
        assert!(!self.err.contains("canary"), "{self:?}");
        format!(
            "exit code {}\n{}",
            self.code.unwrap_or(-1),
            lines.join("\n").trim_end()
        )
    }
}
