ALTER TABLE "sessions" ADD COLUMN "console_error_count" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "sessions" ADD COLUMN "failed_request_count" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
UPDATE "sessions" SET "console_error_count" = "counted"."console_errors", "failed_request_count" = "counted"."failed_requests"
FROM (
	SELECT "session_id",
		count(*) FILTER (WHERE "kind" = 6 AND "data"->>'level' = 'ERROR') AS "console_errors",
		count(*) FILTER (WHERE "kind" = 7 AND (
			("data"->'failure' <> 'null' AND "data"->>'failure' <> ALL (ARRAY['session ended', 'the browser crashed']))
			OR "data"->'status' >= '400'
		)) AS "failed_requests"
	FROM "log_entries" WHERE "kind" IN (6, 7) GROUP BY "session_id"
) AS "counted"
WHERE "sessions"."id" = "counted"."session_id" AND ("counted"."console_errors" > 0 OR "counted"."failed_requests" > 0);
