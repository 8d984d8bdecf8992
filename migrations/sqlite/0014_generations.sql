-- Agents' keys are rotated: one generation is offered, one in use, one may be at its end.

-- The last generation that was given out: none is given twice, whatever becomes of the keys.
ALTER TABLE agents ADD COLUMN key_generation INTEGER NOT NULL DEFAULT 1;

-- When the first good message came under it: until then it is offered.
ALTER TABLE agent_keys ADD COLUMN used_at INTEGER;
-- When it is refused, once its successor is in use.
ALTER TABLE agent_keys ADD COLUMN ends_at INTEGER;
-- Which master key it comes from; none of before, when there was only one.
ALTER TABLE agent_keys ADD COLUMN master BLOB;

UPDATE agent_keys SET used_at = created_at;
UPDATE agents SET key_generation = coalesce((SELECT max(generation) FROM agent_keys WHERE agent_id = agents.id), 1);

-- The agent that gets keys anew: it stays who it is.
ALTER TABLE join_tokens ADD COLUMN rekeys TEXT;
