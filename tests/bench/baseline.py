#!/usr/bin/env python3
"""What bench.py measures Herald against: each activation of herald.yaml as one hand-written DuckDB statement.

    baseline.py WORKLOAD LAKE OUT [--before LAKE] [--threads N] [--memory 1GB]

One COPY, one file. It keeps no snapshot and no receipt, takes no checksum and commits nothing, so it is a floor and
no equal. Its phone numbers are only roughly normalised: as much work, other digits. Prints `rows=N`.
"""
import argparse
import pathlib

import duckdb

COLUMNS = "individual_id, first_name, last_name, country, postal_code, loyalty_tier, lifetime_value"


def everyone(lake):
    return f"SELECT {COLUMNS} FROM '{lake}/individual.parquet'"


def buyers(lake):
    digits = "regexp_replace(number, '[^0-9]', '', 'g')"
    return f"""
        WITH purchase AS (SELECT individual_id, sum(amount) AS spend FROM '{lake}/engagement.parquet' WHERE event_type = 'purchase' GROUP BY ALL),
        member AS (SELECT individual_id, first_name, country FROM '{lake}/individual.parquet'
                   WHERE country IN ('US', 'DE', 'FR', 'GB') AND lifetime_value > 1000 AND ads_consent
                     AND individual_id IN (SELECT individual_id FROM purchase WHERE spend > 100)),
        mail AS (SELECT individual_id, sha256(arg_max(lower(trim(address)), (is_primary, updated_at))) AS email_sha256
                 FROM '{lake}/email.parquet' WHERE consent = 'opt_in' AND address LIKE '%_@_%._%' GROUP BY ALL),
        call AS (SELECT individual_id, sha256('+' || arg_max(CASE WHEN number LIKE '+%' THEN {digits} ELSE '1' || {digits} END, updated_at)) AS phone_sha256
                 FROM '{lake}/phone.parquet' WHERE consent = 'opt_in' AND length(number) > 6 GROUP BY ALL)
        SELECT member.*, email_sha256, phone_sha256, spend
        FROM member JOIN mail USING (individual_id) LEFT JOIN call USING (individual_id) LEFT JOIN purchase USING (individual_id)"""


def delta(before, lake):
    mark = f"md5_number(concat_ws(chr(31), {COLUMNS})) AS mark"
    return f"""
        SELECT CASE WHEN was.individual_id IS NULL THEN 'add' WHEN now.individual_id IS NULL THEN 'remove' ELSE 'update' END AS _op,
               coalesce(now.individual_id, was.individual_id) AS _member, now.* EXCLUDE (mark)
        FROM (SELECT individual_id, {mark} FROM '{before}/individual.parquet') was
        FULL JOIN (SELECT {COLUMNS}, {mark} FROM '{lake}/individual.parquet') now USING (individual_id)
        WHERE was.mark IS DISTINCT FROM now.mark"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workload", choices=["everyone_parquet", "everyone_csv", "buyers_parquet", "delta"])
    parser.add_argument("lake")
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--before")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--memory")
    args = parser.parse_args()
    query = {
        "everyone_parquet": lambda: everyone(args.lake),
        "everyone_csv": lambda: everyone(args.lake),
        "buyers_parquet": lambda: buyers(args.lake),
        "delta": lambda: delta(args.before, args.lake),
    }[args.workload]()
    as_csv = args.workload == "everyone_csv"
    options = "FORMAT csv, HEADER, COMPRESSION gzip" if as_csv else "FORMAT parquet, COMPRESSION zstd"
    args.out.mkdir(parents=True, exist_ok=True)
    db = duckdb.connect()
    db.execute("SET preserve_insertion_order = false")
    if args.threads:
        db.execute(f"SET threads = {args.threads}")
    if args.memory:
        db.execute(f"SET memory_limit = '{args.memory}'")
    rows = db.execute(f"COPY ({query}) TO '{args.out}/part.{'csv.gz' if as_csv else 'parquet'}' ({options})").fetchone()[0]
    print(f"rows={rows}")


if __name__ == "__main__":
    main()
