-- Labels on agents, and commands that many agents get by one word.

ALTER TABLE agents ADD COLUMN labels TEXT NOT NULL DEFAULT '{}';   -- an object of text: name to value

CREATE TABLE command_batches (
    id              TEXT    PRIMARY KEY NOT NULL,
    action          TEXT    NOT NULL,
    params          TEXT    NOT NULL,
    asked           BLOB    NOT NULL CHECK (length(asked) = 32),   -- SHA-256 of whom it was asked of
    idempotency_key TEXT    UNIQUE,
    created_at      INTEGER NOT NULL,
    expires_at      INTEGER NOT NULL
) STRICT;

ALTER TABLE commands ADD COLUMN batch_id TEXT REFERENCES command_batches (id);

-- An agent is in a batch once; the order is that in which those who are missing are listed.
CREATE UNIQUE INDEX commands_by_batch ON commands (batch_id, agent_id) WHERE batch_id IS NOT NULL;
