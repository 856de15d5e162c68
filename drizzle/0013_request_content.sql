ALTER TABLE "log_entries" ADD COLUMN "content" json;--> statement-breakpoint
-- As for "data": no plan asks what it holds.
ALTER TABLE "log_entries" ALTER COLUMN "content" SET STATISTICS 0;
--> statement-breakpoint
-- Half a page: to compress a request of 2 to 4 KB would cost more than to write it.
ALTER TABLE "log_entries" SET (toast_tuple_target = 4080);
