-- The schedule asks for the last teardown and the last full publish of an activation, which most have none of: without
-- these, each question would read the activation's whole history.
CREATE INDEX publishes_that_tore_down ON publishes (activation, number) WHERE kind = 'teardown';
CREATE INDEX publishes_in_full ON publishes (activation, number) WHERE json_extract(receipt, '$.mode') = 'full';
