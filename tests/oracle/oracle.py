#!/usr/bin/env python3
"""Compares what Herald published with what DuckDB computes from the same lake, row for row.

    oracle.py --config sample|bench|edges --activation NAME --lake DIR --out TARGET_ROOT

It is a consumer as the guide describes one: it applies the manifests by sequence, `full` replaces everything,
an incremental adds, updates and removes by `_member`. On the way it holds every part against its manifest (rows, bytes,
SHA-256, columns) and every operation against what it held before: an add of somebody it has, an update that changes
nothing or a removal of a stranger is a fault. Exit 0: all equal; 1: a report of what is not; 2: nothing to compare.
"""
import argparse
import hashlib
import json
import pathlib
import sys

import duckdb
import phonenumbers

from queries import QUERIES

REGIONS = ("US", "DE", "FR", "GB", "AT")
SHOWN = 8


class Faults:
    def __init__(self):
        self.lines = []

    def add(self, text):
        self.lines.append(text)

    def expect(self, is_so, text):
        if not is_so:
            self.add(text)


def e164(number, region):
    try:
        parsed = phonenumbers.parse(number, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(parsed):
        return None
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def read_lake(db, lake):
    for table in ("individual", "email", "phone", "engagement"):
        path = lake / f"{table}.parquet"
        source = str(path) if path.is_file() else str(lake / table / "*.parquet")
        db.execute(f"CREATE VIEW raw_{table} AS SELECT * FROM read_parquet('{source}')")
    # Of a member's rows the latest counts. The lakes never tie, nor differ there in what the rules read.
    db.execute("""CREATE TABLE person AS SELECT * FROM raw_individual WHERE individual_id IS NOT NULL
                  QUALIFY row_number() OVER (PARTITION BY individual_id ORDER BY updated_at DESC) = 1""")
    db.execute("CREATE VIEW email AS SELECT * FROM raw_email")
    db.execute("CREATE VIEW engagement AS SELECT * FROM raw_engagement")
    numbers = [row[0] for row in db.execute("SELECT DISTINCT number FROM raw_phone WHERE number IS NOT NULL").fetchall()]
    known = [(number, {region: e164(number, region) for region in REGIONS}) for number in numbers]
    db.execute("CREATE TABLE known (number VARCHAR, e164 MAP(VARCHAR, VARCHAR))")
    for at in range(0, len(known), 5000):
        rows = json.dumps([{"n": number, "r": regions} for number, regions in known[at:at + 5000]])
        db.execute("""INSERT INTO known SELECT r.n, r.r FROM (SELECT unnest(from_json(?::JSON, '[{"n": "VARCHAR", "r": "MAP(VARCHAR, VARCHAR)"}]')) AS r)""", [rows])
    db.execute("CREATE VIEW phone AS SELECT raw_phone.*, e164 FROM raw_phone LEFT JOIN known USING (number)")


def columns(db, relation):
    return [(row[0], row[1]) for row in db.execute(f"DESCRIBE {relation}").fetchall()]


def typed(db, path, names, types):
    """SQL that reads a part with the types that the records should have."""
    name = path.name
    if ".parquet" in name:
        return f"SELECT * FROM read_parquet('{path}')"
    wanted = {column: types.get(column, "VARCHAR") for column in names}
    if ".ndjson" in name:
        shape = ", ".join(f"'{column}': '{kind}'" for column, kind in wanted.items())
        return f"SELECT * FROM read_json('{path}', format = 'newline_delimited', columns = {{{shape}}})"
    shape = ", ".join(f"'{column}': 'VARCHAR'" for column in names)
    cast = ", ".join(f'"{column}"::{kind} AS "{column}"' for column, kind in wanted.items())
    return f"""SELECT {cast} FROM read_csv('{path}', header = true, auto_detect = false, delim = ',', quote = '"', escape = '"',
               nullstr = '', allow_quoted_nulls = false, parallel = false, new_line = '\\n', columns = {{{shape}}})"""


def differs(name, kind, a, b):
    left, right = f'{a}."{name}"', f'{b}."{name}"'
    if kind in ("DOUBLE", "FLOAT"):
        # Sums depend on the order of their parts, and Herald compares at twelve digits.
        return f"({left} IS NULL) <> ({right} IS NULL) OR abs({left} - {right}) > 1e-9 * greatest(1, abs({left}))"
    if kind.endswith("[]"):
        return f"coalesce({left}, []) IS DISTINCT FROM coalesce({right}, [])"
    return f"{left} IS DISTINCT FROM {right}"


class Consumer:
    """Holds what a recipient would hold after applying every manifest."""

    def __init__(self, db, fields, key, faults):
        self.db, self.fields, self.key, self.faults = db, fields, key, faults
        self.types = dict(fields)
        db.execute("CREATE TABLE state AS SELECT * FROM expected LIMIT 0")
        self.differs = " OR ".join(differs(name, kind, "s", "p") for name, kind in fields)

    def count(self, query):
        return self.db.execute(f"SELECT count(*) FROM ({query})").fetchone()[0]

    def load(self, folder, manifest, named):
        names = [column["name"] for column in manifest["columns"]]
        wanted = [name for name, _ in self.fields]
        if manifest["mode"] == "incremental":
            wanted = ["_op", "_member", *wanted]
        self.faults.expect(names == wanted, f"{named}: columns are {names}, should be {wanted}")
        types = {**self.types, "_op": "VARCHAR", "_member": "VARCHAR"}
        self.db.execute("DROP TABLE IF EXISTS part")
        for file in manifest["files"]:
            path = folder / file["path"]
            data = path.read_bytes()
            self.faults.expect(len(data) == file["bytes"], f"{path.name}: {len(data)} bytes, manifest says {file['bytes']}")
            self.faults.expect(hashlib.sha256(data).hexdigest() == file["sha256"], f"{path.name}: not the SHA-256 of the manifest")
            query = typed(self.db, path, names, types)
            found = [column for column, _ in columns(self.db, f"({query})")]
            self.faults.expect(found == names, f"{path.name}: columns are {found}, manifest says {names}")
            rows = self.count(query)
            self.faults.expect(rows == file["rows"], f"{path.name}: {rows} rows, manifest says {file['rows']}")
            exists = self.db.execute("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'part'").fetchone()[0]
            self.db.execute(f"INSERT INTO part {query}" if exists else f"CREATE TABLE part AS {query}")

    def apply(self, folder, manifest):
        named = f"sequence {manifest['sequence']}"
        self.load(folder, manifest, named)
        fields = ", ".join(f'"{name}"' for name, _ in self.fields)
        counts = manifest["counts"]
        if manifest["mode"] == "full":
            self.db.execute("DELETE FROM state")
            self.db.execute(f'INSERT INTO state SELECT "{self.key}", {fields} FROM part')
            self.faults.expect(counts["added"] == self.count("FROM state"), f"{named}: counts.added is {counts['added']}")
            return
        strangers = {
            "add": "SELECT _member FROM part WHERE _op = 'add' AND _member IN (SELECT _member FROM state)",
            "update": "SELECT _member FROM part WHERE _op = 'update' AND _member NOT IN (SELECT _member FROM state)",
            "remove": "SELECT _member FROM part WHERE _op = 'remove' AND _member NOT IN (SELECT _member FROM state)",
        }
        for (op, query), counted in zip(strangers.items(), ("added", "updated", "removed")):
            bad = self.count(query)
            self.faults.expect(bad == 0, f"{named}: {bad} rows of `{op}` do not fit what was published before")
            rows = self.count(f"SELECT 1 FROM part WHERE _op = '{op}'")
            self.faults.expect(rows == counts[counted], f"{named}: {rows} rows of `{op}`, counts.{counted} is {counts[counted]}")
        still = self.count(f"SELECT 1 FROM part p JOIN state s ON s._member = p._member WHERE p._op = 'update' AND NOT ({self.differs})")
        self.faults.expect(still == 0, f"{named}: {still} updates change nothing")
        filled = " OR ".join(f'"{name}" IS NOT NULL' for name, _ in self.fields)
        filled = self.count(f"SELECT 1 FROM part WHERE _op = 'remove' AND ({filled})")
        self.faults.expect(filled == 0, f"{named}: {filled} removals carry values")
        twice = self.count("SELECT _member FROM part GROUP BY ALL HAVING count(*) > 1")
        self.faults.expect(twice == 0, f"{named}: {twice} members stand in it twice")
        self.db.execute("DELETE FROM state WHERE _member IN (SELECT _member FROM part)")
        self.db.execute(f"INSERT INTO state SELECT _member, {fields} FROM part WHERE _op <> 'remove'")


def compare(db, fields, faults):
    def report(title, query):
        found = db.execute(f"SELECT count(*) FROM ({query})").fetchone()[0]
        if found:
            rows = db.execute(f"{query} ORDER BY 1 LIMIT {SHOWN}").fetchall()
            faults.add("\n  ".join([f"{found} {title}, such as", *map(repr, rows)]))

    report("members are missing at the target", "SELECT * FROM expected WHERE _member NOT IN (SELECT _member FROM state)")
    report("members should not be at the target", "SELECT * FROM state WHERE _member NOT IN (SELECT _member FROM expected)")
    report("members are there more than once", "SELECT _member, count(*) FROM state GROUP BY ALL HAVING count(*) > 1")
    for name, kind in fields:
        report(f"members have another `{name}`", f"""SELECT p._member, p."{name}" AS should_be, s."{name}" AS published
               FROM expected p JOIN state s USING (_member) WHERE {differs(name, kind, 's', 'p')}""")


def manifests(out, activation):
    """(folder, manifest) by sequence. Files that are being written are no manifests, and a consumer skips them."""
    found = []
    for path in sorted(out.rglob("*manifest.json")):
        manifest = json.loads(path.read_text())
        if manifest["activation"] == activation:
            found.append((path.parent, manifest))
    return sorted(found, key=lambda entry: entry[1]["sequence"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True, choices=QUERIES)
    parser.add_argument("--activation", required=True)
    parser.add_argument("--lake", required=True, type=pathlib.Path)
    parser.add_argument("--out", required=True, type=pathlib.Path)
    args = parser.parse_args()
    if args.activation not in QUERIES[args.config]:
        parser.error(f"no query for {args.activation}; there are {', '.join(QUERIES[args.config])}")
    applied = manifests(args.out, args.activation)
    if not applied:
        print(f"no manifest of {args.activation} below {args.out}", file=sys.stderr)
        sys.exit(2)
    db, faults = duckdb.connect(), Faults()
    read_lake(db, args.lake)
    db.execute(f"CREATE TABLE expected AS {QUERIES[args.config][args.activation]}")
    fields = columns(db, "expected")[1:]
    sequences = [manifest["sequence"] for _, manifest in applied]
    faults.expect(len(set(sequences)) == len(sequences), f"two manifests have one sequence: {sequences}")
    # In full files the key stands under the name that the activation gives it: here always the first.
    consumer = Consumer(db, fields, fields[0][0], faults)
    before = None
    for folder, manifest in applied:
        faults.expect(manifest["previous"] == before, f"sequence {manifest['sequence']}: previous is {manifest['previous']}, the manifest before is {before}")
        before = manifest["sequence"]
        consumer.apply(folder, manifest)
    compare(db, fields, faults)
    members = db.execute("SELECT count(*) FROM expected").fetchone()[0]
    if members == 0:
        faults.add("the expected set is empty, so nothing was compared")
    for line in faults.lines:
        print(f"{args.activation}: {line}")
    if faults.lines:
        sys.exit(1)
    print(f"{args.activation}: {members} members, equal after {len(applied)} publishes")


if __name__ == "__main__":
    main()
