CREATE TABLE "artifact_usage" (
	"owner" text PRIMARY KEY NOT NULL,
	"bytes" bigint NOT NULL
);
--> statement-breakpoint
DROP INDEX "artifacts_by_owner";--> statement-breakpoint
INSERT INTO "artifact_usage" ("owner", "bytes") SELECT "owner", sum("size_bytes") FROM "artifacts" GROUP BY "owner";
--> statement-breakpoint
CREATE FUNCTION "note_artifact_usage"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF TG_OP = 'DELETE' THEN
		UPDATE "artifact_usage" SET "bytes" = "bytes" - OLD."size_bytes" WHERE "owner" = OLD."owner";
	ELSE
		INSERT INTO "artifact_usage" ("owner", "bytes") VALUES (NEW."owner", NEW."size_bytes")
		ON CONFLICT ("owner") DO UPDATE SET "bytes" = "artifact_usage"."bytes" + EXCLUDED."bytes";
	END IF;
	RETURN NULL;
END
$$;
--> statement-breakpoint
CREATE TRIGGER "artifact_usage_of_artifacts" AFTER INSERT OR DELETE ON "artifacts" FOR EACH ROW EXECUTE FUNCTION "note_artifact_usage"();
