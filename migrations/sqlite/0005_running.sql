-- Commands that run: `running` is a state, and what is known meanwhile is kept. SQLite cannot change a CHECK, so the
-- table is made anew.

CREATE TABLE commands_anew (
    id              TEXT    PRIMARY KEY NOT NULL,
    agent_id        TEXT    NOT NULL REFERENCES agents (id),
    seq             INTEGER NOT NULL CHECK (seq >= 1),
    action          TEXT    NOT NULL,
    params          TEXT    NOT NULL,
    signature       TEXT,
    status          TEXT    NOT NULL DEFAULT 'pending' CHECK (status IN
        ('pending', 'delivered', 'running', 'succeeded', 'failed', 'rejected', 'unknown', 'expired', 'cancelled')),
    result          TEXT,                         -- as the agent reported it
    progress        TEXT,                         -- what it printed, while no result says so
    idempotency_key TEXT,
    batch_id        TEXT    REFERENCES command_batches (id),
    timeout_seconds INTEGER,                      -- how long it may run
    created_at      INTEGER NOT NULL,
    expires_at      INTEGER NOT NULL,
    delivered_at    INTEGER,
    running_at      INTEGER,                      -- when the hub first heard that it runs
    cancel_asked_at INTEGER,                      -- when an operator took it back, or wanted it ended
    started_at      INTEGER,                      -- the agent's clock
    finished_at     INTEGER,                      -- the agent's clock
    UNIQUE (agent_id, seq)
) STRICT;

INSERT INTO commands_anew (id, agent_id, seq, action, params, signature, status, result, idempotency_key, batch_id,
                           created_at, expires_at, delivered_at, started_at, finished_at)
SELECT id, agent_id, seq, action, params, signature, status, result, idempotency_key, batch_id,
       created_at, expires_at, delivered_at, started_at, finished_at FROM commands;

DROP TABLE commands;
ALTER TABLE commands_anew RENAME TO commands;

CREATE UNIQUE INDEX commands_by_idempotency ON commands (agent_id, idempotency_key) WHERE idempotency_key IS NOT NULL;
-- What may still be handed out or reported: short, however long the history grows.
CREATE INDEX commands_open ON commands (agent_id, seq) WHERE status IN ('pending', 'delivered', 'running');
CREATE INDEX commands_by_status ON commands (status, expires_at);
CREATE INDEX commands_by_creation ON commands (created_at);
-- An agent is in a batch once; the order is that in which those who are missing are listed.
CREATE UNIQUE INDEX commands_by_batch ON commands (batch_id, agent_id) WHERE batch_id IS NOT NULL;

ALTER TABLE command_batches ADD COLUMN timeout_seconds INTEGER;
