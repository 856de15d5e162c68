CREATE TABLE "session_starts" (
	"session_id" uuid PRIMARY KEY NOT NULL,
	"owner" text NOT NULL,
	"turn" bigint NOT NULL,
	"queued_at" timestamp (3) with time zone NOT NULL,
	"sealed" "bytea",
	"machine_id" text,
	"machine_epoch" bigint
);
--> statement-breakpoint
CREATE INDEX "session_starts_waiting" ON "session_starts" USING btree ("turn","queued_at","session_id") WHERE "session_starts"."machine_id" is null;--> statement-breakpoint
CREATE INDEX "session_starts_by_owner" ON "session_starts" USING btree ("owner","turn");