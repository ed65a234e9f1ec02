-- Where a publish went (the target's identity, and the table that identifies members; never a credential), and whose
-- its objects are: its activation's, or, once that was renamed, those of the one that took over.
ALTER TABLE publishes ADD COLUMN place TEXT;
ALTER TABLE publishes ADD COLUMN owner TEXT;
-- Whether objects of it may be at the target: null for none, `leaving` while they are being taken back, so that nobody
-- expects them there any more.
ALTER TABLE publishes ADD COLUMN objects TEXT CHECK (objects IN ('standing', 'leaving'));

-- What was published before is where the snapshot says, as far as anybody knows.
UPDATE publishes SET owner = activation,
    place = (SELECT identity FROM snapshots WHERE snapshots.activation = publishes.activation);
UPDATE publishes SET objects = 'standing'
WHERE json_array_length(receipt, '$.files') + json_array_length(receipt, '$.extras') > 0
  AND number > coalesce((SELECT max(torn.number) FROM publishes AS torn
                         WHERE torn.activation = publishes.activation AND torn.kind = 'teardown'
                           AND torn.status = 'succeeded'), 0);

CREATE INDEX publishes_with_objects ON publishes (owner, number) WHERE objects IS NOT NULL;

-- Places that an activation published to and has not been torn down at.
CREATE TABLE places (
    activation TEXT NOT NULL REFERENCES activations (name),
    identity   TEXT NOT NULL,
    -- Name of the target, as it was.
    target     TEXT NOT NULL,
    -- What reaches it, and what a teardown does there, encrypted; null where nobody knows.
    definition BLOB,
    -- When the activation was found to go elsewhere; null for the place that it goes to.
    left_at    TEXT,
    -- The snapshot of what it held then.
    pointer    TEXT CHECK (pointer IS NULL OR json_valid(pointer)),
    rows       INTEGER NOT NULL DEFAULT 0 CHECK (rows >= 0),
    -- When taking back what is there last failed.
    tried      TEXT,
    PRIMARY KEY (activation, identity)
) STRICT, WITHOUT ROWID;
