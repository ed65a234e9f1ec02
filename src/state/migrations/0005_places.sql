-- Where a publish went (the target's identity, and the table that identifies members; never a credential), and whose
-- its objects are: its activation's, or, once that was renamed, those of the one that took over.
ALTER TABLE publishes ADD COLUMN place TEXT;
ALTER TABLE publishes ADD COLUMN owner TEXT;
-- Whether objects of it may be at the target: null for none, `leaving` while they are being taken back, so that nobody
-- expects them there any more.
ALTER TABLE publishes ADD COLUMN objects TEXT CHECK (objects IN ('standing', 'leaving'));

-- Objects belong to the name that an activation has by now: each rename is in the audit, and moves what was asked for
-- before it on.
WITH RECURSIVE renames (was, name, at) AS (
    SELECT substr(detail, 12, length(detail) - 12), activation, at FROM audit
    WHERE what = 'rename' AND activation IS NOT NULL AND detail LIKE 'took over `%`'
), owners (id, owner, since) AS (
    SELECT id, activation, queued_at FROM publishes
    UNION ALL
    SELECT owners.id, renames.name, renames.at FROM owners JOIN renames ON renames.was = owners.owner
        AND renames.at = (SELECT min(at) FROM renames AS next WHERE next.was = owners.owner AND next.at > owners.since)
)
UPDATE publishes SET owner =
    (SELECT owners.owner FROM owners WHERE owners.id = publishes.id ORDER BY since DESC LIMIT 1);
-- What was published before is where the snapshot says, as far as anybody knows.
UPDATE publishes SET place = (SELECT identity FROM snapshots WHERE snapshots.activation = publishes.owner)
WHERE kind <> 'teardown';
UPDATE publishes SET objects = 'standing'
WHERE json_array_length(receipt, '$.files') + json_array_length(receipt, '$.extras') > 0
  AND number > coalesce((SELECT max(torn.number) FROM publishes AS torn
                         WHERE torn.activation IN (publishes.activation, publishes.owner)
                           AND torn.kind = 'teardown' AND torn.status = 'succeeded'), 0);

CREATE INDEX publishes_with_objects ON publishes (owner, number) WHERE objects IS NOT NULL;

-- What a teardown that has begun is, asked for again without a word: `everywhere`, a purge at all places; `here`, a purge
-- at the place that the activation goes to, and at former ones what they were last published with; null: as the config says.
ALTER TABLE activations ADD COLUMN purging TEXT CHECK (purging IN ('everywhere', 'here'));

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
    -- The publish that it stands after.
    publish    TEXT REFERENCES publishes (id),
    -- Whether what is there is being taken back: then the snapshot says who may be there, and nobody publishes by it.
    leaving    INTEGER NOT NULL DEFAULT 0 CHECK (leaving IN (0, 1)),
    -- When taking back what is there last failed.
    tried      TEXT,
    PRIMARY KEY (activation, identity)
) STRICT, WITHOUT ROWID;
