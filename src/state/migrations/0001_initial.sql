-- What Herald knows of its activations and publishes. Identifiers are text and times RFC 3339 in UTC, so
-- that an operator can read the file with any SQLite tool; counts and the like live in the receipt's JSON.

CREATE TABLE activations (
    name       TEXT NOT NULL PRIMARY KEY,
    state      TEXT NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'deleting', 'deleted')),
    paused     INTEGER NOT NULL DEFAULT 0 CHECK (paused IN (0, 1)),
    -- Last sequence given out. It stands here and not in a max() over publishes, so that it never repeats.
    sequence   INTEGER NOT NULL DEFAULT 0,
    -- The last definition that loaded, encrypted: what a teardown needs once the config has lost it.
    definition BLOB
) STRICT, WITHOUT ROWID;

CREATE TABLE publishes (
    -- Order of arrival, whatever the clock did.
    number      INTEGER PRIMARY KEY AUTOINCREMENT,
    id          TEXT NOT NULL UNIQUE,
    activation  TEXT NOT NULL REFERENCES activations (name),
    sequence    INTEGER NOT NULL,
    kind        TEXT NOT NULL,
    status      TEXT NOT NULL,
    queued_at   TEXT NOT NULL,
    receipt     TEXT NOT NULL CHECK (json_valid(receipt)),
    UNIQUE (activation, sequence)
) STRICT;

CREATE INDEX publishes_of_an_activation ON publishes (activation, number);
CREATE INDEX publishes_in_flight ON publishes (number) WHERE status IN ('queued', 'running');

CREATE TABLE tickets (
    publish TEXT NOT NULL PRIMARY KEY REFERENCES publishes (id),
    sealed  INTEGER NOT NULL CHECK (sealed IN (0, 1)),
    ticket  TEXT NOT NULL CHECK (json_valid(ticket)),
    -- What is to be acknowledged once the target has committed.
    pending TEXT CHECK (pending IS NULL OR json_valid(pending))
) STRICT, WITHOUT ROWID;

CREATE TABLE snapshots (
    activation TEXT NOT NULL PRIMARY KEY REFERENCES activations (name),
    identity   TEXT NOT NULL,
    pointer    TEXT NOT NULL CHECK (json_valid(pointer)),
    rows       INTEGER NOT NULL CHECK (rows >= 0),
    publish    TEXT NOT NULL REFERENCES publishes (id)
) STRICT, WITHOUT ROWID;

-- Records that were refused for good, each until it is delivered or no longer wanted.
CREATE TABLE dead_letters (
    activation TEXT NOT NULL REFERENCES activations (name),
    member     TEXT NOT NULL,
    op         TEXT NOT NULL CHECK (op IN ('add', 'update', 'remove')),
    -- The last publish that it was refused in.
    publish    TEXT NOT NULL REFERENCES publishes (id),
    code       TEXT NOT NULL,
    message    TEXT NOT NULL,
    count      INTEGER NOT NULL DEFAULT 1,
    since      TEXT NOT NULL,
    PRIMARY KEY (activation, member, op)
) STRICT, WITHOUT ROWID;

CREATE INDEX dead_letters_of_a_publish ON dead_letters (publish, member, op);

CREATE TABLE audit (
    number     INTEGER PRIMARY KEY AUTOINCREMENT,
    at         TEXT NOT NULL,
    who        TEXT NOT NULL,
    what       TEXT NOT NULL,
    activation TEXT,
    detail     TEXT
) STRICT;
