"""Measures the image; started by scripts/measure-image.sh."""

import argparse
import contextlib
import http.client
import http.server
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

from stage import Simulator, Step

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
MB = 1_000_000
TIMES = 21
RUN = {"mode": "run", "migration": "good"}

parser = argparse.ArgumentParser()
parser.add_argument("--image", default="harbor-pilot")
parser.add_argument("--simulator", default=ROOT / "target/debug/harbor-pilot", type=pathlib.Path)
arguments = parser.parse_args()


def milliseconds(command: list[str], **how) -> float:
    began = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True, **how)
    return (time.perf_counter() - began) * 1000


def empty_image(folder: pathlib.Path) -> str:
    """A container that does nothing but connect to a port of this machine: what every container costs until then."""
    (folder / "empty.c").write_text("""
        #include <arpa/inet.h>
        #include <stdlib.h>
        int main(int count, char **words) {
            struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(atoi(words[1])) };
            to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
            return connect(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&to, sizeof to);
        }
    """)
    subprocess.run(["cc", "-static", "-Os", "-s", "-o", folder / "empty", folder / "empty.c"], check=True)
    (folder / "Dockerfile").write_text('FROM scratch\nCOPY empty /empty\nENTRYPOINT ["/empty"]\n')
    built = subprocess.run(["docker", "build", "--quiet", folder], env={**os.environ, "DOCKER_BUILDKIT": "0"},
                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
    return built.stdout.split()[-1]


class FirstRequest:
    """A server that notes when somebody first comes, and refuses what they ask for, so that the run ends there."""

    def __init__(self):
        outer = self
        self.at = None

        class Handler(http.server.BaseHTTPRequestHandler):
            def setup(self):
                outer.at = outer.at or time.perf_counter()
                super().setup()

            def do_GET(self):
                self.send_response(401)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.pace = 1
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


class LongLogs:
    """Stands between the program and the simulator, and makes each job's log so many bytes longer in its middle."""

    def __init__(self, simulator: Simulator, added_bytes: int):
        self.pace = simulator.pace
        target = urllib.parse.urlsplit(simulator.url).netloc
        line = b"2026-02-18T00:40:00.000000000Z a line of a log that a migration wrote while it went through its rows\n"
        outer = self
        self.sent = 0

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                upstream = http.client.HTTPConnection(target, timeout=60)
                headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
                upstream.request(self.command, self.path, body, headers)
                answer = upstream.getresponse()
                text = answer.read()
                is_log = self.path.startswith("/_logs/") and answer.status == 200
                if not is_log:
                    text = text.replace(simulator.url.encode(), outer.url.encode())
                repeats = added_bytes // len(line) if is_log else 0
                # The simulator's own `date` goes along, and no other: it is the platform's clock.
                self.send_response_only(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                        self.send_header(name, value)
                self.send_header("content-length", str(len(text) + repeats * len(line)))
                self.end_headers()
                # Behind the first line of the job's, before its last marks.
                cut = text.find(b"\n", len(text) // 2) + 1 if is_log else len(text)
                self.wfile.write(text[:cut])
                block = line * 1000
                for _ in range(repeats // 1000):
                    self.wfile.write(block)
                self.wfile.write(line * (repeats % 1000))
                self.wfile.write(text[cut:])
                outer.sent = max(outer.sent, repeats * len(line))

            do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def peak(step: Step) -> float:
    """The highest resident set of the container's process until it ends, in MB: the kernel's own high-water mark."""
    highest = 0
    while step.process.poll() is None:
        with contextlib.suppress(subprocess.CalledProcessError, OSError, KeyError, ValueError):
            highest = max(highest, int(step.status()["VmHWM"].split()[0]))
        time.sleep(0.02)
    return highest * 1024 / MB


def overhead(empty: str) -> tuple[float, float]:
    """Medians from `docker run` to the first connection: of a container that does nothing else, and of ours."""
    others, ours = [], []
    for _ in range(TIMES):
        server = FirstRequest()
        began = time.perf_counter()
        subprocess.run(["docker", "run", "--rm", "--network", "host", empty, str(server.server.server_port)],
                       capture_output=True, check=True)
        others.append((server.at - began) * 1000)
        server.server.shutdown()

        server = FirstRequest()
        with Step(arguments.image, server) as step:
            step.start(RUN)
            began = time.perf_counter() - (time.monotonic() - step.started)
            step.wait()
            ours.append((server.at - began) * 1000)
        server.server.shutdown()
    return statistics.median(others), statistics.median(ours)


def main() -> int:
    rows = []
    size = int(subprocess.run(["docker", "inspect", "--format", "{{.Size}}", arguments.image],
                              capture_output=True, text=True, check=True).stdout)
    rows.append(("image", f"{size / MB:.2f} MB", "6 MB", size <= 6 * MB))

    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder)
        others, ours = overhead(empty_image(path))
        rows.append(("an empty static container, `docker run` to its first connection (median)", f"{others:.0f} ms", "", None))
        rows.append(("ours, to the connection of its first API request (median)", f"{ours:.0f} ms", "", None))
        rows.append(("the difference", f"{ours - others:.0f} ms", "150 ms", ours - others <= 150))

        container = subprocess.run(["docker", "create", arguments.image], capture_output=True, text=True, check=True).stdout.strip()
        subprocess.run(["docker", "cp", f"{container}:/harbor-pilot", path / "harbor-pilot"], capture_output=True, check=True)
        subprocess.run(["docker", "rm", container], capture_output=True, check=True)
        version = statistics.median(milliseconds([path / "harbor-pilot", "--version"]) for _ in range(3 * TIMES))
        rows.append(("`--version` of its binary (median)", f"{version:.1f} ms", "10 ms", version <= 10))

    with Simulator(arguments.simulator, 240.0) as simulator, Step(arguments.image, simulator) as step:
        step.start(RUN)
        memory = peak(step)
        assert step.wait() == 0, step.log
        rows.append(("peak memory of a run", f"{memory:.1f} MB", "15 MB", memory <= 15))

    with Simulator(arguments.simulator, 60.0) as simulator:
        logs = LongLogs(simulator, 256 * MB)
        with Step(arguments.image, logs) as step:
            step.start(RUN)
            memory = peak(step)
            code = step.wait(600)
            status = step.outputs().get("status")
            name = f"the same with a job log of {logs.sent / MB:.0f} MB (exit {code}, {status})"
            rows.append((name, f"{memory:.1f} MB", "20 MB", memory <= 20))
            print(json.dumps({"exit": code, "outputs": step.outputs()})[:400] if code else "", end="")

    print("| what | measured | target | |\n|---|---|---|---|")
    for what, measured, target, good in rows:
        verdict = {True: "met", False: "**missed**", None: ""}[good]
        print(f"| {what} | {measured} | {'≤ ' + target if target else ''} | {verdict} |")
    return 1 if any(good is False for *_, good in rows) else 0


sys.exit(main())
