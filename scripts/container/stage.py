"""The Actions runner and the two outside worlds, for tests of the image.

`Simulator` serves a small world on loopback. `Step` starts a container as the Actions runner does (its
`ContainerActionHandler.cs` and `DockerCommandManager.cs`): the same flags, mounts, variables, file commands and, on a
cancel, signals (`ProcessInvoker.cs`). The one difference is the network: the host's, so that loopback is reached.
"""

import contextlib
import json
import os
import pathlib
import secrets
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.request

REPO = "acme/shop"
APP = "11111111-1111-4111-8111-111111111111"
# Made up; they open nothing but the simulator.
DO_TOKEN = "dop_v1_" + "0123456789abcdef" * 4
GH_TOKEN = "ghs_" + "simulatorSimulatorSimulatorSimulator"
# The user that a hosted runner works as, and its group; our own where we may not make files of others.
RUNNER = (1001, 127) if os.geteuid() == 0 else (os.getuid(), os.getgid())
# What a nobody is on every Linux.
NOBODY = (65534, 65534)

# ProcessInvoker.cs: SIGINT, SIGTERM 7.5 s later, the end of the client 2.5 s after that.
TO_TERMINATE, TO_KILL = 7.5, 2.5


def manifest(*steps: tuple[str, str]) -> str:
    return json.dumps({"steps": [{"name": name, "run": run} for name, run in steps]})


def world(job_seconds: dict[str, int]) -> dict:
    """One app with a service and a database, and its repository; how long jobs take, by their names."""
    spec = {
        "name": "shop",
        "region": "nyc",
        "services": [{
            "name": "web",
            "github": {"repo": REPO, "branch": "main", "deploy_on_push": True},
            "dockerfile_path": "Dockerfile",
            "http_port": 3000,
            "instance_size_slug": "apps-s-1vcpu-1gb",
            "instance_count": 1,
            "health_check": {"http_path": "/health"},
            "envs": [{"key": "DATABASE_URL", "scope": "RUN_TIME", "value": "${db.DATABASE_URL}"}],
        }],
        "databases": [{"name": "db", "engine": "MYSQL", "version": "8", "production": True, "cluster_name": "shop-mysql"}],
    }
    permissions = {"contents": "read", "pull-requests": "write", "deployments": "write"}
    return {
        "start": "2026-02-18T00:30:00Z",
        "tokens": [{"token": DO_TOKEN, "user": "dev@example.com", "scopes": ["*"]}],
        "apps": [{"id": APP, "spec": spec, "job_seconds": job_seconds}],
        "databases": [{
            "id": "55555555-5555-4555-8555-555555555555",
            "name": "shop-mysql",
            "database_url": "mysql://doadmin:not-a-password@127.0.0.1:3306/shop",
            "rules": [{"type": "app", "value": APP}],
        }],
        "github": {
            "users": ["mona", {"login": "acme", "type": "Organization"}],
            "tokens": {GH_TOKEN: {"login": "github-actions[bot]", "permissions": permissions, "repositories": [REPO]}},
            "repositories": [{
                "name": REPO,
                "visibility": "private",
                "collaborators": {"mona": "admin"},
                "files": {
                    "Dockerfile": "FROM scratch\n",
                    ".github/harbor-pilot.yml": "app: shop\n",
                    ".harbor-pilot/good.yml": manifest(("columns", "echo adding"), ("backfill", "echo filling")),
                    ".harbor-pilot/bad.yml": manifest(("columns", "echo adding"), ("backfill", "exit 3")),
                },
            }],
        },
    }


class Simulator:
    """`harbor-pilot sim` as a process, and its `/_sim/` calls."""

    def __init__(self, program: pathlib.Path, pace: float, job_seconds: dict[str, int] | None = None):
        self.folder = tempfile.TemporaryDirectory()
        path = pathlib.Path(self.folder.name) / "world.json"
        path.write_text(json.dumps(world(job_seconds or {})))
        command = [program, "--output", "json", "sim", "--pace", str(pace), "--world", path]
        self.pace = pace
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
        decoder, text = json.JSONDecoder(), ""
        while True:
            line = self.process.stdout.readline()
            if not line:
                raise RuntimeError("the simulator did not start")
            text += line
            with contextlib.suppress(json.JSONDecodeError):
                self.url = decoder.decode(text)["url"]
                break
        self.before = self.app()["spec"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()
        self.folder.cleanup()

    def get(self, path: str):
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:
            return json.load(answer)

    def post(self, path: str, body: dict):
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), method="POST")
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def app(self) -> dict:
        return self.get("/_sim/state")["apps"][0]

    def executions(self) -> int:
        return len(self.get("/_sim/executions"))

    def puts(self) -> list[dict]:
        return [request for request in self.get("/_sim/requests") if request["call"] == "apps.update"]

    def calls(self) -> int:
        return len(self.get("/_sim/requests"))

    def jobs(self) -> list[str]:
        return [job["name"] for job in self.app()["spec"].get("jobs", [])]

    def until(self, what: str, holds, patience: float = 60):
        end = time.monotonic() + patience
        while not holds():
            if time.monotonic() > end:
                raise AssertionError(f"waited {patience} s until {what}")
            time.sleep(0.01)

    def settled(self) -> bool:
        app = self.app()
        return app["in_progress"] is None and app["pending"] is None


class DockerSocket:
    """Listens where the runner mounts the engine's socket, and counts who comes."""

    def __init__(self, path: pathlib.Path):
        self.visitors = 0
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(path))
        path.chmod(0o666)
        self.socket.listen()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        with contextlib.suppress(OSError):
            while True:
                visitor, _ = self.socket.accept()
                self.visitors += 1
                visitor.close()

    def close(self):
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


class Step:
    """One step of a workflow job: a container action's main stage, and its post stage."""

    def __init__(self, image: str, simulator: Simulator | None, *, owner: tuple[int, int] = RUNNER):
        self.image = image
        self.simulator = simulator
        self.folder = tempfile.TemporaryDirectory(prefix="runner-")
        root = pathlib.Path(self.folder.name)
        root.chmod(0o755)
        self.temp, self.workspace = root / "_temp", root / "work"
        self.home, self.workflow = self.temp / "_github_home", self.temp / "_github_workflow"
        self.commands = self.temp / "_runner_file_commands"
        for folder in (self.workspace, self.home, self.workflow, self.commands):
            folder.mkdir(parents=True)
        self.docker_socket = DockerSocket(root / "docker.sock")
        self.owner = owner
        self.number = secrets.randbelow(10**9)
        self.name = self.process = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.docker_socket.close()
        if self.name:
            subprocess.run(["docker", "rm", "--force", self.name], capture_output=True, check=False)
        self.folder.cleanup()

    def variables(self, inputs: dict, saved: dict) -> dict:
        given = {
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_ACTOR": "mona",
            "GITHUB_EVENT_NAME": "workflow_dispatch",
            "GITHUB_EVENT_PATH": "/github/workflow/event.json",
            "GITHUB_JOB": "migrate",
            "GITHUB_OUTPUT": f"/github/file_commands/set_output_{self.number}",
            "GITHUB_REF": "refs/heads/main",
            "GITHUB_REPOSITORY": REPO,
            "GITHUB_RUN_ATTEMPT": "1",
            "GITHUB_RUN_ID": str(self.number),
            "GITHUB_SERVER_URL": "https://github.com",
            "GITHUB_STATE": f"/github/file_commands/save_state_{self.number}",
            "GITHUB_STEP_SUMMARY": f"/github/file_commands/step_summary_{self.number}",
            "GITHUB_WORKFLOW_REF": f"{REPO}/.github/workflows/migrate.yml@refs/heads/main",
            "GITHUB_WORKSPACE": "/github/workspace",
            "HOME": "/github/home",
            "INPUT_GITHUB-TOKEN": GH_TOKEN,
            "INPUT_TOKEN": DO_TOKEN,
            "RUNNER_OS": "Linux",
            "RUNNER_TEMP": "/github/runner_temp",
        }
        if self.simulator:
            given["INPUT_API-URL"] = given["GITHUB_API_URL"] = self.simulator.url
            given["HARBOR_PILOT_PACE"] = str(self.simulator.pace)
        given |= {f"INPUT_{name.upper()}": value for name, value in inputs.items()}
        return given | {f"STATE_{name}": value for name, value in saved.items()}

    def start(self, inputs: dict, *, entrypoint: str | None = None, saved: dict | None = None, extra: tuple = ()):
        """Starts a stage. `extra` are flags of `docker run` that a runner does not give."""
        event = {"inputs": inputs, "ref": "refs/heads/main", "repository": {"full_name": REPO, "default_branch": "main"},
                 "sender": {"login": "mona"}, "workflow": ".github/workflows/migrate.yml"}
        (self.workflow / "event.json").write_text(json.dumps(event))
        for name in ("set_output", "save_state", "step_summary"):
            (self.commands / f"{name}_{self.number}").touch()
        if os.geteuid() == 0:
            for path in [self.temp, self.workspace, *self.temp.rglob("*")]:
                os.chown(path, *self.owner)
        variables = self.variables(inputs, saved or {})
        self.name = f"harbor_pilot_{secrets.token_hex(6)}"
        mounts = {
            pathlib.Path(self.folder.name) / "docker.sock": "/var/run/docker.sock",
            self.temp: "/github/runner_temp",
            self.home: "/github/home",
            self.workflow: "/github/workflow",
            self.commands: "/github/file_commands",
            self.workspace: "/github/workspace",
        }
        command = ["docker", "run", "--name", self.name, "--label", "harbor-pilot-test", "--workdir", "/github/workspace", "--rm"]
        for name in variables:
            command += ["-e", name]
        if entrypoint:
            command += ["--entrypoint", entrypoint]
        command += ["--network", "host", *extra]
        for source, target in mounts.items():
            command += ["-v", f"{source}:{target}"]
        self.started = time.monotonic()
        self.process = subprocess.Popen([*command, self.image], env={**os.environ, **variables}, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.log = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.log += line

    def wait(self, patience: float = 120) -> int:
        code = self.process.wait(patience)
        self._reader.join(10)
        return code

    def cancel(self) -> tuple[int, float]:
        """Ends the stage as the runner does, and returns the client's exit code and how long it took."""
        began = time.monotonic()
        for number, patience in ((signal.SIGINT, TO_TERMINATE), (signal.SIGTERM, TO_KILL), (signal.SIGKILL, 10)):
            self.process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(patience)
                break
        return self.wait(), time.monotonic() - began

    def is_alive(self) -> bool:
        """Whether the container (not the client) is still there."""
        found = subprocess.run(["docker", "ps", "--quiet", "--no-trunc", "--filter", f"name=^{self.name}$"],
                               capture_output=True, text=True, check=True)
        return bool(found.stdout.strip())

    def status(self) -> dict[str, str]:
        """The kernel's words on the container's first process."""
        pid = subprocess.run(["docker", "inspect", "--format", "{{.State.Pid}}", self.name],
                             capture_output=True, text=True, check=True).stdout.strip()
        lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
        return {name: value.strip() for name, value in (line.split(":", 1) for line in lines)}

    def left(self, name: str) -> dict[str, str]:
        """What was written to a file of `name<<delimiter` entries."""
        lines = iter((self.commands / f"{name}_{self.number}").read_text().splitlines())
        found = {}
        for line in lines:
            key, delimiter = line.split("<<", 1)
            value = []
            for more in lines:
                if more == delimiter:
                    break
                value.append(more)
            found[key] = "\n".join(value)
        return found

    def outputs(self) -> dict[str, str]:
        return self.left("set_output")

    def saved(self) -> dict[str, str]:
        return self.left("save_state")

    def summary(self) -> str:
        return (self.commands / f"step_summary_{self.number}").read_text()
