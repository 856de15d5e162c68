CREATE TABLE "bodies" (
	"owner" text NOT NULL,
	"sha256" text NOT NULL,
	"key" text NOT NULL,
	"seal" text,
	"size_bytes" bigint NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"last_used_at" timestamp (3) with time zone NOT NULL,
	"reference_count" integer DEFAULT 0 NOT NULL,
	CONSTRAINT "bodies_pkey" PRIMARY KEY("owner","sha256")
);
--> statement-breakpoint
CREATE TABLE "body_references" (
	"session_id" uuid NOT NULL,
	"owner" text NOT NULL,
	"sha256" text NOT NULL,
	CONSTRAINT "body_references_pkey" PRIMARY KEY("session_id","sha256")
);
--> statement-breakpoint
ALTER TABLE "artifact_usage" ADD COLUMN "body_bytes" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "sessions" ADD COLUMN "capture" jsonb;--> statement-breakpoint
ALTER TABLE "sessions" ADD COLUMN "redact" jsonb;--> statement-breakpoint
ALTER TABLE "sessions" ADD COLUMN "bodies_forgotten" boolean DEFAULT false NOT NULL;--> statement-breakpoint
CREATE UNIQUE INDEX "bodies_by_key" ON "bodies" USING btree ("key");--> statement-breakpoint
CREATE INDEX "bodies_unused" ON "bodies" USING btree ("last_used_at") WHERE "bodies"."reference_count" = 0;--> statement-breakpoint
CREATE INDEX "sessions_by_end_with_bodies" ON "sessions" USING btree ("ended_at") WHERE "sessions"."ended_at" is not null and not "sessions"."bodies_forgotten";--> statement-breakpoint
CREATE FUNCTION "note_body_usage"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF TG_OP = 'DELETE' THEN
		UPDATE "artifact_usage" SET "body_bytes" = "body_bytes" - OLD."size_bytes" WHERE "owner" = OLD."owner";
	ELSE
		INSERT INTO "artifact_usage" ("owner", "bytes", "body_bytes") VALUES (NEW."owner", 0, NEW."size_bytes")
		ON CONFLICT ("owner") DO UPDATE SET "body_bytes" = "artifact_usage"."body_bytes" + EXCLUDED."body_bytes";
	END IF;
	RETURN NULL;
END
$$;
--> statement-breakpoint
CREATE TRIGGER "artifact_usage_of_bodies" AFTER INSERT OR DELETE ON "bodies" FOR EACH ROW EXECUTE FUNCTION "note_body_usage"();
--> statement-breakpoint
CREATE FUNCTION "note_body_reference"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF TG_OP = 'DELETE' THEN
		UPDATE "bodies" SET "reference_count" = "reference_count" - 1 WHERE "owner" = OLD."owner" AND "sha256" = OLD."sha256";
	ELSE
		UPDATE "bodies" SET "reference_count" = "reference_count" + 1 WHERE "owner" = NEW."owner" AND "sha256" = NEW."sha256";
	END IF;
	RETURN NULL;
END
$$;
--> statement-breakpoint
CREATE TRIGGER "reference_count_of_bodies" AFTER INSERT OR DELETE ON "body_references" FOR EACH ROW EXECUTE FUNCTION "note_body_reference"();
