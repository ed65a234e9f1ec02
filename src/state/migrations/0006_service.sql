-- Publishes that somebody asked the service for and that wait, or run: what was asked. Their receipts are `queued` until they
-- run. What is asked meanwhile joins one that waits.
CREATE TABLE triggers (
    publish TEXT NOT NULL PRIMARY KEY REFERENCES publishes (id),
    whom    TEXT NOT NULL CHECK (whom IN ('everybody', 'touched', 'named')),
    -- Everything anew was asked for by name.
    in_full INTEGER NOT NULL CHECK (in_full IN (0, 1)),
    -- Member keys in the parts, counted as they were given.
    named   INTEGER NOT NULL CHECK (named >= 0),
    -- Whether a worker has taken it up: nothing joins it any more.
    taken   INTEGER NOT NULL DEFAULT 0 CHECK (taken IN (0, 1))
) STRICT, WITHOUT ROWID;

-- Member keys that were named, encrypted.
CREATE TABLE trigger_parts (
    number  INTEGER PRIMARY KEY,
    publish TEXT NOT NULL REFERENCES triggers (publish) ON UPDATE CASCADE ON DELETE CASCADE,
    members BLOB NOT NULL
) STRICT;

CREATE INDEX trigger_parts_of_a_publish ON trigger_parts (publish);

-- Keys by which callers tell the same request from another one; digests, with what was answered.
CREATE TABLE idempotency (
    caller  TEXT NOT NULL,
    key     BLOB NOT NULL,
    request BLOB NOT NULL,
    publish TEXT NOT NULL REFERENCES publishes (id),
    at      TEXT NOT NULL,
    PRIMARY KEY (caller, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotency_by_age ON idempotency (at);

-- Whether a publish looked at named members alone: it stands in for no publish of the cadence.
ALTER TABLE publishes ADD COLUMN of_some INTEGER NOT NULL DEFAULT 0 CHECK (of_some IN (0, 1));

-- Whether the config that was read last does not name it: a deleted activation that comes back then is a new one.
ALTER TABLE activations ADD COLUMN absent INTEGER NOT NULL DEFAULT 0 CHECK (absent IN (0, 1));
