-- Orders that operators signed: kept with the command as they came, and handed on with it. The hub needs no key of theirs.

ALTER TABLE commands ADD COLUMN signed_order TEXT;            -- an object: keyId, nonce, expiresAt, signature
ALTER TABLE command_batches ADD COLUMN signed_by TEXT;        -- whose word it is: the public key
