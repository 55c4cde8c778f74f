-- Drawn at random with each ending: a database that goes back in time gives its sequence out again, and not this.
ALTER TABLE ended_sessions ADD COLUMN mark bigint NOT NULL DEFAULT 0;
