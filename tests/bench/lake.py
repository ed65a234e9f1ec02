#!/usr/bin/env python3
"""Writes a customer lake of any size as Parquet: invented people, the same for the same arguments.

    lake.py DIR --profiles 200000 [--generation 2] [--events 4] [--edges]

individual N rows, email about 1.25 N, phone about 0.8 N, engagement about N x EVENTS, each one file.
Generation g is generation g - 1 after a round of change: 1 % of the people have a new value, 0.2 % left, 0.2 % are
new, 0.5 % of the e-mails have another address and consent. `lake.json` tells the sizes and, past generation 0, how
many people the last round added, changed and removed.

--edges adds what a benchmark does not want and a comparison of results does: people with an older second row,
a row without a key, values that differ only past the twelfth digit from one generation to the next, nulls in every
column, e-mails that tie in order, texts that a CSV must quote.
"""
import argparse
import json
import pathlib

import duckdb

FIRST = ("Aino", "Björn", "Chiara", "Dmitri", "Elif", "Fiachra", "Gaël", "Hyun", "Íris", "Jorge", "Katja", "Lucía", "Mirek", "Nils", "Oana", "Pál")
LAST = ("Almås", "Bianchi", "Ćosić", "Dvořák", "Estévez", "Falk", "Gómez", "Hoang", "Ito", "Jansen", "Kaya", "Lindqvist", "Mendes", "Novák", "O'Shea", "Yılmaz")
COUNTRY = ("US", "US", "US", "DE", "DE", "FR", "GB", "IT", "NL", "SE")
TIER = ("bronze", "silver", "gold", "platinum")
DOMAIN = ("example.com", "example.net", "example.org", "mail.example", "post.example", "inbox.example")
EVENT = ("view", "view", "click", "cart", "purchase")
CATEGORY = ("art", "bikes", "cameras", "drinks", "energy", "food")


def sql_list(values):
    return "[" + ", ".join("'" + value.replace("'", "''") + "'" for value in values) + "]"


def one_of(values, *seed):
    return f"({sql_list(values)})[1 + (hash({', '.join(map(str, seed))}) % {len(values)})::BIGINT]"


class Lake:
    """The lake's facts as SQL over a person's number `p` (and `n`, which of the person's rows)."""

    def __init__(self, profiles, generation, events, edges):
        self.profiles, self.generation, self.events, self.edges = profiles, generation, events, edges
        self.newcomers = max(1, profiles // 500)
        self.rounds = range(1, generation + 1)

    def born(self):
        return f"CASE WHEN p < {self.profiles} THEN 0 ELSE 1 + (p - {self.profiles}) // {self.newcomers} END"

    def gone(self, g):
        return f"(born < {g} AND hash(p, 'leaves', {g}) % 500 = 0)"

    def changed(self, g):
        return f"(born < {g} AND hash(p, 'changes', {g}) % 100 = 0)"

    def mail_round(self):
        rounds = [f"CASE WHEN born < {g} AND hash(p, n, 'mail', {g}) % 200 = 0 THEN {g} ELSE 0 END" for g in self.rounds]
        return f"greatest({', '.join(['0', 'born', *rounds])})"

    def everybody(self):
        """Everybody who lives in this generation, with the rounds that changed them."""
        changes = [f"{self.changed(g)}::INT" for g in self.rounds]
        last = [f"{self.changed(g)}::INT * {g}" for g in self.rounds]
        return f"""
            SELECT p, born, 'P' || lpad(p::VARCHAR, 11, '0') AS individual_id,
                   {' + '.join(['0', *changes])} AS changes, greatest({', '.join(['born', *last])}) AS touched
            FROM (SELECT p, {self.born()} AS born FROM range({self.profiles + self.newcomers * self.generation}) r(p))
            WHERE NOT ({' OR '.join(['false', *(self.gone(g) for g in self.rounds)])})"""

    def dated(self, touched, days, *seed):
        ago = f"to_seconds((hash({', '.join(seed)}, 'date') % {days * 86400})::BIGINT)"
        return f"CASE WHEN {touched} > 0 THEN TIMESTAMP '2026-11-02' + to_days(({touched})::INT) ELSE TIMESTAMP '2026-11-01' - {ago} END"

    def nullable(self, expression, every, salt):
        return f"CASE WHEN hash(p, 'null {salt}') % {every} = 0 THEN NULL ELSE {expression} END" if self.edges else expression

    def individual(self):
        # Noise past the twelfth significant digit, another in each generation, is no change of the value.
        noise = f" * (1 + 1e-14 * ((p + {self.generation}) % 3))" if self.edges else ""
        first = one_of(FIRST, "p", "'first'")
        if self.edges:
            first = f"""CASE p % 211 WHEN 0 THEN '' WHEN 1 THEN 'Ann "Annie"' WHEN 2 THEN 'Bo, jr.' WHEN 3 THEN 'two' || chr(10) || 'lines' ELSE {first} END"""
        people = f"""
            SELECT individual_id, {self.nullable(first, 97, 'first')} AS first_name, {self.nullable(one_of(LAST, 'p', "'last'"), 89, 'last')} AS last_name,
                   {one_of(COUNTRY, 'p', "'country'")} AS country, {self.nullable("lpad((hash(p, 'postal') % 100000)::VARCHAR, 5, '0')", 83, 'postal')} AS postal_code,
                   DATE '1940-01-01' + (hash(p, 'birth') % 24000)::INT AS birth_date, {self.nullable(one_of(TIER, 'p', "'tier'"), 101, 'tier')} AS loyalty_tier,
                   ((hash(p, 'value') % 1000000) / 100.0 + changes * 0.5)::DOUBLE{noise} AS lifetime_value,
                   {self.nullable("hash(p, 'consent') % 10 <> 0", 79, 'consent')} AS ads_consent, {self.dated('touched', 730, 'p')} AS updated_at, p AS position
            FROM everybody"""
        if self.edges:
            people += """
            UNION ALL BY NAME
            SELECT * REPLACE (updated_at - INTERVAL 40 DAY AS updated_at, 'older' AS postal_code) FROM (""" + people + """) WHERE position % 1000 = 7
            UNION ALL BY NAME
            SELECT NULL AS individual_id, 'Nobody' AS first_name, 'DE' AS country, 'gold' AS loyalty_tier, 20000.0 AS lifetime_value, true AS ads_consent, -1 AS position"""
        return f"SELECT * EXCLUDE (position) FROM ({people}) ORDER BY position, updated_at"

    def email(self):
        mail_round = self.mail_round()
        address = f"'p' || p || CASE n WHEN 0 THEN '' ELSE '.two' END || CASE WHEN round > 0 THEN '.r' || round ELSE '' END || '@' || {one_of(DOMAIN, 'p', 'n', chr(39) + 'domain' + chr(39))}"
        ties = "TIMESTAMP '2026-05-05'" if self.edges else self.dated("round", 365, "p", "n")
        return f"""
            SELECT individual_id || '.e' || n AS email_id, individual_id,
                   CASE hash(p, n, 'dirt') % 50 WHEN 0 THEN NULL WHEN 1 THEN 'none given' WHEN 2 THEN '  ' || address || ' '
                        WHEN 3 THEN upper(address) WHEN 4 THEN replace(address, '@', '+list@') ELSE address END AS address,
                   {"p % 13 <> 0 AND n = 0" if self.edges else "n = 0"} AS is_primary,
                   (['opt_in', 'opt_in', 'opt_in', 'opt_out', 'unknown'])[1 + (hash(p, n, round, 'opt') % 5)::BIGINT] AS consent,
                   CASE WHEN p % 17 = 0 THEN {ties} ELSE {self.dated('round', 365, 'p', 'n')} END AS updated_at
            FROM (SELECT *, {address} AS address FROM (
                  SELECT *, {mail_round} AS round FROM everybody, range(2) m(n) WHERE n = 0 OR hash(p, 'second') % 4 = 0))
            ORDER BY p, n"""

    def phone(self):
        # Numbers that regulators keep for fiction, in ways that people type them, and a few that are none.
        return f"""
            SELECT individual_id || '.p' AS phone_id, individual_id,
                   CASE hash(p, 'form') % 6
                        WHEN 0 THEN '+1 (212) 555-01' || lpad((p % 100)::VARCHAR, 2, '0')
                        WHEN 1 THEN '212.555.01' || lpad((p % 100)::VARCHAR, 2, '0')
                        WHEN 2 THEN '+44 20 7946 0' || lpad((p % 1000)::VARCHAR, 3, '0')
                        WHEN 3 THEN '+49 30 23125' || lpad((p % 1000)::VARCHAR, 3, '0')
                        WHEN 4 THEN '+33199' || lpad((p % 10000)::VARCHAR, 6, '0')
                        ELSE {'NULL' if self.edges else "'12'"} END AS number,
                   (['opt_in', 'opt_in', 'opt_out'])[1 + (hash(p, 'phone opt') % 3)::BIGINT] AS consent,
                   {self.dated('0', 365, 'p', "'phone'")} AS updated_at
            FROM everybody WHERE hash(p, 'phone') % 5 <> 0 ORDER BY p"""

    def engagement(self):
        return f"""
            SELECT individual_id || '.v' || n AS event_id, individual_id, {one_of(EVENT, 'p', 'n', "'event'")} AS event_type,
                   {one_of(CATEGORY, 'p', 'n', "'category'")} AS category, ((hash(p, n, 'amount') % 40000) / 100.0)::DOUBLE AS amount,
                   TIMESTAMP '2026-11-01' - to_seconds((hash(p, n, 'time') % {90 * 86400})::BIGINT) AS event_time
            FROM everybody, range({2 * self.events}) v(n) WHERE hash(p, n, 'happened') % 2 = 0 ORDER BY p, n"""

    def last_round(self, db):
        """How many people the last round added, changed and removed."""
        g = self.generation
        before = " OR ".join(["false", *(self.gone(r) for r in range(1, g))])
        return db.execute(f"""
            SELECT count(*) FILTER (born = {g}), count(*) FILTER ({self.changed(g)} AND NOT {self.gone(g)}), count(*) FILTER ({self.gone(g)})
            FROM (SELECT p, {self.born()} AS born FROM range({self.profiles + self.newcomers * g}) r(p)) WHERE NOT ({before})""").fetchone()


def write(folder, profiles, generation=0, events=4, edges=False):
    """Writes the lake; returns its facts."""
    lake = Lake(profiles, generation, events, edges)
    folder.mkdir(parents=True, exist_ok=True)
    db = duckdb.connect()
    db.execute("CREATE VIEW everybody AS " + lake.everybody())
    facts = {"profiles": profiles, "generation": generation, "edges": edges, "rows": {}}
    for table in ("individual", "email", "phone", "engagement"):
        path, beside = folder / f"{table}.parquet", folder / f"{table}.tmp"
        rows = db.execute(f"COPY ({getattr(lake, table)()}) TO '{beside}' (FORMAT parquet, COMPRESSION zstd)").fetchone()[0]
        beside.replace(path)
        facts["rows"][table] = rows
    if generation:
        facts["last_round"] = dict(zip(("added", "updated", "removed"), lake.last_round(db)))
    (folder / "lake.json").write_text(json.dumps(facts, indent=2) + "\n")
    return facts


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--profiles", type=int, default=200_000)
    parser.add_argument("--generation", type=int, default=0)
    parser.add_argument("--events", type=int, default=4, help="events per person, on average")
    parser.add_argument("--edges", action="store_true")
    args = parser.parse_args()
    print(json.dumps(write(args.folder, args.profiles, args.generation, args.events, args.edges)))


if __name__ == "__main__":
    main()
