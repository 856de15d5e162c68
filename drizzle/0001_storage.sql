-- A session's row changes with every batch of its log: the room lets the new version stay in its page, with no index touched.
ALTER TABLE "sessions" SET (fillfactor = 60);--> statement-breakpoint
-- No plan asks what these hold, and to gather statistics of them is most of what ANALYZE costs.
ALTER TABLE "log_entries" ALTER COLUMN "data" SET STATISTICS 0;--> statement-breakpoint
ALTER TABLE "log_entries" ALTER COLUMN "at" SET STATISTICS 0;
