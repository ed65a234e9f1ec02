-- The sequence at which the present life of an activation began: what came before was torn down, or handed over to another name.
ALTER TABLE activations ADD COLUMN lived_from INTEGER NOT NULL DEFAULT 0;

-- The config names it again while the teardown runs that began when it did not: it lives once that is done.
ALTER TABLE activations ADD COLUMN back INTEGER NOT NULL DEFAULT 0 CHECK (back IN (0, 1));

-- A teardown may be asked to purge nothing, too, and that is to be remembered as well.
ALTER TABLE activations ADD COLUMN purges TEXT CHECK (purges IN ('everywhere', 'here', 'former', 'nowhere'));
UPDATE activations SET purges = purging;
ALTER TABLE activations DROP COLUMN purging;
ALTER TABLE activations RENAME COLUMN purges TO purging;
