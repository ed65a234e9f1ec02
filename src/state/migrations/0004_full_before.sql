-- When everything was last sent under the former name of a renamed activation: its publishes stay under that name, and
-- the resync is counted from there.
ALTER TABLE activations ADD COLUMN full_before TEXT;
