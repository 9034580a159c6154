#!/usr/bin/env python3
"""The platform's official Python client against the simulator: what pydo sends is understood, what it gets it can read.

    pydo-drives-the-simulator.py PATH-TO-HARBOR-PILOT

Starts `harbor-pilot sim` on a free loopback port, drives it through pydo only, and stops it.
"""

import gzip
import json
import subprocess
import sys
import time
import urllib.request

from azure.core.exceptions import HttpResponseError
from azure.core.pipeline.policies import SansIOHTTPPolicy
from pydo import Client

PACE = 600
# Nothing takes longer than a few seconds at this pace; the rest is patience with a busy machine.
PATIENCE_SECONDS = 60


class PlainHttp(SansIOHTTPPolicy):
    """Lets the token go over plain http, which the client refuses otherwise: the simulator is on this machine."""

    def on_request(self, request):
        request.context.options["enforce_https"] = False


def client_of(world, token):
    return Client(token=token, endpoint=world["url"], per_call_policies=[PlainHttp()])


class Checks:
    """Counts what held and what did not."""

    def __init__(self):
        self.passed = 0
        self.failed = 0

    def that(self, what, holds, found=None):
        if holds:
            self.passed += 1
            print(f"ok      {what}")
        else:
            self.failed += 1
            print(f"FAILED  {what}: found {found!r}")

    def refused(self, what, status, call):
        try:
            found = call()
        except HttpResponseError as error:
            self.that(f"{what} is answered with {status}", error.status_code == status, error.status_code)
        else:
            self.that(f"{what} is answered with {status}", False, found)


def start(program):
    """Starts the simulator and returns the process with what it says about itself."""
    process = subprocess.Popen(
        [program, "--output", "json", "sim", "--listen", "127.0.0.1:0", "--pace", str(PACE)],
        stdout=subprocess.PIPE,
        text=True,
    )
    text = ""
    for line in process.stdout:
        text += line
        if line.rstrip() == "}":
            return process, json.loads(text)
    raise SystemExit(f"the simulator ended with {process.wait()} before it told its address")


def until(read, good):
    """Reads again until it is good, and returns what was read last."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        found = read()
        if good(found) or time.monotonic() > deadline:
            return found
        time.sleep(0.05)


def settled(client, app, deployment):
    """Waits until a deployment is over and returns it."""
    ended = ("ACTIVE", "ERROR", "CANCELED", "SUPERSEDED")
    return until(
        lambda: client.apps.get_deployment(app, deployment)["deployment"],
        lambda found: found["phase"] in ended,
    )


def log_of(answer):
    """Fetches the first archived log, without any token."""
    with urllib.request.urlopen(answer["historic_urls"][0], timeout=PATIENCE_SECONDS) as response:
        data = response.read()
    return (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode()


def drive(world, check):
    client = client_of(world, world["tokens"][0])
    app, cluster = world["apps"][0]["id"], world["databases"][0]["id"]

    apps = client.apps.list()["apps"]
    check.that("the list holds the app", [one["id"] for one in apps] == [app], apps)
    found = client.apps.get(app)["app"]
    spec = found["spec"]
    check.that("the app is named as the world says", spec["name"] == world["apps"][0]["name"], spec["name"])
    check.that("a deployment is live", found["active_deployment"]["phase"] == "ACTIVE", found["active_deployment"]["phase"])
    check.that("the app has an address", found["live_url"].startswith("http"), found["live_url"])
    secrets = [env for env in spec["services"][0]["envs"] if env.get("type") == "SECRET"]
    check.that("secrets are shown encrypted", all(env["value"].startswith("EV[") for env in secrets) and secrets, secrets)
    # pydo hands the documented body of a 404 back and raises nothing.
    missing = client.apps.get("00000000-0000-4000-8000-000000000000")
    check.that("an app that is not there is told as such", missing.get("id") == "not_found", missing)
    stranger = client_of(world, "demo-wrong-token")
    check.refused("a token that is not known", 401, lambda: stranger.apps.get(app))

    web = spec["services"][0]
    job = {
        "name": "hello",
        "kind": "POST_DEPLOY",
        "github": {**web["github"], "deploy_on_push": False},
        "dockerfile_path": "Dockerfile",
        "instance_size_slug": web["instance_size_slug"],
        "instance_count": 1,
        "run_command": "echo hello from the job",
    }
    edited = {**spec, "jobs": [job]}
    proposal = client.apps.validate_app_spec({"app_id": app, "spec": edited})
    check.that("the edited spec is proposed back with the job", proposal["spec"]["jobs"][0]["name"] == "hello", proposal)
    check.that("a proposal tells the cost", proposal["app_cost"] > 0, proposal.get("app_cost"))
    broken = {**spec, "jobs": [{**job, "kind": "SOME_DAY"}]}
    check.refused("a job of a kind that is none", 400, lambda: client.apps.validate_app_spec({"app_id": app, "spec": broken}))
    check.that("a proposal changes nothing", client.apps.get(app)["app"]["spec"] == spec)

    updated = client.apps.update(app, {"spec": edited})["app"]
    ours = updated["pending_deployment"]["id"]
    check.that("the update holds the job", updated["spec"]["jobs"][0]["name"] == "hello", updated["spec"].get("jobs"))
    listed = [one["id"] for one in client.apps.list_deployments(app)["deployments"]]
    check.that("the newest deployment of the list is the update's", listed[0] == ours, listed)
    deployment = settled(client, app, ours)
    check.that("the deployment goes live", deployment["phase"] == "ACTIVE", deployment["phase"])
    progress = deployment["progress"]
    check.that("its progress is complete", progress["success_steps"] == progress["total_steps"] > 0, progress)
    check.that("its spec holds the job", deployment["spec"]["jobs"][0]["name"] == "hello", deployment["spec"].get("jobs"))

    answer = until(
        lambda: client.apps.get_logs(app, ours, "hello", type="DEPLOY", follow=False),
        lambda found: found.get("historic_urls"),
    )
    text = log_of(answer)
    check.that("the job's log says what the job said", "hello from the job" in text, text)
    by_app = client.apps.get_logs_active_deployment(app, "hello", type="DEPLOY", follow=False)
    check.that("the log is found by the app, too", "hello from the job" in log_of(by_app))
    check.refused("a log of a kind that is none", 400, lambda: client.apps.get_logs(app, ours, "hello", type="SOME"))

    again = client.apps.create_deployment(app, {"force_build": False})["deployment"]["id"]
    check.that("a deployment in flight can be cancelled", client.apps.cancel_deployment(app, again)["deployment"]["id"] == again)
    ended = settled(client, app, again)["phase"]
    check.that("and is then CANCELED", ended == "CANCELED", ended)

    removed = client.apps.update(app, {"spec": spec})["app"]
    last = settled(client, app, removed["pending_deployment"]["id"])
    check.that("the deployment without the job goes live", last["phase"] == "ACTIVE", last["phase"])
    check.that("the spec is what it was", client.apps.get(app)["app"]["spec"] == spec)

    databases = client.databases.list_clusters()["databases"]
    check.that("the list holds the cluster", [one["id"] for one in databases] == [cluster], databases)
    check.that("a cluster can be read", client.databases.get_cluster(cluster)["database"]["id"] == cluster)
    rules = client.databases.list_firewall_rules(cluster)["rules"]
    check.that("the firewall admits the app", [(one["type"], one["value"]) for one in rules] == [("app", app)], rules)
    extra = {"type": "ip_addr", "value": "203.0.113.7"}
    kept = [{"uuid": one["uuid"], "type": one["type"], "value": one["value"]} for one in rules]
    client.databases.update_firewall_rules(cluster, {"rules": [*kept, extra]})
    wider = client.databases.list_firewall_rules(cluster)["rules"]
    check.that("a rule can be added", sorted(one["type"] for one in wider) == ["app", "ip_addr"], wider)
    client.databases.update_firewall_rules(cluster, {"rules": kept})
    check.that("and the firewall restored", client.databases.list_firewall_rules(cluster)["rules"] == rules)
    wrong = {"rules": [{"type": "nobody", "value": "x"}]}
    check.refused("a rule of a kind that is none", 422, lambda: client.databases.update_firewall_rules(cluster, wrong))


def main():
    if len(sys.argv) != 2:
        raise SystemExit("usage: pydo-drives-the-simulator.py PATH-TO-HARBOR-PILOT")
    process, world = start(sys.argv[1])
    check = Checks()
    try:
        drive(world, check)
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE_SECONDS)
    print(f"{check.passed} passed, {check.failed} failed")
    raise SystemExit(check.failed > 0)


if __name__ == "__main__":
    main()
