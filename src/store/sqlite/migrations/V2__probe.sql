-- Counts the supervisor's small commits: a write that changes nothing would not reach the disk.
ALTER TABLE bots ADD COLUMN probes INTEGER NOT NULL DEFAULT 0;
