-- What was done to this hub, by whom, from where: rows that are only added, each with the hash of the one before in its own.

-- Where the chain begins: a random value, so that no two hubs have the same.
CREATE TABLE audit_genesis (
    one  INTEGER PRIMARY KEY NOT NULL CHECK (one = 1),
    hash BLOB    NOT NULL CHECK (length(hash) = 32)
) STRICT;
INSERT INTO audit_genesis VALUES (1, randomblob(32));

CREATE TABLE audit (
    seq       INTEGER PRIMARY KEY NOT NULL,       -- from 1, without gaps
    at        INTEGER NOT NULL,
    act       TEXT    NOT NULL,
    by_kind   TEXT    NOT NULL,                   -- what kind of doer
    who       TEXT,
    role      TEXT,
    came_from TEXT,
    agent_id  TEXT,
    subject   TEXT,                               -- on what else
    detail    TEXT    NOT NULL,                   -- a JSON object
    result    TEXT    NOT NULL,                   -- done, or a refusal's name
    times     INTEGER NOT NULL,                   -- how often
    hash      BLOB    NOT NULL CHECK (length(hash) = 32)
) STRICT;
CREATE INDEX audit_by_agent ON audit (agent_id, seq) WHERE agent_id IS NOT NULL;

CREATE TRIGGER audit_goes_on BEFORE INSERT ON audit
WHEN new.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM audit) BEGIN
    SELECT RAISE(ABORT, 'the audit only goes on at its end');
END;
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit BEGIN
    SELECT RAISE(ABORT, 'the audit is never changed');
END;
CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit BEGIN
    SELECT RAISE(ABORT, 'nothing is deleted from the audit');
END;
CREATE TRIGGER audit_genesis_is_not_changed BEFORE UPDATE ON audit_genesis BEGIN
    SELECT RAISE(ABORT, 'the audit is never changed');
END;
CREATE TRIGGER audit_genesis_is_not_deleted BEFORE DELETE ON audit_genesis BEGIN
    SELECT RAISE(ABORT, 'nothing is deleted from the audit');
END;

-- When all commands of a batch were seen to be over, for that is told once. Of those that were there before, nothing is told.
ALTER TABLE command_batches ADD COLUMN ended_at INTEGER;
UPDATE command_batches SET ended_at = created_at;
CREATE INDEX command_batches_open ON command_batches (id) WHERE ended_at IS NULL;
