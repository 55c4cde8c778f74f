-- Until when access tokens of a session live, and its ending has to be remembered: written before one is handed out.
-- Of a session that was opened before, nobody knows it: as long as the session.
ALTER TABLE sessions ADD COLUMN access_until INTEGER;
