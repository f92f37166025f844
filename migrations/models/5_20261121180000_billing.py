"""Billing: plans, packages, memberships, passes and their hours, checkouts, purchases, external events, referrals."""

from tortoise import BaseDBAsyncClient

RUN_IN_TRANSACTION = True

_POSTGRES = """
CREATE TABLE "credit_packages" (
    "id" VARCHAR(30) NOT NULL PRIMARY KEY,
    "slug" VARCHAR(64) NOT NULL UNIQUE,
    "credits" INT NOT NULL,
    "price" BIGINT NOT NULL,
    "currency" VARCHAR(3) NOT NULL,
    "position" INT NOT NULL,
    "is_active" BOOL NOT NULL,
    "created_at" TIMESTAMPTZ NOT NULL,
    "updated_at" TIMESTAMPTZ NOT NULL,
    CONSTRAINT "ck_credit_packages_numbers" CHECK ("credits" > 0 AND "price" >= 0)
);
CREATE TABLE "external_events" (
    "id" VARCHAR(30) NOT NULL PRIMARY KEY,
    "source" VARCHAR(16) NOT NULL,
    "event_id" VARCHAR(200) NOT NULL,
    "type" VARCHAR(100) NOT NULL,
    "data" JSONB NOT NULL,
    "outcome" VARCHAR(16) NOT NULL,
    "problem" VARCHAR(500),
    "attempts" INT NOT NULL,
    "received_at" TIMESTAMPTZ NOT NULL,
    "handled_at" TIMESTAMPTZ,
    CONSTRAINT "uid_external_ev_source_ce8bc2" UNIQUE ("source", "event_id"),
    CONSTRAINT "ck_external_events_outcome" CHECK ("outcome" IN ('RECEIVED', 'HANDLED', 'IGNORED', 'PARKED', 'FAILED') AND "attempts" >= 0)
);
CREATE TABLE "plans" (
    "id" VARCHAR(30) NOT NULL PRIMARY KEY,
    "slug" VARCHAR(64) NOT NULL UNIQUE,
    "title" JSONB NOT NULL,
    "kind" VARCHAR(16) NOT NULL,
    "price" BIGINT,
    "currency" VARCHAR(3),
    "credits_per_month" INT,
    "duration_hours" INT,
    "images_per_hour" INT,
    "videos_per_hour" INT,
    "priority" BOOL NOT NULL,
    "unlimited" BOOL NOT NULL,
    "api_access" BOOL NOT NULL,
    "max_batch" INT NOT NULL,
    "position" INT NOT NULL,
    "is_active" BOOL NOT NULL,
    "created_at" TIMESTAMPTZ NOT NULL,
    "updated_at" TIMESTAMPTZ NOT NULL,
    CONSTRAINT "ck_plans_kind" CHECK (("kind" = 'PASS') = ("duration_hours" IS NOT NULL AND "images_per_hour" IS NOT NULL AND "videos_per_hour" IS NOT NULL) AND "kind" IN ('SUBSCRIPTION', 'PASS')),
    CONSTRAINT "ck_plans_numbers" CHECK ("price" >= 0 AND "credits_per_month" >= 0 AND "duration_hours" > 0 AND "images_per_hour" >= 0 AND "videos_per_hour" >= 0 AND "max_batch" > 0),
    CONSTRAINT "ck_plans_currency" CHECK (("price" IS NULL) = ("currency" IS NULL))
);
CREATE TABLE "checkouts" (
    "id" VARCHAR(30) NOT NULL PRIMARY KEY,
    "slug" VARCHAR(64) NOT NULL,
    "provider_id" VARCHAR(100) UNIQUE,
    "url" TEXT,
    "created_at" TIMESTAMPTZ NOT NULL,
    "expires_at" TIMESTAMPTZ,
    "user_id" VARCHAR(30) NOT NULL REFERENCES "users" ("id") ON DELETE RESTRICT
);
CREATE TABLE "memberships" (
    "id" VARCHAR(30) NOT NULL PRIMARY KEY,
    "subscription_id" VARCHAR(100) NOT NULL UNIQUE,
    "status" VARCHAR(16) NOT NULL,
    "started_at" TIMESTAMPTZ NOT NULL,
    "renews_at" TIMESTAMPTZ,
    "ends_at" TIMESTAMPTZ,
    "past_due_at" TIMESTAMPTZ,
    "told_at" TIMESTAMPTZ NOT NULL,
    "created_at" TIMESTAMPTZ NOT NULL,
    "updated_at" TIMESTAMPTZ NOT NULL,
    "plan_id" VARCHAR(30) NOT NULL REFERENCES "plans" ("id") ON DELETE RESTRICT,
    "user_id" VARCHAR(30) NOT NULL REFERENCES "users" ("id") ON DELETE RESTRICT,
    CONSTRAINT "ck_memberships_status" CHECK ("status" IN ('ACTIVE', 'PAST_DUE', 'ENDED') AND ("status" = 'PAST_DUE') = ("past_due_at" IS NOT NULL))
);
CREATE TABLE "passes" (
    "id" VARCHAR(30) NOT NULL PRIMARY KEY,
    "reference" VARCHAR(200) NOT NULL UNIQUE,
    "images_per_hour" INT NOT NULL,
    "videos_per_hour" INT NOT NULL,
    "images_used" INT NOT NULL,
    "videos_used" INT NOT NULL,
    "started_at" TIMESTAMPTZ NOT NULL,
    "expires_at" TIMESTAMPTZ NOT NULL,
    "revoked_at" TIMESTAMPTZ,
    "created_at" TIMESTAMPTZ NOT NULL,
    "updated_at" TIMESTAMPTZ NOT NULL,
    "plan_id" VARCHAR(30) NOT NULL REFERENCES "plans" ("id") ON DELETE RESTRICT,
    "user_id" VARCHAR(30) NOT NULL REFERENCES "users" ("id") ON DELETE RESTRICT,
    CONSTRAINT "ck_passes_numbers" CHECK ("images_per_hour" >= 0 AND "videos_per_hour" >= 0 AND "images_used" >= 0 AND "videos_used" >= 0),
    CONSTRAINT "ck_passes_time" CHECK ("expires_at" > "started_at")
);
CREATE TABLE "pass_hours" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "hour" INT NOT NULL,
    "images" INT NOT NULL,
    "videos" INT NOT NULL,
    "holder_id" VARCHAR(30) NOT NULL REFERENCES "passes" ("id") ON DELETE CASCADE,
    CONSTRAINT "uid_pass_hours_holder__30cd94" UNIQUE ("holder_id", "hour"),
    CONSTRAINT "ck_pass_hours_numbers" CHECK ("hour" >= 0 AND "images" >= 0 AND "videos" >= 0)
);
CREATE TABLE "purchases" (
    "id" VARCHAR(30) NOT NULL PRIMARY KEY,
    "order_id" VARCHAR(100) NOT NULL UNIQUE,
    "status" VARCHAR(16) NOT NULL,
    "is_paid" BOOL NOT NULL,
    "credits" INT NOT NULL,
    "reversed_credits" INT NOT NULL,
    "net_amount" BIGINT NOT NULL,
    "refunded_amount" BIGINT NOT NULL,
    "currency" VARCHAR(3),
    "data" JSONB NOT NULL,
    "ordered_at" TIMESTAMPTZ,
    "created_at" TIMESTAMPTZ NOT NULL,
    "updated_at" TIMESTAMPTZ NOT NULL,
    "package_id" VARCHAR(30) REFERENCES "credit_packages" ("id") ON DELETE RESTRICT,
    "plan_id" VARCHAR(30) REFERENCES "plans" ("id") ON DELETE RESTRICT,
    "user_id" VARCHAR(30) REFERENCES "users" ("id") ON DELETE RESTRICT,
    CONSTRAINT "ck_purchases_status" CHECK ("status" IN ('PAID', 'REFUNDED', 'PARKED')),
    CONSTRAINT "ck_purchases_numbers" CHECK ("credits" >= 0 AND "reversed_credits" >= 0 AND "reversed_credits" <= "credits" AND "refunded_amount" >= 0)
);
ALTER TABLE "users" ADD COLUMN "member_since" TIMESTAMPTZ;
ALTER TABLE "users" ADD COLUMN "member_until" TIMESTAMPTZ;
ALTER TABLE "users" ADD COLUMN "referral_paid_at" TIMESTAMPTZ;
ALTER TABLE "users" ADD COLUMN "suspended_at" TIMESTAMPTZ;
"""

# executescript first commits an open transaction; the BEGIN here makes the whole script atomic.
_SQLITE = """
PRAGMA foreign_keys=OFF;
BEGIN IMMEDIATE;
CREATE TABLE "credit_packages" (
    "id" VARCHAR(30) NOT NULL PRIMARY KEY,
    "slug" VARCHAR(64) NOT NULL UNIQUE,
    "credits" INT NOT NULL,
    "price" BIGINT NOT NULL,
    "currency" VARCHAR(3) NOT NULL,
    "position" INT NOT NULL,
    "is_active" INT NOT NULL,
    "created_at" TIMESTAMP NOT NULL,
    "updated_at" TIMESTAMP NOT NULL,
    CONSTRAINT "ck_credit_packages_numbers" CHECK ("credits" > 0 AND "price" >= 0)
);
CREATE TABLE "external_events" (
    "id" VARCHAR(30) NOT NULL PRIMARY KEY,
    "source" VARCHAR(16) NOT NULL,
    "event_id" VARCHAR(200) NOT NULL,
    "type" VARCHAR(100) NOT NULL,
    "data" JSON NOT NULL,
    "outcome" VARCHAR(16) NOT NULL,
    "problem" VARCHAR(500),
    "attempts" INT NOT NULL,
    "received_at" TIMESTAMP NOT NULL,
    "handled_at" TIMESTAMP,
    CONSTRAINT "uid_external_ev_source_ce8bc2" UNIQUE ("source", "event_id"),
    CONSTRAINT "ck_external_events_outcome" CHECK ("outcome" IN ('RECEIVED', 'HANDLED', 'IGNORED', 'PARKED', 'FAILED') AND "attempts" >= 0)
);
CREATE TABLE "plans" (
    "id" VARCHAR(30) NOT NULL PRIMARY KEY,
    "slug" VARCHAR(64) NOT NULL UNIQUE,
    "title" JSON NOT NULL,
    "kind" VARCHAR(16) NOT NULL,
    "price" BIGINT,
    "currency" VARCHAR(3),
    "credits_per_month" INT,
    "duration_hours" INT,
    "images_per_hour" INT,
    "videos_per_hour" INT,
    "priority" INT NOT NULL,
    "unlimited" INT NOT NULL,
    "api_access" INT NOT NULL,
    "max_batch" INT NOT NULL,
    "position" INT NOT NULL,
    "is_active" INT NOT NULL,
    "created_at" TIMESTAMP NOT NULL,
    "updated_at" TIMESTAMP NOT NULL,
    CONSTRAINT "ck_plans_kind" CHECK (("kind" = 'PASS') = ("duration_hours" IS NOT NULL AND "images_per_hour" IS NOT NULL AND "videos_per_hour" IS NOT NULL) AND "kind" IN ('SUBSCRIPTION', 'PASS')),
    CONSTRAINT "ck_plans_numbers" CHECK ("price" >= 0 AND "credits_per_month" >= 0 AND "duration_hours" > 0 AND "images_per_hour" >= 0 AND "videos_per_hour" >= 0 AND "max_batch" > 0),
    CONSTRAINT "ck_plans_currency" CHECK (("price" IS NULL) = ("currency" IS NULL))
);
CREATE TABLE "checkouts" (
    "id" VARCHAR(30) NOT NULL PRIMARY KEY,
    "slug" VARCHAR(64) NOT NULL,
    "provider_id" VARCHAR(100) UNIQUE,
    "url" TEXT,
    "created_at" TIMESTAMP NOT NULL,
    "expires_at" TIMESTAMP,
    "user_id" VARCHAR(30) NOT NULL REFERENCES "users" ("id") ON DELETE RESTRICT
);
CREATE TABLE "memberships" (
    "id" VARCHAR(30) NOT NULL PRIMARY KEY,
    "subscription_id" VARCHAR(100) NOT NULL UNIQUE,
    "status" VARCHAR(16) NOT NULL,
    "started_at" TIMESTAMP NOT NULL,
    "renews_at" TIMESTAMP,
    "ends_at" TIMESTAMP,
    "past_due_at" TIMESTAMP,
    "told_at" TIMESTAMP NOT NULL,
    "created_at" TIMESTAMP NOT NULL,
    "updated_at" TIMESTAMP NOT NULL,
    "plan_id" VARCHAR(30) NOT NULL REFERENCES "plans" ("id") ON DELETE RESTRICT,
    "user_id" VARCHAR(30) NOT NULL REFERENCES "users" ("id") ON DELETE RESTRICT,
    CONSTRAINT "ck_memberships_status" CHECK ("status" IN ('ACTIVE', 'PAST_DUE', 'ENDED') AND ("status" = 'PAST_DUE') = ("past_due_at" IS NOT NULL))
);
CREATE TABLE "passes" (
    "id" VARCHAR(30) NOT NULL PRIMARY KEY,
    "reference" VARCHAR(200) NOT NULL UNIQUE,
    "images_per_hour" INT NOT NULL,
    "videos_per_hour" INT NOT NULL,
    "images_used" INT NOT NULL,
    "videos_used" INT NOT NULL,
    "started_at" TIMESTAMP NOT NULL,
    "expires_at" TIMESTAMP NOT NULL,
    "revoked_at" TIMESTAMP,
    "created_at" TIMESTAMP NOT NULL,
    "updated_at" TIMESTAMP NOT NULL,
    "plan_id" VARCHAR(30) NOT NULL REFERENCES "plans" ("id") ON DELETE RESTRICT,
    "user_id" VARCHAR(30) NOT NULL REFERENCES "users" ("id") ON DELETE RESTRICT,
    CONSTRAINT "ck_passes_numbers" CHECK ("images_per_hour" >= 0 AND "videos_per_hour" >= 0 AND "images_used" >= 0 AND "videos_used" >= 0),
    CONSTRAINT "ck_passes_time" CHECK ("expires_at" > "started_at")
);
CREATE TABLE "pass_hours" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "hour" INT NOT NULL,
    "images" INT NOT NULL,
    "videos" INT NOT NULL,
    "holder_id" VARCHAR(30) NOT NULL REFERENCES "passes" ("id") ON DELETE CASCADE,
    CONSTRAINT "uid_pass_hours_holder__30cd94" UNIQUE ("holder_id", "hour"),
    CONSTRAINT "ck_pass_hours_numbers" CHECK ("hour" >= 0 AND "images" >= 0 AND "videos" >= 0)
);
CREATE TABLE "purchases" (
    "id" VARCHAR(30) NOT NULL PRIMARY KEY,
    "order_id" VARCHAR(100) NOT NULL UNIQUE,
    "status" VARCHAR(16) NOT NULL,
    "is_paid" INT NOT NULL,
    "credits" INT NOT NULL,
    "reversed_credits" INT NOT NULL,
    "net_amount" BIGINT NOT NULL,
    "refunded_amount" BIGINT NOT NULL,
    "currency" VARCHAR(3),
    "data" JSON NOT NULL,
    "ordered_at" TIMESTAMP,
    "created_at" TIMESTAMP NOT NULL,
    "updated_at" TIMESTAMP NOT NULL,
    "package_id" VARCHAR(30) REFERENCES "credit_packages" ("id") ON DELETE RESTRICT,
    "plan_id" VARCHAR(30) REFERENCES "plans" ("id") ON DELETE RESTRICT,
    "user_id" VARCHAR(30) REFERENCES "users" ("id") ON DELETE RESTRICT,
    CONSTRAINT "ck_purchases_status" CHECK ("status" IN ('PAID', 'REFUNDED', 'PARKED')),
    CONSTRAINT "ck_purchases_numbers" CHECK ("credits" >= 0 AND "reversed_credits" >= 0 AND "reversed_credits" <= "credits" AND "refunded_amount" >= 0)
);
ALTER TABLE "users" ADD COLUMN "member_since" TIMESTAMP;
ALTER TABLE "users" ADD COLUMN "member_until" TIMESTAMP;
ALTER TABLE "users" ADD COLUMN "referral_paid_at" TIMESTAMP;
ALTER TABLE "users" ADD COLUMN "suspended_at" TIMESTAMP;
"""

_SHARED = """
ALTER TABLE "credit_transactions" ADD COLUMN "price" BIGINT;
ALTER TABLE "credit_transactions" ADD COLUMN "currency" VARCHAR(3);
ALTER TABLE "generations" ADD COLUMN "pass_id" VARCHAR(30);
ALTER TABLE "generations" ADD COLUMN "pass_hour" INT
    CONSTRAINT "ck_generations_pass" CHECK (("paid_by" = 'PASS') = ("pass_hour" IS NOT NULL));
ALTER TABLE "users" ADD COLUMN "plan_id" VARCHAR(30) REFERENCES "plans" ("id") ON DELETE RESTRICT;
ALTER TABLE "users" ADD COLUMN "referred_by_id" VARCHAR(30);
ALTER TABLE "users" ADD COLUMN "referral_code" VARCHAR(16);
-- The ends of ids are random.
UPDATE "users" SET "referral_code" = substr("id", 21);
CREATE UNIQUE INDEX "uid_users_referra_80f3c6" ON "users" ("referral_code");
CREATE INDEX "idx_external_ev_outcome_6431b4" ON "external_events" ("outcome", "received_at");
CREATE INDEX "idx_checkouts_user_id_7f8ccd" ON "checkouts" ("user_id", "created_at");
CREATE INDEX "idx_memberships_user_id_841040" ON "memberships" ("user_id", "status");
CREATE INDEX "idx_passes_user_id_f22e7e" ON "passes" ("user_id", "expires_at");
CREATE INDEX "idx_purchases_user_id_f6db2b" ON "purchases" ("user_id", "created_at");
CREATE INDEX "idx_purchases_status_bd1cb8" ON "purchases" ("status", "created_at");
CREATE INDEX "idx_users_referre_e70bb3" ON "users" ("referred_by_id");
"""


async def upgrade(db: BaseDBAsyncClient) -> str:
    return (_POSTGRES if db.capabilities.dialect == "postgres" else _SQLITE) + _SHARED


async def downgrade(db: BaseDBAsyncClient) -> str:
    return ""  # forward only: restore a backup instead


MODELS_STATE = (
    "eJztXW1z2za2/isYf9l2RvFNlcTNbXd2xnaU1FvHzo2VbWeTDg2RkIQxRbAEaEXbzX+/AE"
    "hKfAFpQm+mYHxpHRIHpJ5zCJx3/HU0Ix7y6fFpiH9Fi6OfwF9HAZwh/kfpTg8cwTBcXRcX"
    "GBz5cigMsXOHFvIiHFEWQZfx62PoU8QveYi6EQ4ZJoEYfR0gwEcfg+FU/gEwo8gfA0xBgO"
    "5RBCgjEfJ6gAS+vAlufjl91n91AmDggfkUMgBBiCJKAhAhl0wCTBHlA8FocSxewSMufwcc"
    "TPbytDjAf8bIYWSC2BRF/Jmf/+CXceChr4hm/wzvnDFGvleAGHtiAnndYYtQXjufwuitHC"
    "l+ychxiR/PgtXocMGmJFgO5z9UXJ2gAEWQIS8HexD7fsqh7FLyrvwCi2K0fElvdcFDYxj7"
    "gnlHfx/HgSt4BlJJSLl8/HcfzkYe/Mc/0jfM0TjO1fXQuRkMHeeownjxPiXupJdcEgihwQ"
    "GjEp8Z/Or4KJiwKf/ni+ffkuescEpGiQf+6/Tj+S+nH7978fx78UDCJS8Ryav0Tl/e+ian"
    "gAwmk0iurNgg/6/BiGz8dliRXVjxYvXdZMBm0O0c7B+et0Gbj6qFW94TeK/wnfJn6eCbjT"
    "cQ35ct0H1Zi+3LMrIU+lrIZuMNRPakDbQn9dieVMDla50zhXSqA3CeZl8r9QFD7EZIQOFA"
    "hRS/4XcYniE10EXKEtReSnqc/XGI0s1/oHfNdZKU5Q3QDy/eD26Gp+8/iMfNKP3Tl/idDg"
    "fiTl9eXZSufndSYtNyEvDbxfAXIP4J/n19NZDwEsomkXziatzw30finWDMiBOQuQO9nHRm"
    "VzPUClz3IWVOTNfie5l2C5xPX7krjD8QRmeYNHKaMypy9LTcHImBu9R2lFlhUIzvlLqsgK"
    "8K91tu4uBJwA05CfoFf0MYuColNtX1P6XTHBjY3zJpyq6uPu8IzpcWWF7I+G/nvxixRCxP"
    "b85P3wyOJMIj6N7NYeQ5BajFHdInpSvLsdVbs/6sfAUGcCLBEb9CvHOK+vkUuXckZkcKO3"
    "x5r9dkibvpKA1T/B5TbswyArj1CkK4mKGAgTAi99hD0d8oYNj31WZ1a8qHTeTPeZbk9vY/"
    "DLGdU3TMs52pH0+0LJB0vIFr+/bV4+xb0txCS2RrQV1WijpkhuzERxFHfhXiIfrKarSUZP"
    "hWoO3GnqnUNwe/DwuqZgbhd+9Pf/++oG5eXl+9y4bnID+/vD6zNp+1+Y7Q1xDz2dbgepHS"
    "2nvW3uv2N2ztvcOx9z5yif94cT58NIOP+D5y019dNflWd3uNRt9yXEuz71RYaV7sMuBjbs"
    "eRMaBs4SMK5phNZQyUzAM+BrtIRkEjxO0ZD4TEx64ixLr5dE8mhiqBsVbgdq3ADtkm27cB"
    "GWa+Ijr9z5vrKzW2S4KyqoT5B/pf/olSdrgrvQpWAUWzlVI2SEqaj5igbKXkX1MD/BKZZc"
    "EGLBhBiji0VGExXAQ1dnmBpoR+mlVwYKjz9+X/e9b/4eWPL1+/OHn5mg+RL7q88mMDYy6u"
    "hiVUk83XSTZf9Zo9COJZRW8swFyZpMuqe6oy/Q/iP+s4XJTVl1Yup5M2Hqey5ZVzOJ2Ul/"
    "U/Y+hjhhHVWV0KRHZt2WBtofg/etAvCSzsG8DO72P1llq7oudJ7IKuWNAxdbixh+8VSuIZ"
    "IT6CQY0plKcrITvihLuCNlPO9yvOZ9fXlwVxPrso+6o/vT8b8FVcyjYfhBMXQRVw68Cul2"
    "1zHdhx6K3J9SKl5XpXuK7waMu3r3hb632DOYVCerwUS3BK9/bXj8iHNRtZ6hy6EXMcIP/r"
    "vLDfduo6jZCH2Qc+F5QbatV7WhjQa3SgyqFOmIxt7UTl9sQIRcLfmUxAQVIsIhydKi/pg+"
    "OfjBs09GFgvaDWC1oDtTJRXHwwGnZDjsKaDQotVq46iv0KT+pNsYzEJED/t99/8eLH/vMX"
    "J69fvfzxx1evny+Rrd5qgvjs4p1AuSDSCuMhjiIU1HneakQ5R9NlR9u6C3Obdbl+Wa4kzV"
    "kfg/UxWB+DtTa7ZW1aH8NT5PpWfQxhHLlTSDd1M3xIp2khBd1MlXwMR8MwggGF9alalUG9"
    "Fg4HthqvUbCTJVmJqhsfeRMU/cxRwBP+B5W5VRSJohzO42DCB0YgyXcDmKnLeDaY70vwJb"
    "iliAtH4KJb4JI4EF6NAEBX/v03KmdPMsFIzMAEhrQHcCAfRiIvdYeQ2Yzbasfglj8ORclk"
    "FC5o0n9Dvhif5kswQj4JJlS8zne3HhI5Zz9xEXaOj49vv5e5ZZiCRFp7gIrCJE4eEDblP1"
    "fcmkeYMcSfPm9wuXxeJlVmvywpQ8q5Yf46WglPPrlQfmkFwp5MYOaLBZVMToUtlZ5UyrPv"
    "80gO5hIg//HNEF9PIusGensyHlcX4wYbOk9lkqmxZzM6+9DWSV7JaLtsSncyZ4XjyWKF8t"
    "EO9hX1/oA/Or9+/+FyMBy80Vx1Ook/nIk9VW+9WdHY1Wbt1WYEfai90ueILPRrQ58qks49"
    "V0aVTr1G4a8SW1aszYqlbq6jfRaIjAt09VuVIvcbSpH71VLkFA/+YpqldBXCHZUnPx7e29"
    "LqHzEM1jGXyhOKgnUN+V0GwWaIQWG5VgGuT3HO02yU5dwxoPed5GxjN/Uyf5he/FaxG1v6"
    "bkvfOxAL6R1I6TtfCeHga0giZbez3N1eUyBFemeRHKgRQUkIkpbgEZmLyIBw/iMwQmMuPr"
    "JkfbRgiAIY8SlEXIFL0UKEFhj2xdiFuAMmJFAkeu7kCW1aqJF5YHIPtRRT8wIJjAO3iVd1"
    "z97sow+DqzcXV+9McKn6SBQMy49OV1krkdrGRN1JsahqZ5AxNAu1EojzJPvzGj7f1aK25Y"
    "xAa+TUQ22ukWO7uD2FxTKvR7ZVDvM01pjVN2YlftaafciazYtZp8zZwVeGogD6g3sUKC3a"
    "4oBek1GL0qEOEmM17Fo+E75H0ULk1EEwR6MpIXe99IQrQLjgcPtS5NyJjDqKgqRNt2jOhr"
    "1eZprCYLHMl/O4+QngSGTu1WUP7uGZyhw9SuIo+RAkSkImyll63CKOmUuS7SRCLuIvapRF"
    "bG5X8SVzW9dSLikM3H22b/cuvxkNiPM0BoK8k1h+fZ6iGuNDyE1cV4h30bZdN8a5lfhm13"
    "Ded4Azt6uu47LMke/RaflxcD64+JcZiaBhRDgUM52FJUdiXvLEq1ZLy6uGpeVVdWmxLsOt"
    "d55caeAVTJu9RyVS6zTsij+pjdNwCgPPX4vtRUrrNOya01CjinWXvpe3WP7cistFXu81eV"
    "rG2G/b7kn4OkKuJsZR0sReRPDZNJ6NAoh92gPQ91NHhzgJXXhDuEUq/RwzeMeFQO092XjG"
    "J9MySrDKPEcH52MNFx7WozPaLtuKnVSfbcLF42HPH8eEG0nXMVKm67LQr7va9NusNv361a"
    "ZfBltkmDmic3UV6cbKtTyZLZhau8phjj2mOD2+FvfleJMw35r5OEV4MtU5C2JFYPFU4Emn"
    "sP/qRCvGsqQwcPXdwck9mS7vyA9b67gBFa31WW9y8oAPXTQlvqfKsmhwmxbJDJT7l618py"
    "8bfKcvq75Tmx1Yj765jj7bvs40ris8f+nb22xBmy342MrDbrMFC4WGnjNSFKvrdF18t2zO"
    "cLBximrfxULJOfSQRWnf3SlzgCkiIEU46+Mgq84hGtGQSLSyowyMSQTIKpahDnTUDRYdJA"
    "cyfzTtL4kpgKIhZAgj9AwG3jOKWNLHcUbuEQW3aTOf22NwCuYkukMyJiLrK2Wp5XyKfQRu"
    "c+VZt9xIEpWWU74Hi0jLl0CEWm7HSZ/JpDQTBGjO3+8YfFAfUyyrMbnE0mWrTA8uAGZgDi"
    "mg3EBoGY0pdI4cQeZOZeZqb/02keIbzM1JIjzBInl4u9PyOfjHsumkhsSiVp+LeRGppUxq"
    "8CNPY9W5Fl2HZsjDirzFdhGoJfEeI1AX70/fDfYff3rdAvjXtbi/NqCBpUGhP47fZJOw62"
    "TfYdf/+zT4ZEzCqLD4FaL/1iewts/ZiqiE+lhQ7Qr358e7ymhsgPXN9aezywH48HFwfnFz"
    "kTqgl24WeVNcWp3Z8XFwellBGd1jNK+CPOQqUB3GSxIT0nKb3FqD34fNXv0l3JfXV++y4W"
    "VXfxHxtbqCPko30B92pak8Tv8+4vtIqsSO7qF3ClIDVcbtRxPlAaPaaBepLNCtgWaY+Qpl"
    "peGA+CKZDdZuEqyNyCxUBJGa9tGMwm6j+tvomL+Fow96icyI1WXvGgyMsIBCKzukQGRXmg"
    "1WGnVyZEuTVJ0h2Sm5754P5s8YchOqpvPzw6DnyC3uOrhDGnK125Fuax0Nskxnwv66U6DT"
    "SBfyHCkDOlgrSM2Deyd9AES0ULuhRYHIPKC3H7ZAMPIxilKdT0tlUZDuX3HJRfJGMfYZDu"
    "ixeN7Ognf7N5wwiZS7a9NpFksSW7NedXRRnZKDbLgtOFBgGUKsTqNqp/nlyPd5gNzHwZuL"
    "4c3+g0Bb1kpCSKn29rgksZvjw5ujhGtKYkVeZv3im6cx6DihLfYMETlYTpKDte7KUZnEcM"
    "tx+/HjBEGkWD7OCPERDOrsmRVZCfMRp9sV6Msr+9Xozq6vLwsa3dlF2QH46f3ZgEMvkV+F"
    "khWnHtreQ9tdR8b6JzWP939M847R3Hf5s0zO1dE4VhTmKRzbD1TasyvM7axUiobeYw9Fjg"
    "v99fpoqWewXD8YrusoAlVCYzaw7bkiUoy0zOEcjXnb0/abz2hHP2zMQzPmsfzQlU7K5sze"
    "IuWa6b0dw3zn6b0pammYTtedpiY3T9h30kgdRRER8uqtna5RnKHDsG/BA7T91RxTZwzvRa"
    "RIZUY3OYFKlNYPpOEHolyy10j6LVBtRdIfrpI8YENa4rWOXVUgtOZUl80pimDkTh2Gvmql"
    "uJbIuhw46GyKa9J2Y53vq0hpP7Auf2C25Vf9/nWYzZ9sy6+nyHXFx15p9cMtrGg9rhcp7Y"
    "reHSYrVnQyC9fducu0ltNd5nS+Z1CF0Q1d/IpkHXapdCZJbNVGSQPnApFF+WGUk1pcPZDz"
    "NBbjhzGOqXbXzxyJEYb0npt+xtT2/Hy452dOyGpaflZWii2AepPNc1iLRFtQ84tjAVX+Au"
    "Dq0+XlkVKf2AKw2RleZuJa0qBaCGyiC1hgHwC2oDJpt/4Vd3bVsPXCQ7OQMBS4C86sI0XT"
    "1tKIXlPjVrwa64hT4uToB7u3DqcIzNCMRAt5qlyAxAlzyMuatP4E5qLfquhsCukd8nqyHe"
    "p8it2p6LBKRdtT0e232ul1mxMreql+Xu6BJMz1teXPOPrjj6VQLnnQutNoUxqwUl9RpFCl"
    "Uti0gz5uEG2POcD13UULfGttZ+aJTNQctx6tv0M1xTJqgNPhBkL7Q79NHR0fVZ941a/U0u"
    "EgjJkzhVRxuFdD0+IClYFYbz8wb3sR78GQt4G7eugPM4TTKnBn3TfWfdNBw63OfXN+enN+"
    "+mbwWFbbe4j9IblDylM2Vjd7TbbaTBznx8Q4jUM2fBzcJcdfCKtJTIG8Y3DB5NEXlJtY6W"
    "EVAUnO1vBJMPmZX/YX8jzxm19On/VfnYhDLu5QyNRnc+zgGQ8fhPE5z+rcTvKHluXW3TMi"
    "BIzmnQ4RxhHfiNbOwc6Rd3kL6WQNPhISpfMFLAm6DPXaJnMrUe83yHq/ognLtVnbritS7W"
    "vBOWCrDn0NMVdk1zA4ipT7MTj2ifyB2BetckrkoXlrpAVSmzN0EPy1boP6BdS6DazboKCH"
    "WLfBE3UboNkIRXSKwyOV32B1t9foOFiO03Ac0Hi0vAYYAZAbpgGbcps99GHQAzA59jKEix"
    "kKGMiqk4EPKePjfY/b9mp3wdZm1nQSpOevmeIg4NiIw0IERub5CfIyopuIWSU1zqjaST+I"
    "wzvd0BDPTIfKYTq6f3dd9W1l8UQc+vk6bosCobVqu8xjFHhrOaZWZJa/XeZvyHVQx+NK5x"
    "pN9Iqkls9d5rMwM9bgcY7MbsadZrB1P9aruwa7H227AcO4rvjYK+0GhFtJt9neiqTL5mxn"
    "kkCtX9/69Q/Jr68ujhNf/RYw/ZBOYyimubWxU5VxHyBNPrFSmERe7zUFSMQxOqhlbOQUiA"
    "3+2YhwDoEwjtwppAjMMZsCcRCPvwDQ98lcSAgVSZBUXqYgigMwjsgM3K6cdrc/g+TRYEwE"
    "kax4gwER0Yxq7GSvT9aMreQya2x8pSObR68hvhKhMYrUZ5o09RHJERkXU9lJ22E842sVdU"
    "L+oWge7aWgtKcCKlrcitgwWQthBaVFWIFwKokis05ffjMqe4ZEjeBqwlqisrBWWl7bYOpT"
    "8N8eVhK4ZfOabI7QPblb62suUtpoW5e5bIMx9dvjYbrlbTDmKXLdBmPacdcGYw4RYhuMsc"
    "GYzmG6STBmhbUMFFTBPkvJ3v76Efl1HdRyUZZfUjeaIVh/23W0SuJVE7HKsGyOWjlLzj0c"
    "ufot69AhnEeivyKUMSCAAxn94RdwFjPqAZfEAWdgEjh6Xg1GbTqZsjvjlPjpAanSIWt7Mh"
    "5ET0ZNt7v1tR895GvXdrNbV3C9h13buW7BVIGZrM2aZkWByBoW+obFakfcVA1Ok2AODO62"
    "anBB0LpUwS3ND5WKl5olDeodH9E6JylfQQ1IlGpjx+A0uSKbs/lozJLK6oiMsY8Al5kFlR"
    "3ZuMSIVKIpAVN4j5SV2zt6xsN5RoakEwmMzMsj0j5aeJNDhTumfO+4zZXMPqti+8+b66ua"
    "4qOMoOwQxy4D/wU+poeoYTfAKqAoeL0rp82WD5btFd3ZYoLyabN3/HeqJfrhGviMtsuaTi"
    "cr4MMIq1IRm2z4JclaqnrHgrn7NORzYdc4EumcWq3+8zQGHnPWZr+s3y4VrdE9zJIUQ6k9"
    "adiiSlqDZH1rhqkXJ4d7ODVO7FqEq4QW3trsz0fMYDYc4MdPYDYcYK4pkAgzxTZ3RoiPYF"
    "CrYCzJSrCOON2uNLrllf3q0mfX15cFXfrsoqQ/XH16fzbgep3c/vggzGrUijjw8QwzVVpz"
    "I+AFOou4BuIwxA50XURVMdwmyIuEFnMNzIXeKM8K0liwCzQ2/qVaqwnF6uPd6g3BHInFVK"
    "XBUf6NM3yvMrCbFocC3R7XhsyJd7BLg01nrpftw0xstenMT5HrdenMlXhtmxS7UhPm9RPt"
    "il2fD0wSalPtSk32qCoJRjcd0Vh80t4Pm0KUTnN4HoJWKKUf3GYYtczIPhR8dprpkImTKt"
    "shJ2oNGQ95uW7XpZ5EojM8ZMqO8b2kOYo8MxwzMCLxZMrSI8PT7FUG71AABABJyqq6Y/1O"
    "nrLBEXc98DnXb9vAw+9SjM3Ll5CSpJlEl6cxLm/CdrI3KY6PqRNCZTb+A46GjMq6IPX8DC"
    "JErOEry1HYDOcynBG65/oi30j1cVWRWoDLAAeIOXAmaoEUC0RDqk+Rzhhc95ztEyGuZXlC"
    "T1yDBQpiywebddXJrCuhfFfBrc+bzcbbtNkN0malkbKW97tIaRv1dMfZXY1x2MhW/ZJ2mD"
    "EOG9l6ilyvi2wVozDuHZwg3V49BSoDdZWtd+t5hIZITwzhR+iH9AQQ7kw7pI5hvaNuSMm6"
    "ugVUz6WL6sNqPjPhLW5Enes3daiodvTsjxtEafKTK7Hn7FavKfRMk0E656NzqXiGg2MwnC"
    "LAiAjwYkaRPwaYgkD4gwFlXHi8HiBcP5TtkG5+OX3Wf3VScyz6hhM+mUp6sXCaFxmWHHem"
    "kCoSyut5UaQyLjq8/ar6w+obvk/kD9d0tX4q8z0WrfxUtu+t0YZe18De1NJ75NZUN2whYa"
    "1qzPJGs74shrTuTiXm90TC5CxkgKEZtyIYUrWYqh+o7BfKv2MfuVkGr+wtVO4Z+vmIzIMl"
    "/Py/pqRISg6YpwY/bkOpTq3etqXU/jXdncTG86+pAX6JzLJgAxa4HJoJiRRJN/X452k2Ar"
    "+bvr69YU8RjNypw9BXhTU25FdrVvYimRELfJOxNfh92Az90ta6vL56lw0v86PUpCCpgXKE"
    "w7CKfWNSdpnUZmbrZGYTqpD1+rTsdLjt3qNMW00OHXZkPym1bvhwUYdimi6vKJ2s7kjsMp"
    "01fEXRZbA7u3wn8DmivpDEzAmnhBF9+Kv0JqQ07JsX9zDCAglFWUi9Clkgsgr8BkqkbQxk"
    "GwPZxkA2LPXTAYalbPq0YVxvkz69ik1ohiQrhEaozrvO8c1HedoinacxQSXec/C3GH3bNC"
    "u1MNmBCXfbQHDl026RliqFdAsAm51Mnf+UNzgHNQUnywQt6cQafaPeLScyB/Oddo/6FPoE"
    "FuPxxTu9pnSEWI7RyN6FQUBi/r14ICE9BheMgtGCIQpmcAECwsAIiX5PEQILxHriwKskCd"
    "clM/Sz7ARF5wiF/EqEZuSeE2I+LDkONRITqNN89/ZkZcbEcjXBHpqFhImicucOLRR5Ewa2"
    "lUoRNy5pgj+ec5IlkGqpmkU6EzXNfhvw+/Xg98uapvhUHYr/o3leUYHMJHfUnttnlBcure"
    "WnQmqe2v9D/3WbuE//dX3gR9yzjiuzXRhtHFePYlN3jr/7Nar3bO51De292Hs7tWOoVLWr"
    "VkzKjwYbhqbdiltaMK4rOnHVGBnpzS/Bl+A27Ul3K+oIIXChyw0IMpZ2hI+8CYr+RgGNZz"
    "0gbAkvKS7MrIakty1MBwIfB+gY3Ipmd/xVbsEkInNhvHAi1PsSpIFmMIEhTdviCsNlISyX"
    "GWZcCoE7hcFEPn8EfSHCPcA1UJFmKhq+9rJzg3vJAcMre5y/I/qKqdi8+c2kRSd/4hjei0"
    "OaRIteQPmiVJssbkshu7UENpkzaAaxr8OGJYFxBZAv+q3Q7jfA3a/4yiVcDv8wMZ9Ut1lr"
    "ldhmBmqEgMXZBnPCdxndSt8KoYHaVf/VqxbSzkfVSru8V+o6CmdaTpFsvIGm4S56bUdEVV"
    "LSMimTKKtLdijKR59uBh8198lO5mL6xIV1wKvlekVhoGTvopN5kgGvuT0W6OzOqHOgooTN"
    "oThQHQXf7GUq09ouot3JjKn6lVJucQNVpea34vSS1nK6y5yu7aTfFCkxsYf+noMkhNtnXg"
    "THzIG+T+baRp6S3u5mGrtZ6iLTk/wckZX89SQ/cVQ6FHEAlIpEE/4KYsuHtU+bQFEEfY6u"
    "p2WmVAi3Yq2s7VwN0NwpvNKevKzbt2iSX4E8Z7TQjOlVKXdkQT6in3XrCclLoRFHW60ROF"
    "fRW2W3y8oujWmIkkNytLldprWc7jKnk3DzOnwuUloud5nLNumpfvM0N+nJVuuZxvU21Xr2"
    "EI4957nZbvs77ra/ghqGWKQ7b1jRdBriX5Oc6QNbtWrLmQp7/RS5dyRWuqo1QDpPpzEVJn"
    "4noNDdQoFccgrJcDWfqZDJLDf0NSTRpsLFtQ84kBOZipXI/NwQpLfYP0TVqhU8j1OdepBQ"
    "lUp9NsTrYjWbwXugTOyUB4psCNd7PtFQzGMsUklvzCkON0VqOZGpUIm01U3X9A98DmPxiS"
    "N3CjeHKJ3GHFuo6FrPHc+1Pki5k8BMFKXVmQwbQJQd/WCgEOWaRKwP0KobhSkitMtquN9I"
    "dKeuh0vv9Joq4uZyjEZNXBgRl3/jgE0hAzN4h2iugoz+DDADFC4ooATACccAwMBL/5pPue"
    "EgBvj4HlF1Vd12p9+gSG2vJQ0VQe5QedS2jshobK3hxpHoHK1oNdDQ0LtAZVK7h611H6UI"
    "BetEyldkBoZYDjekkkTSKh7/x6nCPkURdqeqfSe907jvwNWYh7adesZuuQa5dqlRRqAUK0"
    "y6SHd3Yd/K8lK/kNcm5NZvm/XpuLbYsqbYUnxUGginww1Edye1lmm/rirCDYcYrUhs/3nN"
    "/vOPupl9+39cJ1lJ"
)
