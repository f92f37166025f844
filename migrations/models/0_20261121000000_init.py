"""The first tables, with constraints and triggers that aerich cannot generate (written by hand for both databases)."""

from tortoise import BaseDBAsyncClient

RUN_IN_TRANSACTION = True

_SHARED = """
-- Partial indexes: for the sweeper's queries, and to allow one deduction and one refund per generation.
CREATE INDEX "ix_generations_waiting" ON "generations" ("id") WHERE "status" = 'PENDING';
CREATE INDEX "ix_generations_leased" ON "generations" ("lease_until") WHERE "status" = 'PROCESSING';
CREATE INDEX "ix_files_unsettled" ON "files" ("updated_at") WHERE "state" <> 'LIVE';
CREATE INDEX "ix_files_owner" ON "files" ("owner_id");
CREATE INDEX "ix_sessions_user" ON "sessions" ("user_id");
CREATE UNIQUE INDEX "ux_credit_transactions_deduction" ON "credit_transactions" ("generation_id") WHERE "type" = 'DEDUCTION';
CREATE UNIQUE INDEX "ux_credit_transactions_refund" ON "credit_transactions" ("generation_id") WHERE "type" = 'REFUND';
"""

_POSTGRES = """
CREATE TABLE "collections" (
    "id" VARCHAR(30) NOT NULL PRIMARY KEY,
    "slug" VARCHAR(64) NOT NULL UNIQUE,
    "title" JSONB NOT NULL,
    "description" JSONB NOT NULL,
    "base_cost" INT NOT NULL,
    "refund_policy" VARCHAR(16) NOT NULL,
    "qualities" JSONB NOT NULL,
    "sizes" JSONB NOT NULL,
    "position" INT NOT NULL,
    "is_active" BOOL NOT NULL,
    "created_at" TIMESTAMPTZ NOT NULL,
    "updated_at" TIMESTAMPTZ NOT NULL,
    CONSTRAINT "ck_collections_cost" CHECK ("base_cost" >= 0),
    CONSTRAINT "ck_collections_refund_policy" CHECK ("refund_policy" IN ('ON_FAILURE', 'BEFORE_PROVIDER', 'NEVER'))
);
CREATE TABLE "styles" (
    "id" VARCHAR(30) NOT NULL PRIMARY KEY,
    "slug" VARCHAR(64) NOT NULL,
    "title" JSONB NOT NULL,
    "description" JSONB NOT NULL,
    "category" JSONB,
    "search_text" TEXT NOT NULL,
    "members_only" BOOL NOT NULL,
    "cost" INT,
    "reference_image" VARCHAR(16) NOT NULL,
    "prompt" TEXT NOT NULL,
    "prompt_without_photo" TEXT,
    "variables" JSONB NOT NULL,
    "position" INT NOT NULL,
    "is_active" BOOL NOT NULL,
    "created_at" TIMESTAMPTZ NOT NULL,
    "updated_at" TIMESTAMPTZ NOT NULL,
    "collection_id" VARCHAR(30) NOT NULL REFERENCES "collections" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_styles_collect_f2c917" UNIQUE ("collection_id", "slug"),
    CONSTRAINT "ck_styles_cost" CHECK ("cost" IS NULL OR "cost" >= 0),
    CONSTRAINT "ck_styles_reference_image" CHECK ("reference_image" IN ('REQUIRED', 'OPTIONAL', 'UNUSED'))
);
CREATE TABLE "users" (
    "id" VARCHAR(30) NOT NULL PRIMARY KEY,
    "email" VARCHAR(320) NOT NULL UNIQUE,
    "password_hash" VARCHAR(255) NOT NULL,
    "name" VARCHAR(100),
    "role" VARCHAR(16) NOT NULL,
    "locale" VARCHAR(16),
    "is_member" BOOL NOT NULL,
    "credits" BIGINT NOT NULL,
    "overdraft_allowed" BOOL NOT NULL,
    "version" BIGINT NOT NULL,
    "ledger_sequence" BIGINT NOT NULL,
    "created_at" TIMESTAMPTZ NOT NULL,
    "updated_at" TIMESTAMPTZ NOT NULL,
    CONSTRAINT "ck_users_credits" CHECK ("credits" >= 0 OR "overdraft_allowed"),
    CONSTRAINT "ck_users_counters" CHECK ("version" >= 0 AND "ledger_sequence" >= 0),
    CONSTRAINT "ck_users_role" CHECK ("role" IN ('USER', 'ADMIN', 'SUPER_ADMIN'))
);
CREATE TABLE "credit_transactions" (
    "id" VARCHAR(30) NOT NULL PRIMARY KEY,
    "sequence" BIGINT NOT NULL,
    "type" VARCHAR(16) NOT NULL,
    "status" VARCHAR(16) NOT NULL,
    "amount" BIGINT NOT NULL,
    "balance" BIGINT NOT NULL,
    "account_version" BIGINT NOT NULL,
    "reference" VARCHAR(200) NOT NULL UNIQUE,
    "generation_id" VARCHAR(30),
    "metadata" JSONB,
    "created_at" TIMESTAMPTZ NOT NULL,
    "user_id" VARCHAR(30) NOT NULL REFERENCES "users" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_credit_tran_user_id_fff28c" UNIQUE ("user_id", "sequence"),
    CONSTRAINT "ck_credit_transactions_sign" CHECK (("type" IN ('DEDUCTION', 'REVERSAL') AND "amount" < 0) OR ("type" IN ('BONUS', 'PURCHASE', 'SUBSCRIPTION', 'REFUND') AND "amount" > 0) OR ("type" = 'ADMIN' AND "amount" <> 0)),
    CONSTRAINT "ck_credit_transactions_amount" CHECK ("amount" BETWEEN -1000000 AND 1000000),
    CONSTRAINT "ck_credit_transactions_sequence" CHECK ("sequence" >= 1),
    CONSTRAINT "ck_credit_transactions_status" CHECK ("status" IN ('PENDING', 'COMPLETED', 'FAILED')),
    CONSTRAINT "ck_credit_transactions_cause" CHECK ("type" NOT IN ('DEDUCTION', 'REFUND') OR "generation_id" IS NOT NULL)
);
CREATE INDEX "idx_credit_tran_generat_9612fc" ON "credit_transactions" ("generation_id");
CREATE INDEX "idx_credit_tran_user_id_d20d00" ON "credit_transactions" ("user_id", "type", "sequence");
CREATE TABLE "files" (
    "id" VARCHAR(30) NOT NULL PRIMARY KEY,
    "kind" VARCHAR(16) NOT NULL,
    "state" VARCHAR(16) NOT NULL,
    "content_type" VARCHAR(32) NOT NULL,
    "byte_size" BIGINT NOT NULL,
    "width" INT NOT NULL,
    "height" INT NOT NULL,
    "sha256" VARCHAR(64) NOT NULL,
    "placeholder" VARCHAR(400) NOT NULL,
    "created_at" TIMESTAMPTZ NOT NULL,
    "updated_at" TIMESTAMPTZ NOT NULL,
    "owner_id" VARCHAR(30) NOT NULL REFERENCES "users" ("id") ON DELETE RESTRICT,
    CONSTRAINT "ck_files_state" CHECK ("state" IN ('PENDING', 'LIVE', 'DELETING')),
    CONSTRAINT "ck_files_kind" CHECK ("kind" IN ('ORIGINAL', 'RESULT')),
    CONSTRAINT "ck_files_size" CHECK ("byte_size" > 0 AND "width" > 0 AND "height" > 0)
);
CREATE TABLE "generations" (
    "id" VARCHAR(30) NOT NULL PRIMARY KEY,
    "batch_id" VARCHAR(30) NOT NULL,
    "media" VARCHAR(8) NOT NULL,
    "status" VARCHAR(16) NOT NULL,
    "stage" VARCHAR(16) NOT NULL,
    "progress" DOUBLE PRECISION NOT NULL,
    "preview" TEXT,
    "version" BIGINT NOT NULL,
    "collection_slug" VARCHAR(64) NOT NULL,
    "style_slug" VARCHAR(64) NOT NULL,
    "style_title" JSONB NOT NULL,
    "prompt" TEXT,
    "full_prompt" TEXT NOT NULL,
    "variables" JSONB NOT NULL,
    "size" VARCHAR(8) NOT NULL,
    "quality" VARCHAR(8) NOT NULL,
    "aspect_ratio" VARCHAR(8),
    "requested_model" VARCHAR(100),
    "cost" INT NOT NULL,
    "paid_by" VARCHAR(8) NOT NULL,
    "refund_policy" VARCHAR(16) NOT NULL,
    "refunded" BOOL NOT NULL,
    "attempts" INT NOT NULL,
    "fence" BIGINT NOT NULL,
    "worker" VARCHAR(64),
    "lease_until" TIMESTAMPTZ,
    "provider_called_at" TIMESTAMPTZ,
    "provider_calls" INT NOT NULL,
    "provider" VARCHAR(32),
    "model" VARCHAR(100),
    "provider_cost" DOUBLE PRECISION,
    "provider_request_id" VARCHAR(200),
    "error_code" VARCHAR(32),
    "created_at" TIMESTAMPTZ NOT NULL,
    "updated_at" TIMESTAMPTZ NOT NULL,
    "started_at" TIMESTAMPTZ,
    "completed_at" TIMESTAMPTZ,
    "original_id" VARCHAR(30) REFERENCES "files" ("id") ON DELETE RESTRICT,
    "result_id" VARCHAR(30) REFERENCES "files" ("id") ON DELETE RESTRICT,
    "style_id" VARCHAR(30) REFERENCES "styles" ("id") ON DELETE SET NULL,
    "user_id" VARCHAR(30) NOT NULL REFERENCES "users" ("id") ON DELETE RESTRICT,
    CONSTRAINT "ck_generations_stage" CHECK (("status" = 'PENDING' AND "stage" = 'QUEUED') OR ("status" = 'PROCESSING' AND "stage" IN ('VALIDATING', 'GENERATING', 'STORING')) OR ("status" IN ('COMPLETED', 'FAILED', 'CANCELED') AND "stage" = "status")),
    CONSTRAINT "ck_generations_end" CHECK (("status" IN ('COMPLETED', 'FAILED', 'CANCELED')) = ("completed_at" IS NOT NULL)),
    CONSTRAINT "ck_generations_lease" CHECK (("status" = 'PROCESSING') = ("lease_until" IS NOT NULL)),
    CONSTRAINT "ck_generations_result" CHECK (("status" = 'COMPLETED') = ("result_id" IS NOT NULL)),
    CONSTRAINT "ck_generations_error" CHECK (("status" = 'FAILED') = ("error_code" IS NOT NULL)),
    CONSTRAINT "ck_generations_progress" CHECK ("progress" >= 0 AND "progress" <= 1),
    CONSTRAINT "ck_generations_numbers" CHECK ("cost" >= 0 AND "attempts" >= 0 AND "fence" >= 0 AND "provider_calls" >= 0 AND "version" >= 1),
    CONSTRAINT "ck_generations_refund_policy" CHECK ("refund_policy" IN ('ON_FAILURE', 'BEFORE_PROVIDER', 'NEVER')),
    CONSTRAINT "ck_generations_paid_by" CHECK ("paid_by" IN ('CREDITS', 'PASS', 'PLAN'))
);
CREATE INDEX "idx_generations_user_id_0f4a61" ON "generations" ("user_id", "id");
CREATE INDEX "idx_generations_user_id_f7bab7" ON "generations" ("user_id", "status", "id");
CREATE INDEX "idx_generations_batch_i_6eea55" ON "generations" ("batch_id");
CREATE INDEX "idx_generations_origina_d53576" ON "generations" ("original_id");
CREATE INDEX "idx_generations_result__4d72bb" ON "generations" ("result_id");
CREATE TABLE "idempotency_keys" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "operation" VARCHAR(32) NOT NULL,
    "key" VARCHAR(128) NOT NULL,
    "input_hash" VARCHAR(64) NOT NULL,
    "batch_id" VARCHAR(30) NOT NULL,
    "created_at" TIMESTAMPTZ NOT NULL,
    "user_id" VARCHAR(30) NOT NULL REFERENCES "users" ("id") ON DELETE CASCADE,
    CONSTRAINT "uid_idempotency_user_id_0f6729" UNIQUE ("user_id", "operation", "key")
);
CREATE TABLE "sessions" (
    "id" VARCHAR(30) NOT NULL PRIMARY KEY,
    "token_hash" VARCHAR(64) NOT NULL UNIQUE,
    "expires_at" TIMESTAMPTZ NOT NULL,
    "created_at" TIMESTAMPTZ NOT NULL,
    "user_id" VARCHAR(30) NOT NULL REFERENCES "users" ("id") ON DELETE CASCADE
);
CREATE INDEX "idx_sessions_expires_6bcc94" ON "sessions" ("expires_at");
CREATE TABLE IF NOT EXISTS "aerich" (
    "id" SERIAL NOT NULL PRIMARY KEY,
    "version" VARCHAR(255) NOT NULL,
    "app" VARCHAR(100) NOT NULL,
    "content" JSONB NOT NULL
);

-- The ledger is append-only; a final state never reopens.
CREATE FUNCTION "refuse_change"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on % is not allowed', TG_OP, TG_TABLE_NAME USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER "tr_credit_transactions_append_only" BEFORE UPDATE OR DELETE ON "credit_transactions"
    FOR EACH ROW EXECUTE FUNCTION "refuse_change"();
CREATE TRIGGER "tr_generations_final" BEFORE UPDATE ON "generations"
    FOR EACH ROW WHEN (OLD."status" IN ('COMPLETED', 'FAILED', 'CANCELED') AND NEW."status" <> OLD."status")
    EXECUTE FUNCTION "refuse_change"();
"""

# executescript first commits an open transaction; the BEGIN here makes the whole script atomic.
_SQLITE = """
PRAGMA foreign_keys=OFF;
BEGIN IMMEDIATE;
CREATE TABLE "collections" (
    "id" VARCHAR(30) NOT NULL PRIMARY KEY,
    "slug" VARCHAR(64) NOT NULL UNIQUE,
    "title" JSON NOT NULL,
    "description" JSON NOT NULL,
    "base_cost" INT NOT NULL,
    "refund_policy" VARCHAR(16) NOT NULL,
    "qualities" JSON NOT NULL,
    "sizes" JSON NOT NULL,
    "position" INT NOT NULL,
    "is_active" INT NOT NULL,
    "created_at" TIMESTAMP NOT NULL,
    "updated_at" TIMESTAMP NOT NULL,
    CONSTRAINT "ck_collections_cost" CHECK ("base_cost" >= 0),
    CONSTRAINT "ck_collections_refund_policy" CHECK ("refund_policy" IN ('ON_FAILURE', 'BEFORE_PROVIDER', 'NEVER'))
);
CREATE TABLE "styles" (
    "id" VARCHAR(30) NOT NULL PRIMARY KEY,
    "slug" VARCHAR(64) NOT NULL,
    "title" JSON NOT NULL,
    "description" JSON NOT NULL,
    "category" JSON,
    "search_text" TEXT NOT NULL,
    "members_only" INT NOT NULL,
    "cost" INT,
    "reference_image" VARCHAR(16) NOT NULL,
    "prompt" TEXT NOT NULL,
    "prompt_without_photo" TEXT,
    "variables" JSON NOT NULL,
    "position" INT NOT NULL,
    "is_active" INT NOT NULL,
    "created_at" TIMESTAMP NOT NULL,
    "updated_at" TIMESTAMP NOT NULL,
    "collection_id" VARCHAR(30) NOT NULL REFERENCES "collections" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_styles_collect_f2c917" UNIQUE ("collection_id", "slug"),
    CONSTRAINT "ck_styles_cost" CHECK ("cost" IS NULL OR "cost" >= 0),
    CONSTRAINT "ck_styles_reference_image" CHECK ("reference_image" IN ('REQUIRED', 'OPTIONAL', 'UNUSED'))
);
CREATE TABLE "users" (
    "id" VARCHAR(30) NOT NULL PRIMARY KEY,
    "email" VARCHAR(320) NOT NULL UNIQUE,
    "password_hash" VARCHAR(255) NOT NULL,
    "name" VARCHAR(100),
    "role" VARCHAR(16) NOT NULL,
    "locale" VARCHAR(16),
    "is_member" INT NOT NULL,
    "credits" BIGINT NOT NULL,
    "overdraft_allowed" INT NOT NULL,
    "version" BIGINT NOT NULL,
    "ledger_sequence" BIGINT NOT NULL,
    "created_at" TIMESTAMP NOT NULL,
    "updated_at" TIMESTAMP NOT NULL,
    CONSTRAINT "ck_users_credits" CHECK ("credits" >= 0 OR "overdraft_allowed"),
    CONSTRAINT "ck_users_counters" CHECK ("version" >= 0 AND "ledger_sequence" >= 0),
    CONSTRAINT "ck_users_role" CHECK ("role" IN ('USER', 'ADMIN', 'SUPER_ADMIN'))
);
CREATE TABLE "credit_transactions" (
    "id" VARCHAR(30) NOT NULL PRIMARY KEY,
    "sequence" BIGINT NOT NULL,
    "type" VARCHAR(16) NOT NULL,
    "status" VARCHAR(16) NOT NULL,
    "amount" BIGINT NOT NULL,
    "balance" BIGINT NOT NULL,
    "account_version" BIGINT NOT NULL,
    "reference" VARCHAR(200) NOT NULL UNIQUE,
    "generation_id" VARCHAR(30),
    "metadata" JSON,
    "created_at" TIMESTAMP NOT NULL,
    "user_id" VARCHAR(30) NOT NULL REFERENCES "users" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_credit_tran_user_id_fff28c" UNIQUE ("user_id", "sequence"),
    CONSTRAINT "ck_credit_transactions_sign" CHECK (("type" IN ('DEDUCTION', 'REVERSAL') AND "amount" < 0) OR ("type" IN ('BONUS', 'PURCHASE', 'SUBSCRIPTION', 'REFUND') AND "amount" > 0) OR ("type" = 'ADMIN' AND "amount" <> 0)),
    CONSTRAINT "ck_credit_transactions_amount" CHECK ("amount" BETWEEN -1000000 AND 1000000),
    CONSTRAINT "ck_credit_transactions_sequence" CHECK ("sequence" >= 1),
    CONSTRAINT "ck_credit_transactions_status" CHECK ("status" IN ('PENDING', 'COMPLETED', 'FAILED')),
    CONSTRAINT "ck_credit_transactions_cause" CHECK ("type" NOT IN ('DEDUCTION', 'REFUND') OR "generation_id" IS NOT NULL)
);
CREATE INDEX "idx_credit_tran_generat_9612fc" ON "credit_transactions" ("generation_id");
CREATE INDEX "idx_credit_tran_user_id_d20d00" ON "credit_transactions" ("user_id", "type", "sequence");
CREATE TABLE "files" (
    "id" VARCHAR(30) NOT NULL PRIMARY KEY,
    "kind" VARCHAR(16) NOT NULL,
    "state" VARCHAR(16) NOT NULL,
    "content_type" VARCHAR(32) NOT NULL,
    "byte_size" BIGINT NOT NULL,
    "width" INT NOT NULL,
    "height" INT NOT NULL,
    "sha256" VARCHAR(64) NOT NULL,
    "placeholder" VARCHAR(400) NOT NULL,
    "created_at" TIMESTAMP NOT NULL,
    "updated_at" TIMESTAMP NOT NULL,
    "owner_id" VARCHAR(30) NOT NULL REFERENCES "users" ("id") ON DELETE RESTRICT,
    CONSTRAINT "ck_files_state" CHECK ("state" IN ('PENDING', 'LIVE', 'DELETING')),
    CONSTRAINT "ck_files_kind" CHECK ("kind" IN ('ORIGINAL', 'RESULT')),
    CONSTRAINT "ck_files_size" CHECK ("byte_size" > 0 AND "width" > 0 AND "height" > 0)
);
CREATE TABLE "generations" (
    "id" VARCHAR(30) NOT NULL PRIMARY KEY,
    "batch_id" VARCHAR(30) NOT NULL,
    "media" VARCHAR(8) NOT NULL,
    "status" VARCHAR(16) NOT NULL,
    "stage" VARCHAR(16) NOT NULL,
    "progress" REAL NOT NULL,
    "preview" TEXT,
    "version" BIGINT NOT NULL,
    "collection_slug" VARCHAR(64) NOT NULL,
    "style_slug" VARCHAR(64) NOT NULL,
    "style_title" JSON NOT NULL,
    "prompt" TEXT,
    "full_prompt" TEXT NOT NULL,
    "variables" JSON NOT NULL,
    "size" VARCHAR(8) NOT NULL,
    "quality" VARCHAR(8) NOT NULL,
    "aspect_ratio" VARCHAR(8),
    "requested_model" VARCHAR(100),
    "cost" INT NOT NULL,
    "paid_by" VARCHAR(8) NOT NULL,
    "refund_policy" VARCHAR(16) NOT NULL,
    "refunded" INT NOT NULL,
    "attempts" INT NOT NULL,
    "fence" BIGINT NOT NULL,
    "worker" VARCHAR(64),
    "lease_until" TIMESTAMP,
    "provider_called_at" TIMESTAMP,
    "provider_calls" INT NOT NULL,
    "provider" VARCHAR(32),
    "model" VARCHAR(100),
    "provider_cost" REAL,
    "provider_request_id" VARCHAR(200),
    "error_code" VARCHAR(32),
    "created_at" TIMESTAMP NOT NULL,
    "updated_at" TIMESTAMP NOT NULL,
    "started_at" TIMESTAMP,
    "completed_at" TIMESTAMP,
    "original_id" VARCHAR(30) REFERENCES "files" ("id") ON DELETE RESTRICT,
    "result_id" VARCHAR(30) REFERENCES "files" ("id") ON DELETE RESTRICT,
    "style_id" VARCHAR(30) REFERENCES "styles" ("id") ON DELETE SET NULL,
    "user_id" VARCHAR(30) NOT NULL REFERENCES "users" ("id") ON DELETE RESTRICT,
    CONSTRAINT "ck_generations_stage" CHECK (("status" = 'PENDING' AND "stage" = 'QUEUED') OR ("status" = 'PROCESSING' AND "stage" IN ('VALIDATING', 'GENERATING', 'STORING')) OR ("status" IN ('COMPLETED', 'FAILED', 'CANCELED') AND "stage" = "status")),
    CONSTRAINT "ck_generations_end" CHECK (("status" IN ('COMPLETED', 'FAILED', 'CANCELED')) = ("completed_at" IS NOT NULL)),
    CONSTRAINT "ck_generations_lease" CHECK (("status" = 'PROCESSING') = ("lease_until" IS NOT NULL)),
    CONSTRAINT "ck_generations_result" CHECK (("status" = 'COMPLETED') = ("result_id" IS NOT NULL)),
    CONSTRAINT "ck_generations_error" CHECK (("status" = 'FAILED') = ("error_code" IS NOT NULL)),
    CONSTRAINT "ck_generations_progress" CHECK ("progress" >= 0 AND "progress" <= 1),
    CONSTRAINT "ck_generations_numbers" CHECK ("cost" >= 0 AND "attempts" >= 0 AND "fence" >= 0 AND "provider_calls" >= 0 AND "version" >= 1),
    CONSTRAINT "ck_generations_refund_policy" CHECK ("refund_policy" IN ('ON_FAILURE', 'BEFORE_PROVIDER', 'NEVER')),
    CONSTRAINT "ck_generations_paid_by" CHECK ("paid_by" IN ('CREDITS', 'PASS', 'PLAN'))
);
CREATE INDEX "idx_generations_user_id_0f4a61" ON "generations" ("user_id", "id");
CREATE INDEX "idx_generations_user_id_f7bab7" ON "generations" ("user_id", "status", "id");
CREATE INDEX "idx_generations_batch_i_6eea55" ON "generations" ("batch_id");
CREATE INDEX "idx_generations_origina_d53576" ON "generations" ("original_id");
CREATE INDEX "idx_generations_result__4d72bb" ON "generations" ("result_id");
CREATE TABLE "idempotency_keys" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "operation" VARCHAR(32) NOT NULL,
    "key" VARCHAR(128) NOT NULL,
    "input_hash" VARCHAR(64) NOT NULL,
    "batch_id" VARCHAR(30) NOT NULL,
    "created_at" TIMESTAMP NOT NULL,
    "user_id" VARCHAR(30) NOT NULL REFERENCES "users" ("id") ON DELETE CASCADE,
    CONSTRAINT "uid_idempotency_user_id_0f6729" UNIQUE ("user_id", "operation", "key")
);
CREATE TABLE "sessions" (
    "id" VARCHAR(30) NOT NULL PRIMARY KEY,
    "token_hash" VARCHAR(64) NOT NULL UNIQUE,
    "expires_at" TIMESTAMP NOT NULL,
    "created_at" TIMESTAMP NOT NULL,
    "user_id" VARCHAR(30) NOT NULL REFERENCES "users" ("id") ON DELETE CASCADE
);
CREATE INDEX "idx_sessions_expires_6bcc94" ON "sessions" ("expires_at");
CREATE TABLE IF NOT EXISTS "aerich" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "version" VARCHAR(255) NOT NULL,
    "app" VARCHAR(100) NOT NULL,
    "content" JSON NOT NULL
);

-- The ledger is append-only; a final state never reopens.
CREATE TRIGGER "tr_credit_transactions_no_update" BEFORE UPDATE ON "credit_transactions"
BEGIN SELECT RAISE(ABORT, 'UPDATE on credit_transactions is not allowed'); END;
CREATE TRIGGER "tr_credit_transactions_no_delete" BEFORE DELETE ON "credit_transactions"
BEGIN SELECT RAISE(ABORT, 'DELETE on credit_transactions is not allowed'); END;
CREATE TRIGGER "tr_generations_final" BEFORE UPDATE ON "generations"
WHEN OLD."status" IN ('COMPLETED', 'FAILED', 'CANCELED') AND NEW."status" <> OLD."status"
BEGIN SELECT RAISE(ABORT, 'UPDATE on generations is not allowed'); END;
"""


async def upgrade(db: BaseDBAsyncClient) -> str:
    return (_POSTGRES if db.capabilities.dialect == "postgres" else _SQLITE) + _SHARED


async def downgrade(db: BaseDBAsyncClient) -> str:
    return ""  # forward only: restore a backup instead


MODELS_STATE = (
    "eJztXW1z2zYS/isYfWk6o/hs2XF8vU5n/KKkvjp2zpbvOm06NERCEsYUoRKQFV0v//0AkB"
    "TfQJqQKFmi8cUvIBaknoWWi2cXi79aY+Igl+6dE9dFNsPEa/0A/mp5cIz4H4qrbdCCk0l8"
    "TTQw2Hdld3vRT7bDPmU+tBm/NIAuRbzJQdT28SS8UesUTHziTG0GXOwhQAaAsrmLKJhhNg"
    "KYUUBmHu+DbQSg5wAfDab814S42J7viXs4xOY3wd6wnuGmHv5ziixGhoiNkM8H/f0P3ow9"
    "B31FNPp38mgNMHKdFFbYEQPIdovNJ7LtfAT9D7KneNS+xQGajr2492TORsRbdOefRLQOkY"
    "d8yJCTAM6bum4Ic9QUPCtvYP4ULR7SiRscNIBTV8Df+pF/UKkYEKpUArP3owvHfQf+9FP4"
    "fAkJy7q+6Vl33Z5ltXKKE0+TAT9ssrnuudKxx6hEZwy/Wi7yhmzE/z3c/xbcJ0Yp6CVu+O"
    "/T2/OfT2/fHO5/L25I+MwJZtV1eKUjL32TQ0AGg0GkTmIlUHc61FFD1H9TioiAWzvUx0cV"
    "oD4+KoRaXBJQx9AyzHinHLb/vLu5VmO7EMiA62D+Bf0f/4pStgzIUUOMcmxcNgBzCawCCj"
    "HymNI/3SScbz6d/ppF+vzq5kyCQygb+nIUOcBZBvbkY2qAnxEzKlhBBX1IEYc2wCqtgEuP"
    "qfFPyWTQ559jB1Hnz8t/ve0cHL0/Ojk8PjrhXeSDLlrelyjm8rqXQTV4+VrBy1dts7vedC"
    "zhveRPAj0b5WDODVKPIV8P1KHL9DfEP9beZJ51X6qY9YPjCmb94LjQrItLaTX8OYUuZhhR"
    "HeuSEjK2ZQXbQvF/9aBfCBjYV4CdX8fqV2qhRU+KGIOuMOiYWnyxh58UTuIZIS6CXsFSKC"
    "mXQbbPBdcFbeScb3Y6n93cXKWm89llLzOJ7z+ddbkVl3Obd8IMqQG3fSQgsaDCMbngVxge"
    "IzXkacmsJQlF96I/dnFu8w/o3HjuPNRziUJ6l5+6d73TT59TWrk47XXFlY5snWda32TfsI"
    "tBwH8uez8D8S/47ea6m7VFi36931rimeCUEcsjMws6ifVi1BqhltL6dOIsqfW0pNH6tmg9"
    "wiihdvn0gmoaPCZ4DtHQh/bjDPqOlbqScCgk46UwwaHch19ukQsLXmQhOXQnxthB/X+LZn"
    "zUmkSSdEgRlPlL48442wI9OJQfSdxb3CkiR33kYNbzoUdhMYOa69QuJVJld4vF/SsSqjce"
    "WnCfbMT/Rs4Q+f/gKOAh/4NKypMiwAiwR9Ab8o4+4LdHDAHM8ozqiuN98b54DxTxycEXbw"
    "/AJlOuKQA9AG3593dUjh4QtGTKwBBOaBtgT96M+A7yxZ1tMh5jRvfAA78d8oPBKJxzuRFk"
    "wYPxYb54feQSb0jF47x5cJCggn/gc9ja29t7+F5SvpiCYLa2ASVckot7hI34xxWXZj5mDP"
    "G7z7CNigjh31v8E8tlZfTJWn9kSOK/WvHkkb2tgO+V37OUIP8HfZ1wO0GlksPJFs6ecJZH"
    "386W7MxngPznW0OY6GCuN5CKjnScN8V4WLjKSEo1aZXx907n8PB9Z//w+OTd0fv37072F8"
    "uN/KWydcfZ5UfhCafUkneNoy/aMpxSJGuoJE0qiePJpgrXoxrssfTmgG+d33z6fNXtdS80"
    "rc5W4g/H4p2qZ29iGWNtlrY2fehCbUufEDLQLw196EhaT9wZVfJ5pZM/L2xUsbQqFr65jv"
    "eZEmpcFL6zX8XN5L0Krby8lsY5xIM/mKXn6ecEl8I7RLNkrr8c3nV59Yn1O2JQuPg6IZqk"
    "zEpRmuehbnSQxvDbxdN+N5nOSvx2TJdUNWwJkW1etL2oUcuRyWnE83B/ID7CQ+8XNM+t29"
    "Ss8X04zI6BXUQa82Yfzhb0WnKS8c8ecJyi/ZZP+NvL815AyKnp+XXyzx+whDVHOcv2dhnL"
    "PMBhpKAarzzh766pH2TOilxaNpqO+x7EHNM+YSMw9QRd+4jmVHC2ZOrLbNsxfOToq5nllU"
    "d8Nem6QlXNo0i5Hgu08DxdFMlus8HfSpZI8GxLc6ML4Q1ydJ+71xeX1x+bwNDx2zHkMauY"
    "ni7wZzNy2zzpl7U2nSrWplNsbTpZsPtzhiyRLqfJyyXFDB20NB00ww5XbA76QtwX/ZuEeW"
    "3JdSPui490EtBjAYOnAk86gp13xzo2OJZooPWtf7vQxIU2GhHXUa0ti1HOiDUQ6qNKnPBR"
    "CSd8lOeEDVVWjH6DqTKTCtowrRelgia1TmaeNkOalGmgTV07RSrxMxzpcxxpcpppk6QpQt"
    "qx+opNgTpJzB8X0c6djbTlE5lToUnoIIPSptO9E4ApSPc0nMXUexyK1yDgfZEbShkYEB+Q"
    "mD5Xc+tFnUVKdvcJ+fMoYRtTAEWG9QT66C30nLcUsSAxekyeEAUPYXbMwx44BTPiPyJJw1"
    "OZdu2TGZiNsIvAg4vEluepx7D7AFzMJeGIv4MFuf/FE+z+wyBI3MaBqIdm/Pn2wGd1OQ7A"
    "H4f3I3SRe+7AOcAMzCAFlC8QKgYAilKx+c9Vkq/FF1E9cJzHWO8t+pDZI6veMYmPh9iDbs"
    "3D8jH4F33VQRsSuom/6s0L4CzmpIY+kjLGFa2UguRgRf5RtYDNQniDAZvLT6cfu5sP15xU"
    "AP6kEPeTBmSzNyhSxvEbrhKlHG46Svmv++59M7YRTHwi2ArF1P/gElhUHSEhlEF9IKTWhf"
    "v+3v56VxcqWC9u7s+uuuDzbff88u4yzHxcUETyovQEF3v3b7unVzmU0RNGszzIPe4CFWG8"
    "EFlT5u62pJP2ur/2UmxcLp10AffVzfXHqHs2xzSN+FJbBF5ka8DBujyVFwkEx1UhLd3yfA"
    "rRBrqM9QffZBEAbbTTUgboykBrl0bMiJlSTquUcvLJeKIIgJW9RyMJ8xrVf40O+FNY+qBn"
    "xBphXTbuwUAfCyi0CsalhIylWbFW39JLUnVC4VbN++3jYII6k0tXB02IG9x1cId0wt1uS9"
    "LWOh5kVq4J79e1Ah1G6ZBjyTmgg7VCtHlwH1RKljsoSZY7UCTL6ZVyNlWcF4DnF/cTiNWp"
    "GtUsdEJ8k1VfbrsXl727nQ9RmBLay5iU2gnzAEGkiIKW1r1Nim2w7O2iZWfr3kLGEF9GKl"
    "ZBxZVeEiKbs+PrCk3UbcQH+nXqBpsvUrdmNDe9PUpmUuk4fLFE8/y8+pnZRDpaHuTy5PiM"
    "aA3Z8VuG/e4mw+f3QEx88oQd5Fs2dN2l9kKoRzBa3xmt6zgCecHGvMDqW9OFGOm8nJIyzX"
    "s91b85XZvuMSSPHskTf9GVbE95KlNacsl8pi3DfO35TCFqIS+pmRVcIN68yb6WkpDI94mY"
    "r87S8an0CFsMew0MUP3W3Gy/LoZ+Nzfimu3Xr1HrirVHbtslN6D+clpPS5oF5vYoOf/dFh"
    "sixeblpWx6RtZoeps1ndwDqeGwZsS22GPamo1s8bZQDZxTQgbl51EOcov1QE7KGIyfx9jU"
    "qDY1ql/gfVtDjeqcpagB1KrHRW6ZkagKatI4plDlDwCu76+uWkp/ogZgoxLezcQ140FVmL"
    "CBL2CAfQbYlMu0VbXqLx00nhCGPHvOldVSFNDJ9GiXFdHBcV9LFImXvZ+tpNMbITBGY+LP"
    "ZVF5D4kC88iJCub8EJwpKqrMQPqInLYsTTMbYXskqt1QUYJGVF7KV92pc+DSY0fJJFFjiN"
    "8jd/yoVuWUsiwfpb+iiJCGs7DsDfqypzJtMMWnuFpKSm+V15lJoSZ6jrWT8Y+oIBdWDXDY"
    "vYHQHnSq5BvzXsVx1U4u5xh7kymzRpAqanuXFGFKSTUQ6/oT2ExtpQ0s5E3grhj63QzhmC"
    "PGXuyLZeibNdE356d356cX3Zdatd0F1RtbiuVadKldtk6jUfXHdtVKp5TPirfY2wNiTcXI"
    "I/LE+WDIHYjioR56Qj6gjE8evogi3ELJw8Pufj5923l3rK6GuuqAr+agMTEFm1enUmpc22"
    "lNSzXucOL6XVb0dYL5W3oJbyotuRlvapPI74jzVC01wvjMxmc2PrPxmY3PXOIzy5ioymOO"
    "gqUl/rLoUtFbPgVifAcElbWA2OXsciXnveCyjspoQ1x7UXSRVQFXijNsr88r8W6e06td/t"
    "EUfqzu6mqXfDTFHusowZZ8TA3wM2JGBSuowObQDImviLEV45+UWQn87czI2Bj2FEHfHlkM"
    "fdWqvZkRa4SBL1taraP25hiN+8inlqAH89iXFvrJippiPxrFfjZZrG3LrEvd+/p9NEC+qN"
    "tj4fEKp2sohtlmi7KVJcM2XrT6tZvvAD5rhjl2U2ZNRoQpKps+B39evgm7JTatC1PG+mUL"
    "5hOK1Quo4qo5CRFTBlXxasXUgjbDT6oqemWuYUpug35hxIrtrltoglCvMQhlKi40TOuKiH"
    "Ou4kLiFCi9wEJOsBGu84bDkOk40IrByPPUYDsGfNWQZG7aae/BitHPHBSecS3MQe/ri+DK"
    "uLkigBvF04vjtyIkrZHsCG2bTD2mTlyMLopj2x+46+JgRh/CM9uhPVocju4iZ4j87yig03"
    "FbntzuBJmMUVAXiKUrlwo68rWSh/bis93BUG5B68/lvjXR9YvMipyLk+HHmPGZEp0Xz2/Y"
    "h674mrcB8mRYa8x/t0VkeYBd3kp8fp944vKHQl/50kxQRuJacDRuG4RraTCEE2qSLHfjPd"
    "EuiTejMVTVWi5Ww0KgcamVh51KaHdK4O7kK1pCSmeEmzXdPNacYAPdoM67dxUQ572KyyqK"
    "a2nE5W8NoKP+TSAFN1Ci1SeqFIqKQQiizKZY41Ru3d91bzVt9VbGHlxiwyLg1fM6lmjgzK"
    "4dX0ytIOKrzwXGciZGrEcGCr9YgXdJbYOEUGNKwG/4DBO+yvAdHw6YBV2XzJDuCUhKeTPz"
    "NWb+7pxp36yZH6yiLSpKu2ifnaQQNnpYTg8mDFSskN0MCJgw0GvUelEYKBeXqMKZczg8Cu"
    "0aSPNz6SP24vF2cEYUkuepEwCxMh1HB6uKNfV2Ep6XicLsJFSqonzL45UvB9hEzJIFMpbH"
    "KlGLoykgrTO+d4p8bI9aighfeKVdFuODcZ/ngnzFMNQc8HotZRxXzNorjmAVrqaLqdHitb"
    "SJqhREVcSXSgPhsHsD0V1LUIXfkb8uFQujkt15sYhJrNZMrNZYoNT/Mvv2f8hF9x0="
)
