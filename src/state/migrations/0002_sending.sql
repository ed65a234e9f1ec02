-- How far the sending of a publish has come, where the target shows members as they arrive. Records are numbered
-- from 0 for each operation, in the order in which they are sent.
CREATE TABLE sending (
    publish TEXT NOT NULL REFERENCES publishes (id),
    op      TEXT NOT NULL CHECK (op IN ('add', 'update', 'remove')),
    -- Records before this one were answered.
    done    INTEGER NOT NULL DEFAULT 0,
    -- Records before this one may have been sent.
    begun   INTEGER NOT NULL,
    PRIMARY KEY (publish, op)
) STRICT, WITHOUT ROWID;

-- Who was refused is nobody's to read: a keyed hash tells members apart, and key and message are encrypted.
DROP TABLE dead_letters;

CREATE TABLE dead_letters (
    activation  TEXT NOT NULL REFERENCES activations (name),
    member      BLOB NOT NULL,
    op          TEXT NOT NULL CHECK (op IN ('add', 'update', 'remove')),
    -- The last publish that it was refused in, and its number there.
    publish     TEXT NOT NULL REFERENCES publishes (id),
    record      INTEGER NOT NULL,
    code        TEXT NOT NULL,
    sealed      BLOB NOT NULL,
    -- Of the record that was refused; null for a removal.
    fingerprint BLOB,
    -- Publishes running in which it was refused, and those of them in which the record was this one.
    count       INTEGER NOT NULL DEFAULT 1,
    same        INTEGER NOT NULL DEFAULT 1,
    since       TEXT NOT NULL,
    -- When a publish met it last, and when the target itself refused it last.
    last        TEXT NOT NULL,
    tried       TEXT NOT NULL,
    PRIMARY KEY (activation, member, op)
) STRICT, WITHOUT ROWID;

CREATE INDEX dead_letters_of_a_publish ON dead_letters (publish, member, op);
