-- The records: agents and their keys, join tokens, commands, configurations.
-- Times are microseconds since 1970, UTC. JSON is text.

CREATE TABLE agents (
    id           TEXT    PRIMARY KEY NOT NULL,
    name         TEXT,
    status       TEXT    NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'online', 'offline')),
    last_seen_at INTEGER,                         -- the hub's clock
    last_beat_at INTEGER,                         -- the agent's clock, in its newest heartbeat
    info         TEXT    NOT NULL DEFAULT '{}',   -- what the machine says of itself
    metadata     TEXT    NOT NULL DEFAULT '{}',   -- what operators keep with it
    machine_id   TEXT,
    created_at   INTEGER NOT NULL,
    removed_at   INTEGER                          -- set: a tombstone, the id is never given out again
) STRICT;

-- A machine has at most one living agent.
CREATE UNIQUE INDEX agents_by_machine ON agents (machine_id) WHERE machine_id IS NOT NULL AND removed_at IS NULL;
CREATE INDEX agents_by_status ON agents (status);

-- Keys are derived from the master key and the salt: a row that is deleted takes the key with it, for good.
CREATE TABLE agent_keys (
    agent_id   TEXT    NOT NULL REFERENCES agents (id),
    generation INTEGER NOT NULL CHECK (generation >= 1),
    salt       BLOB    NOT NULL CHECK (length(salt) = 16),
    created_at INTEGER NOT NULL,
    PRIMARY KEY (agent_id, generation)
) STRICT, WITHOUT ROWID;

-- Each agent's newest sample, kept so that asking for it does not touch the history.
CREATE TABLE agent_latest (
    agent_id  TEXT    PRIMARY KEY NOT NULL REFERENCES agents (id),
    timestamp INTEGER NOT NULL,
    status    TEXT    NOT NULL,
    metrics   TEXT    NOT NULL
) STRICT;

CREATE TABLE join_tokens (
    id         TEXT    PRIMARY KEY NOT NULL,
    secret     BLOB    NOT NULL CHECK (length(secret) = 32),
    uses_left  INTEGER NOT NULL CHECK (uses_left >= 0),
    agent_id   TEXT,                              -- bound to this id
    replaces   TEXT,                              -- may take over this living agent's machine
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;

CREATE TABLE commands (
    id              TEXT    PRIMARY KEY NOT NULL,
    agent_id        TEXT    NOT NULL REFERENCES agents (id),
    seq             INTEGER NOT NULL CHECK (seq >= 1),
    action          TEXT    NOT NULL,
    params          TEXT    NOT NULL,
    signature       TEXT,
    status          TEXT    NOT NULL DEFAULT 'pending' CHECK (status IN
        ('pending', 'delivered', 'succeeded', 'failed', 'rejected', 'unknown', 'expired', 'cancelled')),
    result          TEXT,                         -- as the agent reported it
    idempotency_key TEXT,
    created_at      INTEGER NOT NULL,
    expires_at      INTEGER NOT NULL,
    delivered_at    INTEGER,
    started_at      INTEGER,
    finished_at     INTEGER,
    UNIQUE (agent_id, seq)
) STRICT;

CREATE UNIQUE INDEX commands_by_idempotency ON commands (agent_id, idempotency_key) WHERE idempotency_key IS NOT NULL;
-- What may still be handed out or reported: short, however long the history grows.
CREATE INDEX commands_open ON commands (agent_id, seq) WHERE status IN ('pending', 'delivered');
CREATE INDEX commands_by_status ON commands (status, expires_at);
CREATE INDEX commands_by_creation ON commands (created_at);

-- The last number given out: commands' ids count by year, their seqs by agent.
CREATE TABLE command_numbers (
    year INTEGER PRIMARY KEY NOT NULL,
    last INTEGER NOT NULL
) STRICT;

CREATE TABLE command_seqs (
    agent_id TEXT    PRIMARY KEY NOT NULL,
    last     INTEGER NOT NULL
) STRICT;

CREATE TABLE configs (
    agent_id   TEXT    NOT NULL,
    version    INTEGER NOT NULL CHECK (version >= 1),
    config     TEXT    NOT NULL,
    updated_at INTEGER NOT NULL,
    updated_by TEXT    NOT NULL,
    PRIMARY KEY (agent_id, version)
) STRICT, WITHOUT ROWID;
