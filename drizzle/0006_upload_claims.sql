CREATE TABLE "upload_claims" (
	"artifact_id" uuid PRIMARY KEY NOT NULL,
	"machine_id" text,
	"expires_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE INDEX "upload_claims_by_expiry" ON "upload_claims" USING btree ("expires_at");