-- One row, written anew each minute: WAL always has a commit to recover to, and a restore shows how much it lost.
-- It must not wait for a standby that isn't there.
SET synchronous_commit = local;
SET statement_timeout = '20s';
INSERT INTO barman_canary.canary (id, at) VALUES (1, clock_timestamp())
ON CONFLICT (id) DO UPDATE SET at = excluded.at;
