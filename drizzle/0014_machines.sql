CREATE TABLE "machines" (
	"id" text PRIMARY KEY NOT NULL,
	"epoch" bigint NOT NULL,
	"instance" text NOT NULL,
	"address" text,
	"version" text NOT NULL,
	"slots" integer NOT NULL,
	"live" integer NOT NULL,
	"queued" integer NOT NULL,
	"warm" integer NOT NULL,
	"draining" boolean NOT NULL,
	"started_at" timestamp (3) with time zone NOT NULL,
	"heartbeat_at" timestamp (3) with time zone NOT NULL,
	"lease_until" timestamp (3) with time zone NOT NULL,
	"steady_since" timestamp (3) with time zone NOT NULL,
	"left_at" timestamp (3) with time zone
);
--> statement-breakpoint
ALTER TABLE "machines" SET (fillfactor = 50);--> statement-breakpoint
ALTER TABLE "sessions" ADD COLUMN "machine_epoch" bigint;