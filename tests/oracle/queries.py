"""What each activation should hold at its target, as DuckDB says it: config name -> activation -> query.

Every query reads the views `person` (one row a member), `email`, `phone` (with `e164` by number and region) and
`engagement`. Its first column, `_member`, is the member's key; the rest are the record's fields in order.
"""

VALID_EMAIL = r"""CASE WHEN regexp_full_match(trim(address), '[^@\s]+@[^@\s]+\.[^@\s]+') THEN lower(trim(address)) END"""


def first(table, value, order, where="true"):
    """The first value that is not null, per member."""
    return f"(SELECT individual_id, (list({value} ORDER BY {order}) FILTER ({value} IS NOT NULL))[1] AS value FROM {table} WHERE {where} GROUP BY ALL)"


def every(table, value, order, where="true"):
    return f"(SELECT individual_id, list({value} ORDER BY {order}) FILTER ({value} IS NOT NULL) AS value FROM {table} WHERE {where} GROUP BY ALL)"


def total(table, value, where="true"):
    return f"(SELECT individual_id, {value} AS value FROM {table} WHERE {where} GROUP BY ALL)"


def joined(**fields):
    return "".join(f" LEFT JOIN {query} AS {name} USING (individual_id)" for name, query in fields.items())


def buyers(times):
    return f"SELECT individual_id FROM engagement WHERE event_type = 'purchase' GROUP BY ALL HAVING count(*) >= {times}"


NEWEST_PRIMARY = "is_primary DESC, updated_at DESC, email_id"
OPT_IN = "consent = 'opt_in'"
PURCHASE = "event_type = 'purchase'"

EVERYONE = """
    SELECT individual_id AS _member, individual_id, first_name, last_name, country, postal_code, loyalty_tier, lifetime_value FROM person"""

BENCH_BUYERS = f"""
    SELECT individual_id AS _member, individual_id, first_name, country, sha256(mail.value) AS email_sha256, sha256(call.value) AS phone_sha256, spend.value AS spend
    FROM person
    {joined(mail=first("email", VALID_EMAIL, NEWEST_PRIMARY, OPT_IN),
            call=first("phone", "e164['US']", "updated_at DESC, phone_id", OPT_IN),
            spend=total("engagement", "sum(amount)", PURCHASE))}
    WHERE country IN ('US', 'DE', 'FR', 'GB') AND lifetime_value > 1000 AND spend.value > 100 AND ads_consent AND mail.value IS NOT NULL"""

SAMPLE_GOLD = "(country = 'DE' AND loyalty_tier IN ('gold', 'platinum'))"
SAMPLE_BEST = f"""
    WITH best AS (
        SELECT * FROM person
        WHERE ({SAMPLE_GOLD} OR individual_id IN ({buyers(2)}) OR lifetime_value >= 9000) AND country <> 'AT'
        ORDER BY lifetime_value DESC, individual_id LIMIT 500)
    SELECT individual_id AS _member, individual_id, trim(first_name) || ' ' || last_name AS full_name, country, mail.value AS email,
           sha256(mail.value) AS email_sha256, sha256(call.value[country]) AS phone_sha256, mails.value AS emails, spend.value AS spend
    FROM best
    {joined(mail=first("email", VALID_EMAIL, NEWEST_PRIMARY, OPT_IN),
            call=first("phone", "e164", "updated_at DESC, phone_id", OPT_IN),
            mails=every("email", VALID_EMAIL, "email_id"),
            spend=total("engagement", "sum(amount)", PURCHASE))}
    WHERE ads_consent AND mail.value IS NOT NULL"""
SAMPLE_BUYERS = f"""
    SELECT individual_id AS _member, individual_id AS customer, trim(first_name) AS first_name, call.value[country] AS phone,
           purchases.value AS purchases, last_purchase.value AS last_purchase
    FROM person
    {joined(call=first("phone", "e164", "updated_at DESC, phone_id", OPT_IN),
            purchases=total("engagement", "count(*)", PURCHASE),
            last_purchase=total("engagement", "max(event_time)", PURCHASE))}
    WHERE ads_consent AND purchases.value >= 2 AND NOT {SAMPLE_GOLD}"""

GOLD = "coalesce(loyalty_tier IN ('gold', 'platinum'), false)"
EUROPE = "country IN ('DE', 'FR', 'GB', 'IT', 'NL', 'SE')"
PICKY = f"""
    SELECT * FROM person WHERE ({GOLD} OR individual_id IN ({buyers(2)}))
    AND country <> 'SE' AND NOT ({EUROPE} AND lifetime_value < 500)"""
TOP = f"SELECT individual_id FROM ({PICKY}) ORDER BY lifetime_value DESC, individual_id LIMIT 5000"
EDGES_PICKY = f"""
    SELECT individual_id AS _member, individual_id, first_name || ' ' || last_name AS full_name, birth_date AS born, lifetime_value,
           mail.value AS email, mails.value AS emails, call.value AS phone, spend.value AS spend, seen.value AS last_seen, interests.value AS interests
    FROM ({PICKY}) AS picky
    {joined(mail=first("email", VALID_EMAIL, NEWEST_PRIMARY, OPT_IN),
            mails=every("email", VALID_EMAIL, "updated_at DESC, email_id", "consent <> 'opt_out'"),
            call=first("phone", "e164['US']", "phone_id", OPT_IN),
            spend=total("engagement", "sum(amount)", PURCHASE),
            seen=total("engagement", "max(event_time)"),
            interests=every("engagement", "category", "event_id", "event_type <> 'view'"))}
    WHERE ads_consent AND first_name || ' ' || last_name IS NOT NULL"""
EDGES_CSV = f"""
    SELECT individual_id AS _member, individual_id AS id, first_name, last_name, postal_code, lifetime_value, ads_consent AS consent, seen.value AS last_seen
    FROM person
    {joined(seen=total("engagement", "max(event_time)"))}
    WHERE individual_id IN ({buyers(2)}) AND NOT {GOLD} AND individual_id NOT IN ({TOP})"""
EDGES_NDJSON = f"""
    SELECT individual_id AS _member, individual_id, first_name, postal_code, birth_date AS born, sha256(mail.value) AS email_sha256
    FROM person
    {joined(mail=first("email", VALID_EMAIL, "updated_at, email_id"))}
    WHERE {GOLD} AND individual_id NOT IN ({TOP}) AND mail.value IS NOT NULL"""

QUERIES = {
    "bench": {"everyone_parquet": EVERYONE, "everyone_csv": EVERYONE, "buyers_parquet": BENCH_BUYERS},
    "sample": {"best_to_partner": SAMPLE_BEST, "buyers_csv": SAMPLE_BUYERS},
    "edges": {"picky_parquet": EDGES_PICKY, "rung_csv": EDGES_CSV, "rung_ndjson": EDGES_NDJSON},
}
