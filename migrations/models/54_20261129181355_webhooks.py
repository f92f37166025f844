"""Outbound webhooks: endpoints, the outbox of events that triggers write, and deliveries."""

from tortoise import BaseDBAsyncClient

RUN_IN_TRANSACTION = True

_TABLES = """
CREATE TABLE "webhook_endpoints" (
    "id" VARCHAR(30) NOT NULL PRIMARY KEY,
    "url" VARCHAR(2048) NOT NULL,
    "description" VARCHAR(100),
    "events" {json},
    "credits_low" BIGINT NOT NULL CONSTRAINT "ck_webhook_endpoints_credits_low" CHECK ("credits_low" >= 0),
    "salt" VARCHAR(64) NOT NULL,
    "secret_hash" VARCHAR(64) NOT NULL,
    "previous_salt" VARCHAR(64),
    "previous_until" {time},
    "failing_since" {time},
    "disabled_at" {time},
    "disabled_reason" VARCHAR(16) CONSTRAINT "ck_webhook_endpoints_reason"
        CHECK ("disabled_reason" IN ('OWNER', 'FAILING', 'GONE', 'SECRET')),
    "notified_at" {time},
    "claimed_at" {time},
    "created_at" {time} NOT NULL,
    "updated_at" {time} NOT NULL,
    "user_id" VARCHAR(30) REFERENCES "users" ("id") ON DELETE CASCADE,
    CONSTRAINT "ck_webhook_endpoints_disabled" CHECK (("disabled_at" IS NULL) = ("disabled_reason" IS NULL)),
    CONSTRAINT "ck_webhook_endpoints_previous" CHECK (("previous_salt" IS NULL) = ("previous_until" IS NULL)),
    CONSTRAINT "ck_webhook_endpoints_secret" CHECK (("user_id" IS NULL) = ("salt" = ''))
);
CREATE INDEX "ix_webhook_endpoints_user" ON "webhook_endpoints" ("user_id");
CREATE UNIQUE INDEX "ux_webhook_endpoints_own" ON "webhook_endpoints" ("url") WHERE "user_id" IS NULL;
CREATE TABLE "webhook_events" (
    "id" {number},
    "type" VARCHAR(32) NOT NULL,
    "user_id" VARCHAR(30) NOT NULL,
    "subject_id" VARCHAR(30) NOT NULL,
    "balance" BIGINT,
    "balance_before" BIGINT,
    "created_at" {time} NOT NULL
);
CREATE TABLE "webhook_deliveries" (
    "id" VARCHAR(30) NOT NULL PRIMARY KEY,
    "message_id" VARCHAR(30) NOT NULL,
    "type" VARCHAR(32) NOT NULL,
    "body" TEXT NOT NULL,
    "state" VARCHAR(16) NOT NULL CONSTRAINT "ck_webhook_deliveries_state"
        CHECK ("state" IN ('WAITING', 'DELIVERED', 'DEAD')),
    "fence" INT NOT NULL,
    "lease_until" {time},
    "attempts" INT NOT NULL CONSTRAINT "ck_webhook_deliveries_attempts" CHECK ("attempts" >= 0),
    "attempt_log" {json} NOT NULL,
    "next_attempt_at" {time} NOT NULL,
    "give_up_at" {time} NOT NULL,
    "delivered_at" {time},
    "created_at" {time} NOT NULL,
    "endpoint_id" VARCHAR(30) NOT NULL REFERENCES "webhook_endpoints" ("id") ON DELETE CASCADE,
    CONSTRAINT "ck_webhook_deliveries_lease" CHECK ("lease_until" IS NULL OR "state" = 'WAITING'),
    CONSTRAINT "ck_webhook_deliveries_delivered" CHECK (("state" = 'DELIVERED') = ("delivered_at" IS NOT NULL))
);
CREATE INDEX "idx_webhook_del_endpoin_863299" ON "webhook_deliveries" ("endpoint_id", "id");
CREATE INDEX "idx_webhook_del_state_a5d296" ON "webhook_deliveries" ("state", "created_at");
CREATE INDEX "ix_webhook_deliveries_due" ON "webhook_deliveries" ("next_attempt_at") WHERE "state" = 'WAITING';
CREATE INDEX "ix_webhook_deliveries_waiting" ON "webhook_deliveries" ("endpoint_id", "next_attempt_at")
    WHERE "state" = 'WAITING';
CREATE INDEX "ix_webhook_deliveries_sending" ON "webhook_deliveries" ("endpoint_id") WHERE "lease_until" IS NOT NULL;
"""

# What writes an event, by trigger: the table, the change, when it happens, and the event's columns. A trigger is part of
# the statement that causes it: no path of the code can forget an event, no transaction gets a further statement, and
# without an endpoint nothing is written.
_GENERATION = ("'generation.' || LOWER(NEW.\"status\")", 'NEW."user_id"', 'NEW."id"', "NULL", "NULL")
_CREDITS = ("'credits.low'", 'NEW."id"', 'NEW."id"', 'NEW."credits"', 'OLD."credits"')
_MEMBER = ("'membership.changed'", 'NEW."id"', 'NEW."id"', "NULL", "NULL")
_MEMBERSHIP = ("'membership.changed'", 'NEW."user_id"', 'NEW."user_id"', "NULL", "NULL")
_COMPLETED = ("'purchase.completed'", 'NEW."user_id"', 'NEW."id"', "NULL", "NULL")
_REFUNDED = ("'purchase.refunded'", 'NEW."user_id"', 'NEW."id"', "NULL", "NULL")
_FINAL = "NEW.\"status\" IN ('COMPLETED', 'FAILED', 'CANCELED')"
_GRANTED = "({row}.\"is_paid\" AND {row}.\"status\" <> 'PARKED')"
_IS_GRANTED, _WAS_GRANTED = _GRANTED.format(row="NEW"), _GRANTED.format(row="OLD")
_BELOW = ' AND "credits_low" > NEW."credits" AND "credits_low" <= OLD."credits"'


def _changed(*columns: str) -> str:
    """Return whether one of these columns has another value, NULL being a value."""
    return " OR ".join(f'COALESCE(CAST(NEW."{name}" AS TEXT), \'\') <> COALESCE(CAST(OLD."{name}" AS TEXT), \'\')' for name in columns)


_TRIGGERS = (
    ("generations", "ended", 'UPDATE OF "status"', f'OLD."status" <> NEW."status" AND {_FINAL}', _GENERATION, ""),
    ("generations", "reused", "INSERT", "NEW.\"status\" = 'COMPLETED'", _GENERATION, ""),
    ("users", "credits_low", 'UPDATE OF "credits"', 'NEW."credits" < OLD."credits"', _CREDITS, _BELOW),
    (
        "users",
        "membership",
        'UPDATE OF "is_member", "plan_id", "member_until"',
        f'NEW."deleted_at" IS NULL AND ({_changed("is_member", "plan_id", "member_until")})',
        _MEMBER,
        "",
    ),
    ("memberships", "changed", "UPDATE", _changed("plan_id", "status", "renews_at", "ends_at", "past_due_at"), _MEMBERSHIP, ""),
    (
        "purchases",
        "completed",
        "UPDATE",
        f'NEW."user_id" IS NOT NULL AND {_IS_GRANTED} AND NOT {_WAS_GRANTED}',
        _COMPLETED,
        "",
    ),
    (
        "purchases",
        "refunded",
        "UPDATE",
        f'NEW."user_id" IS NOT NULL AND {_IS_GRANTED} AND NEW."refunded_amount" > OLD."refunded_amount"',
        _REFUNDED,
        "",
    ),
)


def _insert(values: tuple[str, ...], condition: str, owner: str, now: str) -> str:
    """Return the statement that writes an event if an endpoint of the account, or one of all accounts, exists."""
    listed = "SELECT 1 FROM \"webhook_endpoints\" WHERE {} AND \"disabled_at\" IS NULL" + condition
    of_account, of_all = listed.format(f'"user_id" = {owner}'), listed.format('"user_id" IS NULL')
    return (
        'INSERT INTO "webhook_events" ("type", "user_id", "subject_id", "balance", "balance_before", "created_at")'
        f" SELECT {', '.join(values)}, {now} WHERE EXISTS ({of_account}) OR EXISTS ({of_all});"
    )


def _postgres() -> str:
    script = _TABLES.format(json="JSONB", time="TIMESTAMPTZ", number="BIGSERIAL NOT NULL PRIMARY KEY")
    for table, name, change, when, values, condition in _TRIGGERS:
        event, function = _insert(values, condition, values[1], "clock_timestamp()"), f"webhook_{table}_{name}"
        script += (
            f'CREATE FUNCTION "{function}"() RETURNS trigger LANGUAGE plpgsql AS $$\nBEGIN {event} RETURN NULL; END $$;\n'
            f'CREATE TRIGGER "tr_{function}" AFTER {change} ON "{table}" FOR EACH ROW WHEN ({when})\n'
            f'EXECUTE FUNCTION "{function}"();\n'
        )
    return script


def _sqlite() -> str:
    number = "INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL"
    script = _TABLES.format(json="JSON", time="TIMESTAMP", number=number)
    now = "strftime('%Y-%m-%d %H:%M:%f', 'now') || '+00:00'"
    for table, name, change, when, values, condition in _TRIGGERS:
        event = _insert(values, condition, values[1], now)
        script += f'CREATE TRIGGER "tr_webhook_{table}_{name}" AFTER {change} ON "{table}"\nWHEN {when}\nBEGIN {event} END;\n'
    # executescript first commits an open transaction; the BEGIN here makes the whole script atomic.
    return f"BEGIN IMMEDIATE;\n{script}COMMIT;\n"


async def upgrade(db: BaseDBAsyncClient) -> str:
    return _postgres() if db.capabilities.dialect == "postgres" else _sqlite()


async def downgrade(db: BaseDBAsyncClient) -> str:
    return ""  # forward only: restore a backup instead


MODELS_STATE = (
    "eJztXW1z2za2/isYf2l3RvFNlTjNbXd2xnGU1NvEyY2dbe9NOzREwhLWFMESpBXtbv/7BU"
    "BSfAMpgqIkCsaXvJA4IPUcEDjv598nC+Igl56e+/hntDr5Afz7xIMLxP5RujMCJ9D3s+v8"
    "QginrhgKfWzdo5W4CKc0DKAdsut30KWIXXIQtQPsh5h4fPQHD4Hzj5eAUZyCmzni/wCYAg"
    "89oADQkATIGQHiuexqSMH1T+dPxmcvAPQcAMEceyGYrsByju25uB9RRhUgm8w8/C9E2bVT"
    "/h4OsdmLYG+2v0dGHv4jQlZIZiico4A9+Mvv7DL2HPQV0fS//r11h5HrFMDGDp9AXLfClS"
    "+uXcxh8EaM5D9natnEjRZeNtpfhXPirYezX8uvzpCHAhgiJ8cAL3LdhFfppfhd2YUwiND6"
    "JZ3sgoPuYORyNp789S7ybM49kKwJaNsk8kJ6+lcXLqYO/NvfklfMEVnW1Ycb63pyY1knlT"
    "XAX6jEo+SSTTy+fhjkVAC0gF8tF3mzcM7+++zpn/FzMqDiUfyB/zj/dPHT+advnz39C38g"
    "YYswXp1XyZ2xuPWnmAKGMJ5EsCXjg/hbgRPp+H54kV7ImJF9QimwKXQ7B/u7p23QZqNq4R"
    "b3ON4ZvvxbUsE3Ha8hvs9boPu8FtvnZWQpdJWQTcdriOyLNtC+qMf2RQVcdlxYc0jnKgDn"
    "afa1VR8xxNQmfs3WO/GihcD4kr0R9GxUXcwp8f5W88nkH5NP/3vz0+XVW8XDL5Gg/guxn3"
    "Xqr8rCSqu9+UWbrflF/c78ogw/+urjAFELSjaR1wy6EC+QfJ0XKUsMcBLS0/QfLdiRrOqh"
    "7C0NSN9cvp9c35y//8inX1D6hyvgOr+Z8DtjcXVVuvptmSvrScAvlzc/Af5f8H8friYCTU"
    "LDWSCemI27+b8T/k4wConlkaUFnTwm6eX0UoHLC+KFc3dl2UzeZYJsldWv8OzSC+WMlhCX"
    "uJ0c1sfFX/a67K8n/z0eP3v2/fjpsxcvz55///3Zy6cv2VjxwtVb3zcsileXby+vboo85h"
    "eK3xsDkSPU4XsrUvbwvQ3uMGc/0PnAdLFkrRzJB5gs68bvz4U0tJj22IXvZVqz0w55p+Um"
    "AktNq8+RaCiU96O7cwPK3b1UdefwVeF+QwKEZ97PaFWRIEsgJ7aNz8k0Rwb2n+lqSq9mn3"
    "cAl2uLU36Rsd/OfjEK42V5fn1x/npyIhCeQvt+CQPHKkDN75AxKV1Zj63eWowX5SvQgzMB"
    "Dv8V/J1TK2PERIqJFwZyG2R2d9Roh+TjLMQGYqRgjITOAnsAChPXCCwDHIbIA+xSOEeAsl"
    "dhSEKPxgN+ZP/BsxkKKAjQHYMThATYc+jNECABiBGtNULu7lGPxviIHpCWpseY51014Ix6"
    "yGdHD6rvs3EbRozrGTEuq74hDNg3o/IJZBSdwN4sdh3OsNPXOs/gdVAIsVuF9+/XH67k8G"
    "YUZRkX2yH4D3AxbaNnDvSIlgHLsShItimg374//7WM9cW7D6/KIiuf4JVRMY2KyQ8Coqp5"
    "5Gl2tKPprHkI+PanegwM7LaaR36RFVSPT2zJf7q8uDmU7nExR/Y9icITieaxvteod9jJKA"
    "WdIyUBMBSyvw9XCybXAj8gD9hBgVx9aEW1WRP4klcDc5v975qoCAksGioJ1I1mKpxIxw9Z"
    "KRiMCzL9ihRPzxJZLwfogFy9O4kDiQKJRnCDvta4npLhOsgmTaLm5NebZi1gLWm++3D1Nh"
    "1eVg2MFmC0AOPON04m42QyTqZhOZkOrukR10V28qurul52d9So7a3HtdT3zrl+5kR2CFzM"
    "lDhyB2i4chEFSxzGAeVk6bEx2EYi5Jw7e9hfPnGxvaoqgttP92h8RTbTo1wyi5DRBPvVBA"
    "ekn/SvB4Y4dCWhqPUOizWB8Vds4a/Iv6YC+CUyw4ItWDCFFDFoqURrqA0LLdB0CggdGupJ"
    "ROj4u+ffP3/57MXzdSDo+kpT/Gc11jM+gK34AJbv2Zsd/JVJhiy+DzLE/Y8IujhMIoPa7i"
    "4FIrO3bLG3BIipBRZli11ytr5xCazZX0p0JR7ccUKtrBCvP3x+9W4CPn6aXFxeXyaMWJsd"
    "xE1+iV3AqVZ1/q6ENbdHE5VlvibYaokfD8g7WeGUJwOroL4mMBvLFrCz+1guNNbKLHkSI7"
    "JIRBZMLR5R+CDZql8R4iLo1Sj8eboSslNGuCtoU/Vzv8v51YcP7wrL+dVl2SPz+f2rCZNT"
    "/lLcsquA85QqJLGtNKKdEe0R6vWVo8XauMTq9xF9XWKR73TkepHScH0oXJf4yMTbV/w39d"
    "6GnPAmbOiSDTihe/PzJ+TCGqEhMTdf8zmOkP91fp0/d+qMEWnEH9lcUAgvVX9MYcCo0SUj"
    "hlp+PLa1W8aLFlMUcA9KktPM4+pg7DqR+V02jn80jhXfhZ7xqRifSg3UVZ9KbcWBWh1t2z"
    "IDQ9tk+1bRxK4jOa8aKjisSXQCdN+FG6IgQF6dHb9mKedohmy277oxt9mX67flShiusecY"
    "e86x23OMjaF+bR+ntmlsDI+R673aGPwosOeQbmtm+JhMc7QeuUMYGm6yuhontcaG/KBRC4"
    "NDrliHQu5fGrbJM/hc5MxQsF1RkS3m+837zbuliC0Oz0a3IC7rCyAvUSL+/Q0Vs8expTzx"
    "cAZ9OkoLlpDAScwhZLFgutopuGWPQ0E8GUeYEc6TXEU+z2/eFLnEm1H+Pt/eOoiHsf7A1r"
    "B1enp6+xcRroopiJfrCFDCKBm5R+LfyG6lJVPCZYPN5cs6Tjv9aXFqY84O8++TbPXk45XF"
    "p1YgHImcCLZbUMHlZLUlyydZ5ukHeiIGsyUg/vOnJsaeKXYZ/DMN7T0pk6vbcYMWnafSSd"
    "nYsyKdfmldguFS2iEr04OMgWN4hpFE/GhZZndNvcc6uxcf3n98N7mZvFbcdQaJP1zwU1Vt"
    "v8lozG7TebeZQhcq7/Q5IgN9Z+gTUdJ6YOKo1KzXuPirxIYVnVmxls5VxM8CkXaurnGr8g"
    "bjhvIG42p5gwQP9mKK6bkVQlNgrkaqP6AjbGBGlUfkBxsa8rt0gyVNtVRLuRWoNAS59+1j"
    "gULILQRVlOsD9/M0JmPClKg0/hIlL5kpW2LKlgzA6zQ6krIlbCeEk68+CaQlKnN3R00uK2"
    "EFR2Kggq+KU4GY6hRchhQEZJn3w0zRHVtFourIdBUiKlw4MXQOgHchCrjzZyF3XPU5eZuq"
    "l2Tp6Vz2Ut+2nNzw3L05XEq8R6P1x8nVa006w7mIF3hg60pWxH1Dy6IiqSkmN5wglqpUBt"
    "mWu/CVQrTzJPuzyj7d1abWc8ylUW7qodZXuTGVNx/DZpmXJNuKh3kao8SqK7ECP6PFbtJi"
    "88tsUGrs5CtT2DzoTngDrxOJJlscMGpSZlEy1Iq7gbXXZ5doOifknmuR+AEFqxGgIVtADi"
    "BszYDIc2KdElDE//kNBdjJ1FCum86ZDuoiR67Q9jq7NLCRkiiIF7f45ZzP5dBGpudGoU3i"
    "IyJANmKvopWeq3F7hzV3W6egrik0PFJ20OY8/WgUIM7TaAjyTgIg6oM75RgfQ0Bn10W8i/"
    "4Zqg7LXpyVQ8N5397K3LHaxQ6ZI9+jJfLT5GJy+Q89omf9gDAoFiobS45Ev2CIs1Zby1nD"
    "1nJW3VqMHbD38r+ZCF7BtNkkVCI1lsChGInaWAITXa4D24uUxhI4NEugQvLvLg0qb7D4uR"
    "U7irg+ajKf3GG3bZUsbtbwmZgYBSJ1VBQKjvM0QwrCebSYehC7dJRYN7i9g70tuEcrGidv"
    "xvaO4IHdTFcplVtPdvOYR1OTa4EcDPWzidwzELqK3CntkNXKQUraJuDicNizx4Xc4qRqQy"
    "nTDXnRd91txm12m3H9bjMug83jyixeh72KdGNmYJ7MJKR1ziJZYocxtgJ9Le7r8Tph3pum"
    "OUd4Nlfp3ZMRGDwleDpRsC7FU3I61/cryROZZiUtmpVwjQwFlojwVVi7ZTJjeCovXzqH47"
    "MXSt7ENYWGwsMOGgWmeqklziWl3i8yWuOd2aYNjAttNCeuIwsSanAQFMk0XPfPW3kJnjd4"
    "CZ5XvQQmuLUefX1N2qa+pW5cl9i4k7c3wa4m2PXQwsNug10L+bEO0yQkNiCFsqxv17Vbjl"
    "bFqxZmLVRKgA4yKO27fG0OMImvrwhnvccvKyyk4PcLeKVLGoI7EgAicdDJ3XgbqXjR2QkP"
    "j05L0mIKIK8h68MAPYGe84SiMPbqYY+JiyLYF9wmJcBuT8E5WJLgnpeeXXpUeP544vByjl"
    "0EbnNJh7d85rhW7W/eXSTeIvUp3t7FVWpxPIGHluydT8FHXhlIDIobLoO44TJgb8bGEbou"
    "tMvFlPTfyS9u6W4slJ6dwtCeiyjuUfc6s/wjzc1JAjzDPDi+32nZHOxr2nZSTZytue9JP5"
    "frelEqMCRPYwS+VnWHHCyJ4W3nYl0T79HFevn+/O1k/w7Wly2Af1mL+0sNKuBq5Ntm+M22"
    "iSuY7Tuu4H8+Tz5rEzzNbQKSpd/gzMoTdXRmdXOxnO7KybJrZ1aAHjBaVkG+YTJQHcZrEh"
    "1C1JsMX5Nfb5rt/mu43324epsOLzsDKq2t2Ep0+CtVQN/U2ypHaDpoK3S36lTK+SAlnL/b"
    "lXR4mKKrxHWR0EMs1V6lElINxfT+fbyiL7Qy2kUqA3RroEMcuhIBsd6PXiIzLvRtXOgBWf"
    "gS116T7JJSGNFFXXRB3pwrOlYd7o3iS5XYiDAKIkwCn1MLfv2il5Ca1a+++u/YW3RAv0Sm"
    "xdm6b+gfYIA5FEoRawUic85ucc7K8w1aGsHkSQeDWvfDs/r+EUF2FNQ0q9gMeo7c4K6CO6"
    "Q+Uzot4SlT0Z/KdDqcrzsFOs06sChij3VUAullpBr1xemxjoPw8jO5T3xmKstZQqrfit5J"
    "oSMeEqJcsatApB/Q/fuiAyQi4NRQLhAZlDejjGDgYhQkyouS7C0h3b8EnouCmUbYDbFHT/"
    "nzdhb3svcCX2ngVIAWpFvFnpopTA2X4cS3V9Ma/AAzvsnUg6YOgmsSk3lY9VNRlTTkdLhJ"
    "QpZg6UMsj01vp7rmyPfZtPvT5PXlzbXiwTA8/dWHlCoLn2sSIxRtFooEXHMSSZJd6jffPI"
    "1RVaV9niPPseLY9a47R2USzU1f/YfcxQgiyfbR6NnLkxmfnoJPLym7z6TuLe290okGvJsP"
    "7+B0yZKpq1ywU9JzS2TD0HH5Y7XRcbn/yIp3GIUTt0RlNJ7y1mOqJvcMqEjPkxycDQGmax"
    "Jt0Nx3NTaRVami7GQUAz4dBxPiaFppPhZ7IuGZzkyQgW63CuDyGQzXj4brSpXsKoTaHGD9"
    "WUETjJQscTka/Y6n/mvhKoc1mGAGxWCG9Ycu9Y8052EWKU1l0VbJmAlqSfyNqiVfTq7fYt"
    "9JC7g1ej6UlXiutwFVCLeyAg0M+AOk9MRg/pNMuy7/jNQsfbWlz5GLAqUzVUarH+w76VyG"
    "goDwE9LpHFxfnGHAsPdg8O9ffsTUuoMPPCxGZrjbkIqfpzROLwWnF2Uru0OCcoGql5W+uY"
    "zWEZvuBF5dLDkFQmPAGbIBhyIY2HMrRF+VEhJLZEOOkuiFrbtISIwLt3b5voqU5gMb8gdm"
    "isbXn1/HWT7cFI1/jFyXfOyVYtFMwwq6cb1IaXb04TBZsqOThd/15C7TGk4PmdP5otIVRj"
    "f0gSiSDdikMpiI+KzOtgLOBSKD8maU47phaiDnaQzGmzGOqHLfmByJFor0ntvGRNR0jdnc"
    "NSa3yGqaxlR2ih5AvU7nOa5Noi2o+c2xgCp7AXD1+d27E6k80QOwb7DOuJYkqBYLNpYFDL"
    "AbgC2ITMrNo/idXbX8uXTQwich8uwVY5Y4IEptf0ojRk2tf3A21rpHqw79f5Y4nAPogdxM"
    "gM30g2h+M4d0zhvh8KY62POjcCTa5/Bb2OE3lqKRTwh4+6jmjkE9P0fSiufL+oQkfq5vEn"
    "vIye+/r5fsmkOtG9U0pSVIpRlJSGeyRpvO18O62PaYk1Dfm6bAt9ZaaJ5IR7myd1/+PapJ"
    "npQDnAzXENrvxm0yI9mo+kDQcSU7UuxfFt/RVEAuUmmIdf9ue2NLkWwWvev5pl/YHkA2zt"
    "N66I/TjdbKeWpMaMaENkDluc6EdnF+fXH+enJAzdkLeb0Ouc4c3xtt0Jb5KIwU9GTKVsYT"
    "7AGmf8baq3gOSEO541a2U+QSb0ZBSPggaNsk8kK5PrzlfJtb0CrptsNtwpr8aA07sGJKI7"
    "Vkx4xCw01/fHbWJkvj7Kw+S4PfK3kAo+k/kS2RphocgBmJQbkdyvdopazo5mn2tbscsZKL"
    "eLEwa4rumIyiqhuUaU0QzpCDcO6Rr242KhDpZ87o/3symnY99EbTNpp2/sMymvYj1bT/Tq"
    "afIu9Eomcnd0ZNWjZPbg4iT0HH5uV+v6GAEXFfL9N4+QV3BdhMp+BmjkDMV+4vBgwiCggj"
    "isuTAduFeAFwjbbd28xSfzObhd8T1YqNi/koXMwJy9qeAslwHU+A3t3K8kLfzUJVTaFvHc"
    "SpIxGfWukm7JiW5f237GqYEu+xR8Gnz1dXl1dvFU2GAy00Lo/4qy+yk1GY6jpbVddhOCxU"
    "TosciX66+E7Kugwok3Bo54fG6vgd9jCdd2J7idSYNIcmNlRsAodRYd9D7N6QeyTVYrOboy"
    "ZFdsGGMY2PjVPQZTkRctgZ692fgstQKJNcrbSRCGm+IwGA7O4CswUJ+BL9kd1kGimPdb7+"
    "6fzJ+OxFGgktHg0wBTQkAXLkGu6On7fZ3/wlb8XIGUl/N47oAZjoRg26sB8F7IvvLNfnyI"
    "esHw9SqEf8s1X5CtYEQ4a6symi1VIfN6z1cUWy9JA4qthpJinXXY9ziUw/MX4nYIuTQ9l5"
    "WaQywQCbgwG++pitzA5ic5FyP9rSPpE/dqm55KzsVFCJGq3oKPhrQhDqN1B9bR4mBMGEIJ"
    "gQBBX7jRciT7BGbsFZ3x5tsOEUBm604fCggBwRoEsc2nNEfwAQUAa4i0BAliOAPQYct6lM"
    "V+zOAs/iJOSqkaaPCXuO+t861qAfSfy7Xe0zvfQnqreb8EPK4ka0KrIbev/m6EwddIU66G"
    "l2DLXI3Z2KK7RCOIyus/x52nSddSB2Vxb1kedYNvQlR2597yMJrel+1KL7kam7W7/7H6cO"
    "IVEdxdsPxZ+GFlO2jc6xLxXHsrvN0th6nEoGZjRdXxMZkWBBvHDuroDvQo8LTsKZJcKM4v"
    "RJ/l8frhbIC7PEShfSEATIJ1zIqsnN3NWTFL1o/AER1caDNsWuy1DWz4GWXy+q5UarpNoZ"
    "wHfSZzH5NqRQt4tFjLp7dh6zy9KEanUR9gYuYlTtlAGDftnFxVQgNB6IIfOYaVudnIgZme"
    "HvkPnrMwHUcpjA2aE5fZHU8HnIfA6J2+U8zpGZw3jQDDau4npx9zjNPKap1mPkep1xr3Bo"
    "u1DViJAjGbI6e2D7jYnBMDEYxxmDIW8Bwb/6HjD9mEyjKaa5vXFQ/R8+Qhp/YiUXirg+an"
    "KeMNWMtq1ceS5SfZ5MCeMQ8KPAnkOK4h4MSQUM6LpkyVcI5WlDVFyOC2XcBWQBbjOj3e2P"
    "IH40uCOcSNTIgB7hnoyqH2WvT1b0q+SioI1vZQAHx6jBtxKgOxSgZAdry40CkXb+lHErf8"
    "q4wZ8yrvpT8ILtU9Ty2UciL+BRHyxWpewncuzQIlIv4WMZwtwpTDohLKE0CEsQ/iOCblL8"
    "uYtTMEc+4HyvHpyCbbqd1Pc6qXQ6YQi6SJxGEn9sfUxeiczUKOkeepdswTz1R33jTqn2t6"
    "U8PZL9JNl3FWEtURlYy7CaCIIuG8fA7ZgS7/JRZakaNndkc4AeyH2nr7lIaVzMQ+ay8UDW"
    "H4/H6YsyHsjHyHXjgWzHXeOBPEaIjQfSeCAHh+k2HshiVW2Jee1VQvbm50/IrWt/nXMt/p"
    "TYjzXB+s9du2gFXjVu2hTLZletteZcu6IDa7co4BYknmtGkgYGonWB8IT+mDhLYYCAqErI"
    "Bgqn6VN53YEe5pQ2PpgT14n3Q9P7QMGSduDeB4reJ+NyOqm3ZcY2dGWjuzEM19vblU3tBk"
    "wZmPHerKhkFIiMmqGuZmQn4rZCcRIHdmRwtxWKCwttSAWnhDIiE/gSJaVB2GMjWofl5QsK"
    "AFGbm8tgp+A8vhKgBXlIBTBRXCAgd9hFvCo37/Uo6nnzWt1JJQVZ/N0uHvFo2k5ziPQLpq"
    "NuNFPhQjpeuxC6/mvyhjh0JTGK9eEva4L9l6LSKPLlnv1O+YreHO+V0g5ZzhlkCQg/wLJ4"
    "3CYNfk3SSVAfmGN3n2p8zgUbBTymuSa8scb5mqMZcExj1wOzzXlZf1xKekI7TOARcbZCeF"
    "LQRKW0Gq313tRSJ4rrmVo1Bu1ahKuEBt46e9Qhw/g1B/jwUfyaA2yC+E0Q/yAW9r5VGSYi"
    "k0C68hurSefJTDFphWLSkZe0w1MEvEBnEFdAHPrYgrYtbcXVCHmR0GCugDk/M6YwtFWUmQ"
    "KNcfvKCtETitNgm5ag5kkMpjLVhbJvPMQPMstS0+ZQoNvj3pBar492azAx/fVr+ziju01M"
    "/2Pkel1MfyVMoU2caak0f/do02IvgCNbCbXxpqXyqlQW+6Uak6stPknVn20hSqY5WgtCM0"
    "rJB7cdRi3TEo4Fn50G+KTLSRbkk1tqDYE++XXdrncJCXhDkJpGIaO4LNaSNxLBIZgFUARf"
    "Q8+Jry0hBQF6YIukrmFJv9MrVtPKCYNs2Jdcb4X8HV3igmJwqX6xQWINKYaL5mm0ixEybU"
    "t0ilnB1PKhNO9kg20hpTJWRzXTAg+HUDCP5ShMLH8ZzvR4ttRxlZEagMsAeyi04IJnvUk2"
    "iIawtiKdNrjuObItQEzMcrig2IEFEmLDBxNhOMgIQy58V8Gtj65Ix5sQ8S3iKoSS0sngXa"
    "Q0BaqGY9+uujWMM6t+SztOt4ZxZj1Grtc5s4qOF/sezpBqjaoClYaySu9Vqg5QCOyRIXyA"
    "OmCPAOHBlAEbGNY7qgIW76s9oHohTFQfs/n0hLd4EA2uztqxojrQRk/XiNL4J1fczemtUZ"
    "O3mcaDFJzNCUXcVSkk98jjNR08bggGNGSrxhkBwgRD4S0W97+h4Pqn8yfjsxdy//LWMz6a"
    "uhHQFrXTNPQPC7Zac0glkeT1/ChSaecj7r+OxHFVzd8n8serwFbtFi5vr04R+zTU+VymNX"
    "bJIXPaQQ/SYhn1W2ZGoZ9+t5OYGib5qSG8JtAP4P4PJGNYr4f+OE2srQzrpkC91papoYG9"
    "rWnqwFUjrxmPIv8V8aJ4UZQV/dztUaOyLwZaUz6ybXw5L/C9gNidkq+iZuNyju05gB5IdF"
    "EwI3FgOJ/8SeQDMfuPcZHH5Zzp8vxmOpjp9TGqklDznT5pCxPBEDarASmlu7cFYAd5YW2R"
    "ljrLTEbTi9w1IMT7kboU8vV2upf5jFE33G4j3cqyu807GR9nCfNPy33sF56MsohoCDy2jU"
    "yTXgVwxjD/AUB2kfcvEO0KxPaCvVFc1Ta2R/Ib3CpJIxSwbSbJa+Ej2SQkCtmA6oa2n0du"
    "sbMZo9sOdZz6/c0Y4XQ1zQxljw1X4vdWt1dxo3ln5UNaFxrn8zs8F3DBZLAQLXyXrTVZuf"
    "D6gdLWL1nhLz5EFIout3/5ckKW3lrMYn/qkgRos33DJbMI6eflOWyF8EFp/KZG+P7PkJ0E"
    "gOdfUwH8EplhwRYsYDsmmpFAojA2lJbM0Zi6kt2xpwgG9twK0VeJNHvDrtbs7EUyLTb4Ju"
    "l18utNM/Rr4fXdh6u36fAyP0rF9+LaHhaPjali35h5XCY16ccq6ceEStZ6fe5xMtyUY5bm"
    "ZiKe4IcsUSBcLhturlwgmWbIO8ogSxjEupnKHp5RDBnswW7fMXwWL59DotDy5yQk6vBX6X"
    "UIO9g3Lx5ggDkSStXJC0RGgN+mOLkpeGsK3h57wVueXaJc7j0jMiK4KS5swsZMPvaj4rrE"
    "k1bJx858QYpROBVCLdSUXScN571qbZHO0+igfuw89Z1pB1GgXGKgQKVblNPOQ2CLPuUtA2"
    "EvCpMd2RbSNhy2soG2yCYWW0EPAOudA5/fMJXziTOwE3DkbdVUKny/XU+kD+aSOt+VHbiK"
    "2gcP3RD2R8tlKiJqPmaTHdP+2zr3vXDutFmu20cvpZDWBTHlIN8Qy2Qlr986pikZn4u5RK"
    "EISIdATMhjN+kCui74BU0/ngIet54+IyaCjJq3pvCRE1dHj4OqwBw+IOAREJClLEZqfw9+"
    "NAnzOsdShQy7rg6zNfH+VKKTj5Or15dXbxXxH6SvbLoKkUXxvyT41xqsCzTGYi0x6i2xo9"
    "QVfT3eoClBc87k7blKnEJGYPCU4EnncHz2QuXwyyg0NDyZVHBj3TU2fcP1Ktfb2PQPYmQe"
    "HH/3a//cs2VuaGjvxTSnlNWV1+VWstSN1IKX2qQ22/HWCV4amfAUTEeffZfAor2ieGfUZC"
    "6KxBiFUogODpAdgpguLl/ItTwKFnAFYBDgBwR4nlvA83pFPcMf4wIGS4R8djVAC/LAhuNw"
    "FOcG82EklFdJ3OXDpDl46/0CO2jhk5D34bDu0UqSiadhK74FcjDUz2rEHh+K1HmOqAI7yn"
    "Q6HsDjNuCP68EfK5iJmnoOaWsp2nPDofK+pbT7VEj1i2v4bvyyjWF0/LLeMsrvGS1eb32u"
    "jRZv9Dmjzw1EZxgdTJ9TVVaokLSrqkrCjwZFhSYt3dupKUlJNLlakd78zfvNu026eN7y6m"
    "kQ2NCeiwJFXI1wkTNDwTcU0GgxAvYcejOuQ4iy7InaELucYTIUuNhDp+CWNwhlL3MLZgFZ"
    "cp2FEaHRb16StwRm0KdJE3GutKyATRYLHPIm4vFT+BtMocsX8QiIKl8u4l2yR7ycyB12UV"
    "I2KQuGYW+JvmLKj292M25rzJ54Bx9IgEPe0BxQti3V1h/R0xeub/F4xMsGqrBiTaBd9apn"
    "41ZojxvgHlfCVTlaXBhg8kJNc3E5zGU6/UToncAtVqfF9kLMJlVOKKoQm8QihcSiWFpgB8"
    "sDkoQJNyJfJjW4K+DuQ0qXhIlUqtUIK4QaqhLjs7MWuwwbVbvLiHuV/NBZhGSVLDalh67J"
    "zApXWOHib4WFnY7X79DcSZuGhvohNQt5q0ohgwZ4/PR5G8seH1a/Y4ibpWotROalbFmihU"
    "hrze0y4PTz9eSTooozyGhTl9iwDnj52s4o9Fvc/ePLjrS4Hpb6UZjRmbNQ4SyMYbMo9mSt"
    "dZrdBGVa06BqOHFeVcdAwq3IC2UWmlacXtMaTg+Z04ntWLKHNri6c0T7c3Q/3dU5dRAvN3"
    "lAgRPAu9CCrkuWygYjKb05zRROs8TDobbyc0Rm5Xdb+bGfyaKIASAVJJrwlxAbPnTjg6i+"
    "GUCXoesoqSkVwj3VtGjwjXloaRVea09Osv61mvhXIMearhQDM6qUO9Iij73YiPQj8CHuEv"
    "0kozcC75AF3jXHuvQrkxLrVtKn/xxBGvHOX06n+MIyrfm6hvx1Jc0bO/C5SGm4PGQum2jh"
    "+q1U32hhk/OrG9clH3sl59d3oWoFzxyJfo6snQeIc/SqaCvHh39MpjkurFsXN8uW2BaF+K"
    "CPeZ7QllX4zn38c5xsdGS7Vm3+bv77h7bUO6CCT+TgcOKFQRuMjmQ9FsWhObLvSbQtThfJ"
    "NLquJHbHo9Duoe7lhfA/3WTz6QqZiJ1HX30SbLu4mIAGJ2IiXbHiOSVbgvQGtyrDcJTwHK"
    "bo7FFCVUoj3hKvy2w2jcWExCCKt/0EL3OGVR1xEnkeIblH236G79lEN3webZGKm13Osb8t"
    "UuuJdIWKZ1Ns++F9hHG2l5b4RIE9h9tDlEyjqRrD8KHbiwfX8Sy6LqW4NPeWEGlW7quCT6"
    "F4+5Y4ta/Sf5TrKVe9rDtQWZk0HSFaoumckHsLeY5PBOVWYP0STzdJZtPoO9xl2YsEtdfI"
    "xbzcw4mkAkZ5yKipGEbKVCcejds2euDFL9AD0xFEiwXC/5cwkhfX4xUwKL8JQ+AiSEM2gh"
    "eTgO4SrmhcrkJU12NvDm4X7Khiv9bCzi2AngOmxFnJy23s/Imby1l8OUkfm9i92Z9syJes"
    "KYCG5fySVaJh8YtsJajwo0ilYc50/xF+Ah0FiNPxOoLbf6lEtn9Vwa1vfp6O1wLcJif/Lr"
    "qdH13rmF/OL280aR1zJ09VqM1TuNMuO6G3jhxcSkLdUgtLpCZIcDhxQ9VwMRiGaOHLtLXa"
    "ryZPYj6c8oeToGO5ZFbF9O/XH64aQU3Jyh8NtkPwH+BiujN8c2L9NMJuiD16yp+3M1m+AV"
    "UOU/PBXD6DS18Gn6B8MHtM3rFSmNWjIyXkGoZI6rS1zfADO4b8DrwuUho2D5rNiW2qazpD"
    "gdbIKkPmtEloeBRsLllQ25qESmRaGC/2HNSOct6WLQPb1f03Q8O+bZB7ad0VAt0vzq8vzl"
    "9PDlUFvcyEendQnk+b3UEFH1+btt+fP72Lm2gLFw2Ne2lzf0xIGKhzQkUhcpKVTBdlx9c3"
    "eFvutIoAwHHNdIpCpqPMKOA/CGBJBfb9PfbRlDnX19MTBUpFzpPhGh4yu6pvmX85BaBLZP"
    "plqu2kYGu836nYnzKKrUxPA4N63zampOSa5TLRtgJ+i1ptKaFpTNa5YBKFrkR+bWgknozX"
    "cCvfQYkQxBZqqFxHvkRmoG4BtR+gB0wiaqku6AqhfmfmDtHu5PGsUhtD4pAtTHcQu+y3dq"
    "uRXCE2vB4yrx1MOcidvANFUsPno+BzgCCt0zE3R2BJphnw+TnIKCyPhKI/Vhcne5HUfHFD"
    "/uJsFzIedHLHFSgNlwfNZeN0rd1Ij7OemKki9xi5LvnYq2mOVLnReI5kwHLSUB3uEd1nl/"
    "GBYd3WwZ5bYqrO9UqU2NaVTyTpk0e2fx0yMXXCvUwnDWEI4v6oVQzC2mHVIgDBS3JDRTDA"
    "ElKwDHgXdI93TIfs1+PZDAUjgD3h48+VQIspbMjWoANwOBL5oEuIQwpCAqbIJgsEsrUlCU"
    "LY66N7DkRo8lhJ93yJoyr5oreLRNDES1UffmDyH3eY/3gAsWbgEPeev0uj6T+RrRqyWaQy"
    "QLcAegpdqNyPKUfUKbJgYILjYQILEhCtKbojQTcG5GgNH7rywRikahlyvKaI2AJV0ZQPFD"
    "ZNgnshPFfVlPhOs4IixigUyokJgB8QG1E6Ass5tucgtqNRwOX9gCzjGjUQzBEMwiniusQc"
    "uzwCmde2gVwLkBfF6XX2LfQL8beCbJCO31ew89EFr9QrE+zxdhQEvJZtFfH6EMQilU4hiL"
    "0ld1OEvC7dsTIyc+qYU0d+6pyjgO3MslMnudN46sBszKZDp56xPZuPHovtaMvtpX4jr21+"
    "XH9s1rc+1kGfHp+dtclNOTurT03h90oVO3xfBeFkuIbo7iQVhT0xRLKU0vpclBzJ/uugHH"
    "k2ykEPsz//H57Q3wo="
)
