#!/usr/bin/env python3
"""A pingup agent in Python 3.9+, standard library only, written from docs/protocol.md; § numbers point there.

    python3 agent.py run --hub URL [--hub-ca FILE] --join-token TOKEN --state FILE [--interval 5] [--count N]
    python3 agent.py vectors protocol/tests/vectors.json

It enrols, pushes samples, beats, fetches signed commands and runs `ping`, the only action it allows. Its state is
one JSON file, written whole before anything that must not be forgotten. It leaves out discovery and configuration.
"""
import argparse
import base64
import json
import os
import platform
import random
import secrets
import shutil
import signal
import socket
import sys
import threading
import time
from datetime import datetime, timedelta, timezone

import vectors
from pingup_wire import (NO_ANSWER, Hub, Refused, Stop, check_signature, parse_strict, read_join_token, read_time, sign,
                         verified, write_time)

HEARTBEAT_SECONDS = 30     # §5
WAIT_SECONDS = 25          # §5 allows 60
BATCH_SAMPLES_MAX = 500    # §11 allows 10 000 in 4 MiB
SPOOL_SAMPLES_MAX = 5_000  # ours; the oldest go first, which leaves a gap, and gaps are allowed (§6)
RESULTS_MAX = 100          # ours; results that the hub has not taken yet
BACKOFF_SECONDS_MAX = 60   # ours
ALLOWED_ACTIONS = {"ping"}  # §7: nothing that changes the machine

# What reading an answer can end in that is not what this protocol says.
UNBELIEVABLE = (Refused, KeyError, TypeError, ValueError)


def log(text):
    print(f"{write_time(datetime.now(timezone.utc))} {text}", file=sys.stderr, flush=True)


# --- state --------------------------------------------------------------------------------------------------------


class State:
    """What outlives the program, in one file that only its owner reads: replaced whole, or not at all."""

    def __init__(self, path):
        self.path = path
        self.lock = threading.RLock()
        self.members = {}
        if os.path.exists(path):
            try:
                with open(path, encoding="utf-8") as file:
                    self.members = json.load(file)
            except ValueError:
                raise Stop(f"{path} is not a state file of this program") from None

    def __getitem__(self, name):
        return self.members[name]

    def update(self, **members):
        """Changes members and comes back once that is on disk."""
        with self.lock:
            self.members.update(members)
            scratch = self.path + ".new"
            file = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(file, "w", encoding="utf-8") as out:
                json.dump(self.members, out)
                out.flush()
                os.fsync(out.fileno())
            os.replace(scratch, self.path)
            folder = os.open(os.path.dirname(os.path.abspath(self.path)), os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


def enrol(hub, state, join_token):
    """§3, by join token. Does nothing when the state knows an agent: a restart is no registration."""
    if state.members:
        return
    if not join_token:
        raise Stop("the state is empty: --join-token is needed once")
    token_id, key = read_join_token(join_token)
    nonce = secrets.token_urlsafe(24)
    body = {"tokenId": token_id, "nonce": nonce, "name": socket.gethostname(), "info": host_info(),
            "timestamp": write_time(datetime.now(timezone.utc))}
    answer = hub.ask("POST", "/api/v1/agents", body=sign(key, body))
    if answer.status != 201:
        raise Stop(f"the hub did not take us: {answer.told()}")
    told = verified(key, answer.raw)
    if told.get("nonce") != nonce:
        raise Stop("the answer is not to our question: the nonce differs")
    credentials = told["credentials"]
    state.update(agentId=credentials["agentId"], generation=credentials["generation"], keys=credentials["keys"],
                 token=credentials["token"], boot=int(time.time() * 1000), seq=0, commandSeq=0, spool=[], results=[],
                 running=None)
    log(f"enrolled as {credentials['agentId']}")


def host_info():
    return {"hostname": socket.gethostname(), "os": platform.system(), "arch": platform.machine(),
            "kernel": platform.release(), "agentVersion": "python-example/1", "cpuCores": os.cpu_count()}


def keys_of(state):
    """Our bearer token, the key that we sign with, and the one that the hub signs with: always read together."""
    return (state["token"], *(base64.b64decode(state["keys"][way]) for way in ("up", "down")))


# --- the agent ----------------------------------------------------------------------------------------------------


class Agent:
    """One enrolled agent: the main thread samples, pushes and beats; another fetches commands."""

    def __init__(self, hub, state):
        self.hub, self.state = hub, state
        self.id, self.keys = state["agentId"], keys_of(state)
        self.stopping = threading.Event()
        self.clock_offset = timedelta()
        self.latency = None
        self.last_beat = datetime.min.replace(tzinfo=timezone.utc)
        self.push_again_at = 0.0
        self.counts = {"samples": 0, "accepted": 0, "duplicates": 0, "expired": 0, "rejected": 0}
        self.commands = {}

    def now(self):
        """The moment by the hub's clock, as far as we know it."""
        return datetime.now(timezone.utc) + self.clock_offset

    def post(self, path, body, timeout=30):
        body = {"agentId": self.id, **body}
        began = time.monotonic()
        token, up, _ = self.keys
        answer = self.hub.ask("POST", path, token, sign(up, body), timeout)
        self.latency = (time.monotonic() - began) * 1000
        if answer.name == "agent-revoked":  # §9
            raise Stop("the hub has removed this agent")
        return answer

    # §6: spool, push, drop what is covered

    def take_sample(self):
        sample = {"seq": self.state["seq"] + 1, "timestamp": write_time(self.now()),
                  "metrics": measure(self.latency), "status": "online"}
        spool = (self.state["spool"] + [sample])[-SPOOL_SAMPLES_MAX:]
        self.state.update(seq=sample["seq"], spool=spool)
        self.counts["samples"] += 1

    def push(self):
        """Sends from the oldest on until the spool is empty or the hub is not to be had."""
        while self.state["spool"] and time.monotonic() >= self.push_again_at:
            samples = self.state["spool"][:BATCH_SAMPLES_MAX]
            body = {"boot": self.state["boot"]}
            body.update(samples[0] if len(samples) == 1 else {"samples": samples})
            try:
                answer = self.post("/api/v1/metrics", body)
            except NO_ANSWER as error:
                log(f"no answer to a push: {error}")
                self.push_again_at = time.monotonic() + random.uniform(0, 5)
                return
            try:
                if answer.status == 200:
                    self.stored(parse_strict(answer.raw))
                else:
                    self.not_stored(answer, samples)
            except UNBELIEVABLE as error:
                log(f"an answer that cannot be read: {error!r}")
                self.push_again_at = time.monotonic() + BACKOFF_SECONDS_MAX

    def stored(self, told):
        mark = told["highWater"]
        if mark > self.state["seq"]:
            raise Stop("the hub knows samples that we never took: this state was copied or rolled back")
        for name in ("accepted", "duplicates", "expired"):
            self.counts[name] += told[name]
        for bad in told["rejected"]:
            self.counts["rejected"] += 1
            log(f"sample {bad['seq']} was rejected: {bad['problem']}: {bad['detail']}")
        self.state.update(spool=[sample for sample in self.state["spool"] if sample["seq"] > mark])

    def not_stored(self, answer, samples):
        if answer.name == "boot-retired":
            # A new stream, numbered from 1 again.
            boot = max(int(time.time() * 1000), answer.problem["minBoot"])
            spool = [{**sample, "seq": seq} for seq, sample in enumerate(self.state["spool"], 1)]
            self.state.update(boot=boot, seq=len(spool), spool=spool)
        elif answer.name == "timestamp-in-future":
            offset = read_time(answer.problem["serverTime"]) - datetime.now(timezone.utc)
            shift, self.clock_offset = offset - self.clock_offset, offset
            moved = [{**sample, "timestamp": write_time(read_time(sample["timestamp"]) + shift)}
                     for sample in self.state["spool"]]
            self.state.update(spool=moved)
            self.push_again_at = time.monotonic() + 1
        elif answer.problem.get("retryable") or answer.status >= 500:
            wait = 1 if answer.retry_after is None else answer.retry_after
            self.push_again_at = time.monotonic() + min(wait, BACKOFF_SECONDS_MAX)
        elif answer.name == "sequence-conflict":
            raise Stop("another machine uses this identity: " + answer.told())
        else:
            raise Stop(f"samples {samples[0]['seq']} to {samples[-1]['seq']} were refused: {answer.told()}")

    # §5: the heartbeat

    def beat(self, status):
        # Always newer than the last, also when the clock was corrected in between: an older one changes nothing.
        self.last_beat = max(self.now(), self.last_beat + timedelta(microseconds=1))
        body = {"status": status, "timestamp": write_time(self.last_beat)}
        try:
            answer = self.post(f"/api/v1/agents/{self.id}/heartbeat", body, timeout=10)
            if answer.status != 200:
                return log(f"the heartbeat was refused: {answer.told()}")
            told = verified(self.keys[2], answer.raw)
            self.clock_offset = read_time(told["serverTime"]) - datetime.now(timezone.utc)
            self.renew(told.get("credentials"))
        except NO_ANSWER as error:
            log(f"no answer to a heartbeat: {error}")
        except UNBELIEVABLE as error:
            log(f"an answer that cannot be believed: {error!r}")

    def renew(self, offered):
        """§9: the next generation of our keys, on disk before it is used. Only beats change keys, so none changes under one."""
        if not offered or offered["agentId"] != self.id or offered["generation"] <= self.state["generation"]:
            return
        if not self.hub.keeps_secrets:
            return log("new keys came over plain http, where they could be read: they are not used")
        self.state.update(generation=offered["generation"], keys=offered["keys"], token=offered["token"])
        self.keys = keys_of(self.state)
        log(f"new keys: generation {offered['generation']}")

    # §7: commands

    def fetch_commands(self):
        """Asks and holds the question open, again and again; runs as a thread of its own."""
        failures = 0
        while not self.stopping.is_set():
            try:
                self.report_results()
                self.fetch_once()
                failures = 0
            except Stop as error:
                log(str(error))
                return self.stopping.set()
            except NO_ANSWER as error:
                log(f"no answer to a question for commands: {error}")
                failures += 1
            except UNBELIEVABLE as error:
                log(f"an answer that cannot be believed: {error!r}")
                failures += 1
            if failures:
                self.stopping.wait(random.uniform(0, min(2**failures, BACKOFF_SECONDS_MAX)))

    def fetch_once(self):
        nonce = secrets.token_urlsafe(24)
        path = f"/api/v1/commands/pending/{self.id}?nonce={nonce}&wait={WAIT_SECONDS}&after={self.state['commandSeq']}"
        token, _, down = self.keys  # the answer is signed by the same, whatever we have by then
        answer = self.hub.ask("GET", path, token, timeout=WAIT_SECONDS + 15)
        if answer.name == "agent-revoked":
            raise Stop("the hub has removed this agent")
        if answer.status != 200:
            log(f"no commands: {answer.told()}")
            self.stopping.wait(answer.retry_after or 5)
            return
        told = verified(down, answer.raw)
        if told["nonce"] != nonce or told["agentId"] != self.id:
            raise Refused("not the answer to our question")
        arrived, handed_out = time.monotonic(), read_time(told["serverTime"])
        for command in told["commands"]:
            since = timedelta(seconds=time.monotonic() - arrived)
            if not self.obey(command, handed_out, handed_out + since, down):
                break
        self.report_results()

    def obey(self, command, handed_out, now, down):
        """Runs one command at most once, or reports why not; a command that is not for us leaves only a log line.
        False for one that expired here: it is left, with all behind it, and the hub ends it."""
        why_ignored = self.why_ignored(command, down)
        if why_ignored:
            log(f"a command was ignored: {why_ignored}")
            return True
        if handed_out < read_time(command["expiresAt"]) <= now:
            log(f"{command['commandId']} was not begun in time")
            return False
        began = write_time(self.now())
        expired = now >= read_time(command["expiresAt"])
        running = {"commandId": command["commandId"], "commandSeq": command["commandSeq"], "startedAt": began}
        # On disk before anything runs: that is what makes it at most once.
        self.state.update(commandSeq=command["commandSeq"], running=running)
        if expired:
            self.finished(running, "rejected", f"it had expired at {command['expiresAt']} when it was handed out")
        else:
            self.finished(running, *run(command["action"], command["params"]))
        return True

    def why_ignored(self, command, down):
        try:
            check_signature(down, command)
        except Refused as error:
            return str(error)
        if command["agentId"] != self.id:
            return "it is for another agent"
        if command["commandSeq"] <= self.state["commandSeq"]:
            return "it was here before"
        return None

    def finished(self, running, status, output):
        result = {**running, "status": status, "output": output, "finishedAt": write_time(self.now())}
        self.state.update(running=None, results=(self.state["results"] + [result])[-RESULTS_MAX:])
        self.commands[status] = self.commands.get(status, 0) + 1

    def report_results(self):
        while self.state["results"]:
            result = self.state["results"][0]
            body = {**result, "timestamp": write_time(self.now())}
            answer = self.post(f"/api/v1/commands/{result['commandId']}/result", body)
            if answer.problem.get("retryable"):
                self.stopping.wait(answer.retry_after or 1)
                return
            if answer.status != 200:
                log(f"the result of {result['commandId']} was not taken: {answer.told()}")
            self.state.update(results=self.state["results"][1:])

    # the whole

    def work(self, interval, count):
        if self.state["running"]:  # we died while it ran
            self.finished(self.state["running"], "unknown", "the agent ended while the command ran")
        threading.Thread(target=self.fetch_commands, daemon=True).start()
        beat_at = 0.0
        while not self.stopping.is_set() and (count is None or self.counts["samples"] < count):
            began = time.monotonic()
            if began >= beat_at:
                self.beat("online")
                beat_at = began + HEARTBEAT_SECONDS
            self.take_sample()
            self.push()
            self.stopping.wait(max(0.0, began + interval - time.monotonic()))
        if not self.stopping.is_set():
            self.push()  # a last try for what is left; when told to stop, it stays in the spool
        self.stopping.set()
        self.beat("offline")

    def summary(self):
        return {"agentId": self.id, "boot": self.state["boot"], "seq": self.state["seq"], **self.counts,
                "spooled": len(self.state["spool"]), "commands": self.commands}


def run(action, params):
    """Runs an action that is allowed here; gives its status and output."""
    if action not in ALLOWED_ACTIONS:
        return "rejected", f"{action} is not on this agent's allow-list"
    if not isinstance(params, dict):
        return "rejected", "params must be an object"
    return "succeeded", "pong"


def measure(latency):
    """What the standard library can tell everywhere; figures that are not to be had are left away (§5)."""
    disk = shutil.disk_usage("/")
    metrics = {"disk": round(100 * disk.used / disk.total, 1), "load1": round(os.getloadavg()[0], 2)}
    if latency is not None:
        metrics["latency"] = round(latency, 2)
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            memory = dict(line.split(":", 1) for line in file)
        total, free = (int(memory[name].split()[0]) for name in ("MemTotal", "MemAvailable"))
        metrics["ram"] = round(100 * (total - free) / total, 1)
    except (OSError, KeyError, ValueError):
        pass  # not Linux
    return metrics


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    runs = commands.add_parser("run", help="enrol if the state is empty, then work")
    runs.add_argument("--hub", required=True)
    runs.add_argument("--hub-ca", help="PEM file of the authority that certified an https hub, else the system's")
    runs.add_argument("--join-token", help="needed once, while the state is empty")
    runs.add_argument("--state", required=True, help="a JSON file with this agent's keys")
    runs.add_argument("--interval", type=float, default=5.0, help="seconds between samples")
    runs.add_argument("--count", type=int, help="stop after that many samples and print a summary")
    runs.add_argument("--insecure-http", action="store_true", help="plain http to another machine")
    checks = commands.add_parser("vectors", help="check this implementation against the protocol's vectors")
    checks.add_argument("file")
    given = parser.parse_args()
    if given.command == "vectors":
        return vectors.check(given.file)
    try:
        hub, state = Hub(given.hub, given.insecure_http, given.hub_ca), State(given.state)
        enrol(hub, state, given.join_token)
        agent = Agent(hub, state)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: agent.stopping.set())
        agent.work(given.interval, given.count)
    except Stop as error:
        return f"agent.py: {error}"
    except NO_ANSWER as error:
        return f"agent.py: the hub does not answer: {error}"
    except UNBELIEVABLE as error:
        return f"agent.py: an answer that cannot be believed: {error!r}"
    if given.count is not None:
        print(json.dumps(agent.summary()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
