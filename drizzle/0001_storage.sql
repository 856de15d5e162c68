-- A session's row changes with every batch of its log: the room lets the new version stay in its page, with no index touched.
ALTER TABLE "sessions" SET (fillfactor = 60);
