#!/usr/bin/env python3
"""Measures rapid publishes of a running service, over HTTP, while full publishes of another activation run.

    rapid.py HERALD [--lake DIR | --profiles 2000000] [--runs 20] [--touched 0.001] [--work DIR] [--memory 1GiB]
             [--token TOKEN] [--idle] [--check]     --idle: nothing else runs; --check: exit 1 where a goal is missed

`named` triggers one member; its row changes before each run. `touched` changes a share of the profiles: a file of newer rows beside the
table's others, which is how most lakes are written. Seconds are from the trigger to the receipt that has ended.
"""
import argparse
import json
import os
import pathlib
import random
import re
import shutil
import statistics
import subprocess
import sys
import time
import urllib.request

import duckdb

import lake

GOALS = {"named": 1.0, "touched": 5.0}
ENDED = {"succeeded", "partial", "failed", "blocked", "cancelled"}
CONFIG = """
service:
  data_dir: {work}/data
  engine: {{ type: embedded, memory: {memory} }}
  http: {{ listen: "127.0.0.1:0", tokens: [ {{ name: bench, token: "{token}", scope: admin }} ] }}
sources:
  lake:
    type: files
    tables:
      individual: {{ path: {work}/individual/, key: individual_id, updated_at: updated_at }}
      profile:    {{ path: "{lake}/individual.parquet", key: individual_id }}
      email:      {{ path: "{lake}/email.parquet", key: email_id, member: individual_id, updated_at: updated_at }}
segments:
  everyone: {{ from: individual, where: "true" }}
  # Of a file that stays as it is while it is published.
  profiles: {{ from: profile, where: "true" }}
targets:
  local: {{ type: local, path: {work}/out }}
activations:
  rapid:
    segment: everyone
    target: local
    mode: incremental
    refresh: {{ manual: true }}
    rapid: {{ every: 24h, overlap: 1s }}
    guards: {{ max_removed: 100%, max_changed: 100% }}
    attributes: {{ individual_id: individual_id, country: country, value: lifetime_value,
      email: {{ from: email, value: sha256_email(address), where: "consent = 'opt_in'", order_by: email_id }} }}
  whole:
    segment: profiles
    target: local
    mode: full
    refresh: {{ manual: true }}
    attributes: {{ individual_id: individual_id, first_name: first_name, country: country, value: lifetime_value }}
"""


class Service:
    def __init__(self, args):
        self.args = args
        self.log = open(args.work / "service.log", "w+")
        command = [str(args.herald), "--config", str(args.work / "herald.yaml"), "run"]
        self.child = subprocess.Popen(command, stdout=self.log, stderr=self.log, text=True)
        deadline = time.monotonic() + 60
        while True:
            written = re.sub(r"\x1b\[[0-9;]*m", "", (args.work / "service.log").read_text())
            found = re.search(r"the service listens.*?(127\.0\.0\.1:\d+)", written)
            if found:
                self.base = f"http://{found.group(1)}"
                return
            if self.child.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"the service does not listen:\n{written}")
            time.sleep(0.05)

    def ask(self, path, body=None):
        headers = {"Authorization": f"Bearer {self.args.token}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(self.base + path, data, headers)) as answer:
            return json.load(answer)

    def ended(self, publish):
        while True:
            receipt = self.ask(f"/v1/publishes/{publish}")
            if receipt["status"] in ENDED:
                return receipt
            time.sleep(0.01)

    def publish(self, activation, **body):
        """One publish, to its end: its receipt and seconds."""
        started = time.perf_counter()
        receipt = self.ended(self.ask(f"/v1/activations/{activation}/publishes", body)["id"])
        seconds = time.perf_counter() - started
        if receipt["status"] != "succeeded":
            sys.exit(f"{activation}: {receipt['status']}: {receipt['error']}")
        return receipt, seconds

    def stop(self):
        self.child.terminate()
        self.child.wait()


class Table:
    """The profiles, with newer rows in files of their own."""

    def __init__(self, args):
        self.folder, self.db, self.files = args.work / "individual", duckdb.connect(), 0
        self.folder.mkdir()
        self.db.execute("SET TimeZone = 'UTC'")
        os.link(args.lake / "individual.parquet", self.folder / "base.parquet")
        self.rows = self.db.execute(f"SELECT count(*) FROM '{self.folder}/base.parquet'").fetchone()[0]

    def touch(self, condition):
        self.files += 1
        path = self.folder / f"touched-{self.files:05}.parquet"
        self.db.execute(f"""COPY (SELECT * REPLACE (lifetime_value + {self.files} AS lifetime_value, now()::TIMESTAMP AS updated_at)
                            FROM '{self.folder}/base.parquet' WHERE {condition}) TO '{path}.tmp' (FORMAT parquet, COMPRESSION zstd)""")
        pathlib.Path(f"{path}.tmp").rename(path)
        return self.db.execute(f"SELECT count(*), min(individual_id) FROM '{path}'").fetchone()


def measure(service, table, args, kind, run):
    """Seconds of one run; what was delivered must be what was touched."""
    if kind == "named":
        _, member = table.touch(f"individual_id = (SELECT individual_id FROM '{table.folder}/base.parquet' LIMIT 1 OFFSET {random.randrange(table.rows)})")
        receipt, seconds = service.publish("rapid", members=[member])
        wanted = 1
    else:
        share = max(1, round(1 / args.touched))
        count, _ = table.touch(f"hash(individual_id, {run}) % {share} = 0")
        receipt, seconds = service.publish("rapid")
        wanted = count
    if receipt["counts"]["delivered"] != wanted:
        sys.exit(f"{kind}: {receipt['counts']}, and {wanted} touched")
    return seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("herald", type=pathlib.Path)
    parser.add_argument("--lake", type=pathlib.Path)
    parser.add_argument("--profiles", type=int, default=2_000_000)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--touched", type=float, default=0.001)
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path.home() / ".cache/herald/bench")
    parser.add_argument("--memory", default="1GiB")
    parser.add_argument("--token", default="bench-token-of-this-machine-alone")
    parser.add_argument("--idle", action="store_true")
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    if args.lake is None:
        args.lake = args.work / f"lake-{args.profiles}-0"
        if not (args.lake / "lake.json").is_file():
            lake.write(args.lake, args.profiles, 0)
    args.lake = args.lake.resolve()
    args.work = args.work.resolve() / "rapid"
    shutil.rmtree(args.work, ignore_errors=True)
    args.work.mkdir(parents=True)
    (args.work / "herald.yaml").write_text(CONFIG.format(work=args.work, lake=args.lake, memory=args.memory, token=args.token))
    table, service = Table(args), Service(args)
    missed = False
    try:
        _, seconds = service.publish("rapid", kind="manual")
        print(f"first publish of {table.rows} profiles: {seconds:.1f} s")
        for kind, goal in GOALS.items():
            # The first one of a kind reads what later ones find in memory.
            measure(service, table, args, kind, -1)
            taken, beside = [], None
            for run in range(args.runs):
                if not args.idle and (beside is None or service.ask(f"/v1/publishes/{beside}")["status"] in ENDED):
                    beside = service.ask("/v1/activations/whole/publishes", {"kind": "manual"})["id"]
                taken.append(measure(service, table, args, kind, run))
            taken.sort()
            middle, late = statistics.median(taken), taken[min(len(taken) - 1, round(0.99 * len(taken)))]
            verdict = "met" if middle <= goal else "missed"
            missed |= middle > goal
            print(f"{kind}: p50 {middle:.3f} s, p99 {late:.3f} s, of {len(taken)} runs; goal {goal} s: {verdict}")
            if beside:
                service.ended(beside)
    finally:
        service.stop()
    sys.exit(1 if args.check and missed else 0)


if __name__ == "__main__":
    main()
