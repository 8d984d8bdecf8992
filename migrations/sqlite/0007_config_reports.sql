-- Which version of its configuration an agent says it has applied, and which it could not: by its last heartbeat that
-- told. All null for one that never told.

ALTER TABLE agents ADD COLUMN config_applied INTEGER;
ALTER TABLE agents ADD COLUMN config_refused INTEGER;
ALTER TABLE agents ADD COLUMN config_reason  TEXT;
