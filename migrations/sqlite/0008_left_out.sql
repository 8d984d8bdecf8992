-- Whom a batch meant, but was not queued for: how many, and the first of them with the reason. A batch from before left
-- nobody out.

ALTER TABLE command_batches ADD COLUMN left_out_count INTEGER NOT NULL DEFAULT 0;
ALTER TABLE command_batches ADD COLUMN left_out       TEXT    NOT NULL DEFAULT '[]';   -- [{agentId, reason}], by id
