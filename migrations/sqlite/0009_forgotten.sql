-- Commands are not kept for ever, and a batch names all that it left out.

CREATE TABLE command_batch_left_out (
    batch_id TEXT NOT NULL REFERENCES command_batches (id),
    agent_id TEXT NOT NULL,
    reason   TEXT NOT NULL,
    PRIMARY KEY (batch_id, agent_id)
) STRICT, WITHOUT ROWID;

-- Of a batch from before, the first thousand are known.
INSERT INTO command_batch_left_out (batch_id, agent_id, reason)
SELECT command_batches.id, json_extract(value, '$.agentId'), json_extract(value, '$.reason')
FROM command_batches, json_each(command_batches.left_out);

ALTER TABLE command_batches DROP COLUMN left_out;

CREATE INDEX command_batches_by_creation ON command_batches (created_at);
