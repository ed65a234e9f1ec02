#!/usr/bin/env python3
"""Measures Herald against hand-written DuckDB, as whole processes, turn by turn on the same lake.

    bench.py HERALD [--profiles 2000000] [--runs 3] [--workloads delta,…] [--work DIR]
             [--lake DIR --next DIR]      lakes that are there already: their tables as lake.py names them
             [--config FILE]              another config with the same activations, reading LAKE, OUT, DATA_DIR, MEMORY
             [--memory 1GiB] [--check]    --check: exit 1 where a goal is missed

The ratio is the median, over the runs, of Herald's seconds divided by DuckDB's in the same turn. Every Herald run
starts from an empty data_dir, except `delta`, which starts from a copy of one in which the first lake is published.
Rows must agree, or the run fails.
"""
import argparse
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import time

import lake

HERE = pathlib.Path(__file__).resolve().parent
# Workload: the activation, and how slow Herald may be, in DuckDB's times.
WORKLOADS = {
    "everyone_parquet": ("everyone_parquet", 1.5),
    "everyone_csv": ("everyone_csv", 0.7),
    "buyers_parquet": ("buyers_parquet", 1.0),
    "delta": ("everyone_parquet", 1.0),
}
RSS_GOAL_MIB = 1.4 * 1024


def process(command, env=None):
    """Runs a process to its end; returns its output, seconds and peak memory in MiB."""
    started = time.perf_counter()
    child = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, text=True)
    # The output is one small document, so it fits the pipes and the child can be waited for first.
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - started
    output, errors = child.stdout.read(), child.stderr.read()
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"{' '.join(map(str, command))} exited {child.returncode}\n{errors}{output}")
    return output, seconds, usage.ru_maxrss / 1024


class Bench:
    def __init__(self, args):
        self.args, self.work = args, args.work
        self.run, self.base = args.work / "run", args.work / "base"
        if args.lake:
            self.first, self.next = args.lake, args.next or args.lake
        else:
            self.first, self.next = (self.generate(generation) for generation in (0, 1))

    def generate(self, generation):
        folder = self.work / f"lake-{self.args.profiles}-{generation}"
        if not (folder / "lake.json").is_file():
            print(f"writing {folder}", file=sys.stderr)
            lake.write(folder, self.args.profiles, generation)
        return folder

    def publish(self, activation, source):
        env = {**os.environ, "LAKE": str(source), "OUT": str(self.run / "out"), "DATA_DIR": str(self.run / "data"), "MEMORY": self.args.memory}
        output, seconds, rss = process([self.args.herald, "--quiet", "--config", self.args.config, "publish", activation, "--json"], env)
        receipt = json.loads(output)
        if receipt["status"] != "succeeded":
            sys.exit(f"{activation}: {receipt['status']}: {receipt['error']}")
        return sum(part["rows"] for part in receipt["files"]), seconds, rss

    def herald(self, workload):
        activation = WORKLOADS[workload][0]
        shutil.rmtree(self.run, ignore_errors=True)
        if workload != "delta":
            return self.publish(activation, self.first)
        if not self.base.exists():
            self.publish(activation, self.first)
            self.run.rename(self.base)
        shutil.copytree(self.base, self.run)
        return self.publish(activation, self.next)

    def duckdb(self, workload):
        out = self.work / "duckdb"
        shutil.rmtree(out, ignore_errors=True)
        source = self.next if workload == "delta" else self.first
        command = [sys.executable, HERE / "baseline.py", workload, source, out, "--before", self.first]
        command += ["--memory", self.args.duckdb_memory] if self.args.duckdb_memory else []
        output, seconds, rss = process(command)
        return int(re.search(r"rows=(\d+)", output)[1]), seconds, rss

    def measure(self, workload):
        turns = []
        for turn in range(self.args.runs):
            ours, theirs = self.herald(workload), self.duckdb(workload)
            if ours[0] != theirs[0]:
                sys.exit(f"{workload}: herald wrote {ours[0]} rows, duckdb {theirs[0]}")
            turns.append((ours, theirs))
            print(f"  {workload} {turn + 1}/{self.args.runs}: {ours[1]:.2f} s, duckdb {theirs[1]:.2f} s", file=sys.stderr)
        middle = lambda values: statistics.median(list(values))
        return {
            "workload": workload,
            "rows": turns[0][0][0],
            "herald_seconds": middle(ours[1] for ours, _ in turns),
            "duckdb_seconds": middle(theirs[1] for _, theirs in turns),
            "ratio": middle(ours[1] / theirs[1] for ours, theirs in turns),
            "goal": WORKLOADS[workload][1],
            "herald_mib": max(ours[2] for ours, _ in turns),
            "duckdb_mib": max(theirs[2] for _, theirs in turns),
        }


def table(results):
    yield f"{'workload':<18}{'rows':>12}{'herald':>10}{'duckdb':>10}{'ratio':>8}{'goal':>8}{'herald RSS':>13}{'duckdb RSS':>13}"
    for r in results:
        yield (f"{r['workload']:<18}{r['rows']:>12,}{r['herald_seconds']:>8.2f} s{r['duckdb_seconds']:>8.2f} s{r['ratio']:>8.2f}"
               f"{'≤ ' + str(r['goal']):>8}{r['herald_mib']:>9.0f} MiB{r['duckdb_mib']:>9.0f} MiB")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("herald", type=pathlib.Path)
    parser.add_argument("--profiles", type=int, default=2_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--workloads", default=",".join(WORKLOADS))
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path("bench-work"))
    parser.add_argument("--lake", type=pathlib.Path)
    parser.add_argument("--next", type=pathlib.Path)
    parser.add_argument("--config", type=pathlib.Path, default=HERE / "herald.yaml")
    parser.add_argument("--memory", default="1GiB")
    parser.add_argument("--duckdb-memory", help="a limit for DuckDB too; without it DuckDB takes what it likes")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    for name in ("herald", "work", "lake", "next", "config"):
        if getattr(args, name):
            setattr(args, name, getattr(args, name).resolve())
    args.work.mkdir(parents=True, exist_ok=True)
    bench = Bench(args)
    shutil.rmtree(bench.base, ignore_errors=True)
    results = [bench.measure(workload) for workload in args.workloads.split(",")]
    print(json.dumps(results, indent=2) if args.json else "\n".join(table(results)))
    for leftover in (bench.run, bench.base, args.work / "duckdb"):
        shutil.rmtree(leftover, ignore_errors=True)
    missed = [r["workload"] for r in results if r["ratio"] > r["goal"] or r["herald_mib"] > RSS_GOAL_MIB]
    if args.check and missed:
        sys.exit("goals missed: " + ", ".join(missed))


if __name__ == "__main__":
    main()
