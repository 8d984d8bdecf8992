-- A checksum of each file of the history, so that a file that the disk changed is told from one that is as it was written.

ALTER TABLE parts ADD COLUMN crc32 INTEGER;   -- of the whole file; not known of those that were written before
