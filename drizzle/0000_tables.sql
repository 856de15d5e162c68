CREATE TABLE "api_keys" (
	"id" uuid PRIMARY KEY NOT NULL,
	"owner" text NOT NULL,
	"name" text NOT NULL,
	"secret_hash" text NOT NULL,
	"scopes" text[] NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"last_used_at" timestamp (3) with time zone,
	"expires_at" timestamp (3) with time zone,
	"revoked_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "log_entries" (
	"session_id" uuid NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	"sequence" integer NOT NULL,
	"request_id" integer,
	"kind" smallint NOT NULL,
	"data" jsonb NOT NULL,
	CONSTRAINT "log_entries_pkey" PRIMARY KEY("session_id","sequence")
);
--> statement-breakpoint
CREATE TABLE "sessions" (
	"id" uuid PRIMARY KEY NOT NULL,
	"owner" text NOT NULL,
	"name" text,
	"metadata" jsonb NOT NULL,
	"status" text NOT NULL,
	"end_reason" text,
	"error" text,
	"viewport_width" integer NOT NULL,
	"viewport_height" integer NOT NULL,
	"user_agent" text,
	"locale" text,
	"timezone" text,
	"keep_alive" boolean NOT NULL,
	"idle_timeout_seconds" integer NOT NULL,
	"max_duration_seconds" integer NOT NULL,
	"machine_id" text NOT NULL,
	"idempotency_key" text,
	"input_hash" text,
	"created_at" timestamp (3) with time zone NOT NULL,
	"started_at" timestamp (3) with time zone,
	"last_activity_at" timestamp (3) with time zone NOT NULL,
	"ended_at" timestamp (3) with time zone,
	"current_url" text,
	"title" text,
	"navigation_count" integer DEFAULT 0 NOT NULL,
	"console_message_count" integer DEFAULT 0 NOT NULL,
	"network_request_count" integer DEFAULT 0 NOT NULL,
	"last_sequence" integer DEFAULT 0 NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX "api_keys_by_secret" ON "api_keys" USING btree ("secret_hash");--> statement-breakpoint
CREATE INDEX "api_keys_by_owner" ON "api_keys" USING btree ("owner","created_at","id");--> statement-breakpoint
CREATE INDEX "api_keys_by_expiry" ON "api_keys" USING btree ("expires_at") WHERE "api_keys"."expires_at" is not null;--> statement-breakpoint
CREATE INDEX "log_entries_by_kind" ON "log_entries" USING btree ("session_id","kind","sequence");--> statement-breakpoint
CREATE UNIQUE INDEX "log_entries_by_request" ON "log_entries" USING btree ("session_id","request_id") WHERE "log_entries"."request_id" is not null;--> statement-breakpoint
CREATE INDEX "sessions_by_owner" ON "sessions" USING btree ("owner","created_at","id");--> statement-breakpoint
CREATE INDEX "sessions_by_status" ON "sessions" USING btree ("owner","status","created_at","id");--> statement-breakpoint
CREATE INDEX "sessions_by_name" ON "sessions" USING btree ("owner","name","created_at","id") WHERE "sessions"."name" is not null;--> statement-breakpoint
CREATE INDEX "sessions_by_metadata" ON "sessions" USING gin ("metadata" jsonb_path_ops);--> statement-breakpoint
CREATE INDEX "sessions_live_by_machine" ON "sessions" USING btree ("machine_id") WHERE "sessions"."status" in ('CREATING', 'RUNNING');--> statement-breakpoint
CREATE INDEX "sessions_by_end" ON "sessions" USING btree ("ended_at") WHERE "sessions"."ended_at" is not null;--> statement-breakpoint
CREATE UNIQUE INDEX "sessions_by_idempotency_key" ON "sessions" USING btree ("owner","idempotency_key") WHERE "sessions"."idempotency_key" is not null;