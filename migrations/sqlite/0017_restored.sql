-- The last number of each agent that may have been given out and handed out without these records knowing it: the last
-- one of the backup from which they were restored. 0: they never were.

ALTER TABLE command_seqs ADD COLUMN restored INTEGER NOT NULL DEFAULT 0;

-- A restore of before this leaves no mark, but leaves out 10 000 numbers after the backup's last. So many commands of one
-- agent are never open at once: where nothing was restored, this concerns none that waits.
UPDATE command_seqs SET restored = max(0, last - 10000);
