ALTER TABLE "sessions" ADD COLUMN "emulation" jsonb;--> statement-breakpoint
ALTER TABLE "sessions" ADD COLUMN "offline" boolean DEFAULT false NOT NULL;