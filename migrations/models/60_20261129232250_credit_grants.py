"""Credits that expire: grants, the days of packages and plans, the monthly refill, and two types of ledger lines."""

from tortoise import BaseDBAsyncClient

RUN_IN_TRANSACTION = True

_SIGN = (
    "CHECK ((\"type\" IN ('DEDUCTION', 'REVERSAL', 'EXPIRY') AND \"amount\" < 0)"
    " OR (\"type\" IN ('BONUS', 'PURCHASE', 'SUBSCRIPTION', 'REFUND', 'ROLLOVER') AND \"amount\" > 0)"
    " OR (\"type\" IN ('ADMIN', 'TRANSFER') AND \"amount\" <> 0))"
)
_SHARED = """
ALTER TABLE "users" ADD COLUMN "has_grants" {boolean};
ALTER TABLE "users" ADD COLUMN "refill_month" VARCHAR(7);
ALTER TABLE "plans" ADD COLUMN "credits_expire_days" INT
    CONSTRAINT "ck_plans_expire_days" CHECK ("credits_expire_days" >= 1);
ALTER TABLE "plans" ADD COLUMN "rollover" INT CONSTRAINT "ck_plans_rollover" CHECK ("rollover" >= 0);
ALTER TABLE "credit_packages" ADD COLUMN "credits_expire_days" INT
    CONSTRAINT "ck_credit_packages_expire_days" CHECK ("credits_expire_days" >= 1);
CREATE TABLE "credit_grants" (
    "id" VARCHAR(30) NOT NULL PRIMARY KEY,
    "type" VARCHAR(16) NOT NULL,
    "amount" BIGINT NOT NULL,
    "remaining" BIGINT NOT NULL,
    "expires_at" {time} NOT NULL,
    "user_id" VARCHAR(30) NOT NULL REFERENCES "users" ("id") ON DELETE RESTRICT,
    CONSTRAINT "ck_credit_grants_remaining" CHECK ("remaining" BETWEEN 0 AND "amount")
);
CREATE INDEX "idx_credit_gran_user_id_722e6a" ON "credit_grants" ("user_id", "expires_at");
CREATE INDEX "ix_credit_grants_due" ON "credit_grants" ("expires_at") WHERE "remaining" > 0;
CREATE INDEX "ix_credit_grants_used" ON "credit_grants" ("expires_at") WHERE "remaining" = 0;
CREATE TABLE "credit_refills" (
    "id" {number},
    "user_id" VARCHAR(30) NOT NULL,
    "identity" VARCHAR(64) NOT NULL,
    "month" VARCHAR(7) NOT NULL,
    CONSTRAINT "uid_credit_refi_identit_07381f" UNIQUE ("identity", "month")
);
CREATE INDEX "ix_credit_refills_month" ON "credit_refills" ("month");
"""
_POSTGRES = f"""{_SHARED.format(boolean="BOOL NOT NULL DEFAULT FALSE", time="TIMESTAMPTZ", number="BIGSERIAL NOT NULL PRIMARY KEY")}
ALTER TABLE "credit_transactions" DROP CONSTRAINT "ck_credit_transactions_sign";
ALTER TABLE "credit_transactions" ADD CONSTRAINT "ck_credit_transactions_sign" {_SIGN} NOT VALID;
ALTER TABLE "credit_transactions" VALIDATE CONSTRAINT "ck_credit_transactions_sign";
"""

_SHARED_SQLITE = _SHARED.format(
    boolean="INT NOT NULL DEFAULT 0", time="TIMESTAMP", number="INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL"
)
# SQLite cannot change a CHECK, so the ledger is made again, with its lines, indexes and triggers as they are.
# executescript commits what was open; with a BEGIN of its own the script stands or falls as a whole.
_COLUMNS = (
    '"id", "sequence", "type", "status", "amount", "balance", "account_version", "reference", "generation_id",'
    ' "metadata", "created_at", "user_id", "price", "currency", "api_key_id"'
)
_SQLITE = f"""
BEGIN IMMEDIATE;
{_SHARED_SQLITE}
CREATE TABLE "credit_transactions_60" (
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
    "price" BIGINT,
    "currency" VARCHAR(3),
    "api_key_id" VARCHAR(30),
    CONSTRAINT "uid_credit_tran_user_id_fff28c" UNIQUE ("user_id", "sequence"),
    CONSTRAINT "ck_credit_transactions_sign" {_SIGN},
    CONSTRAINT "ck_credit_transactions_amount" CHECK ("amount" BETWEEN -1000000 AND 1000000),
    CONSTRAINT "ck_credit_transactions_sequence" CHECK ("sequence" >= 1),
    CONSTRAINT "ck_credit_transactions_status" CHECK ("status" IN ('PENDING', 'COMPLETED', 'FAILED')),
    CONSTRAINT "ck_credit_transactions_cause" CHECK ("type" NOT IN ('DEDUCTION', 'REFUND') OR "generation_id" IS NOT NULL)
);
INSERT INTO "credit_transactions_60" ({_COLUMNS}) SELECT {_COLUMNS} FROM "credit_transactions";
DROP TABLE "credit_transactions";
ALTER TABLE "credit_transactions_60" RENAME TO "credit_transactions";
CREATE INDEX "idx_credit_tran_generat_9612fc" ON "credit_transactions" ("generation_id");
CREATE INDEX "idx_credit_tran_user_id_d20d00" ON "credit_transactions" ("user_id", "type", "sequence");
CREATE UNIQUE INDEX "ux_credit_transactions_deduction" ON "credit_transactions" ("generation_id")
    WHERE "type" = 'DEDUCTION';
CREATE UNIQUE INDEX "ux_credit_transactions_refund" ON "credit_transactions" ("generation_id")
    WHERE "type" = 'REFUND' AND "reference" NOT LIKE 'refund-size:%';
CREATE INDEX "ix_credit_transactions_figures" ON "credit_transactions" ("created_at", "type", "amount");
CREATE INDEX "ix_credit_transactions_api_key" ON "credit_transactions" ("api_key_id", "created_at")
    WHERE "api_key_id" IS NOT NULL;
CREATE TRIGGER "tr_credit_transactions_no_update" BEFORE UPDATE ON "credit_transactions"
BEGIN SELECT RAISE(ABORT, 'UPDATE on credit_transactions is not allowed'); END;
CREATE TRIGGER "tr_credit_transactions_no_delete" BEFORE DELETE ON "credit_transactions"
BEGIN SELECT RAISE(ABORT, 'DELETE on credit_transactions is not allowed'); END;
COMMIT;
"""  # noqa: S608 - constants


async def upgrade(db: BaseDBAsyncClient) -> str:
    return _POSTGRES if db.capabilities.dialect == "postgres" else _SQLITE


async def downgrade(db: BaseDBAsyncClient) -> str:
    return ""  # forward only: restore a backup instead


MODELS_STATE = (
    "eJztXW132zaW/is4/jKdcxRvqsRJtt2z5ziOknqaOF7bmXYm7aEhEpIwpgiWIK1oZ/vfFw"
    "BJiS8gRVCURMH40sYkLkg9AC/u+/33yZw4yKWn5z7+GS1PfgD/PvHgHLF/FO4MwAn0/fV1"
    "fiGEY1cMhT62HtBSXIRjGgbQDtn1CXQpYpccRO0A+yEmHh/92UPg/PoSMIpTcDdD/B8AU+"
    "ChRxQAGpIAOQNAPJddDSm4/en82fDsFYCeAyCYYS8E4yVYzLA9E/cjyqgCZJOph/8XUXbt"
    "lL+HQ2z2Itib7u+RkYf/iJAVkikKZyhgD/76O7uMPQd9QzT903+wJhi5Tg5s7PAJxHUrXP"
    "ri2sUMBu/FSP5zxpZN3GjurUf7y3BGvNVw9mv51SnyUABD5GQWwItcN1mr9FL8ruxCGERo"
    "9ZLO+oKDJjBy+TKe/Nck8my+eiDZE9C2SeSF9PS/XDgfO/C//zt5xQyRZV19vrNuR3eWdV"
    "LaA/yFCmuUXLKJx/cPg5wKgObwm+UibxrO2J8vnv8ZP2cNVDyKP/Dv5zcXP53ffPfi+V/5"
    "AwnbhPHuvEruDMWtP8UUMITxJGJZ1usg/q+wEun4btYivbBejPUnlAKbQrdzsL9/3gRtNq"
    "oSbnGP473Gl39LKvim4zXE92UDdF9WYvuyiCyFrhKy6XgNkX3VBNpX1di+KoHLjgtrBulM"
    "BeAszb5Y9RFDTG3iV7DekRfNBcaX7I2gZ6PyZk6J97ebT0Z/H9384+6ny6sPiodfIkH9B2"
    "I/69RfFoWVRrz5VRPW/KqaM78qwo+++ThA1IISJvKOQRfiOZLv8zxlYQGchPQ0/UeD5Uh2"
    "dV94Sw3Sd5efRrd355+u+fRzSv9wBVzndyN+ZyiuLgtXvyuuymoS8Mvl3U+A/wn++flqJN"
    "AkNJwG4onrcXf/POHvBKOQWB5ZWNDJYpJeTi/lVnlOvHDmLi2bybtMkC0v9Vs8vfRC+UJL"
    "iAurnRzWx7W+7HXZ/57953D44sXr4fMXr96cvXz9+uzN8zdsrHjh8q3XNZvi7eWHy6u7/B"
    "rzC/nvjYHIEWrxveUpO/jeeneYsx/ofGa6WLJXjuQDTLZ17ffnQhpaTHtss+5FWsNp+8xp"
    "uYnAUtPqMyQaCuXd6O7cgDJ5kKruHL4y3O9JgPDU+xktSxJkAeTEtvElmebIwP4z3U3p1f"
    "XnHcDFyuKU3WTst7NfjMJ4W57fXpy/G50IhMfQfljAwLFyUPM7ZEgKV1Zjy7fmw3nxCvTg"
    "VIDDfwV/59TKGDGRYuSFgdwGub47qLVD8nEWYgMxUjBGQmeOPQCFiWsAFgEOQ+QBdimcIU"
    "DZqzAkoUfjAT+yP/B0igIKAjRhcIKQAHsGvSkCJAAxopVGyN096skYH9Ej0tL0GK95Ww14"
    "Td3ns6MD1ffFsMlCDKsXYlhUfUMYsG9G5RNYU7QCe7PYdTjDTlf7fA2vg0KI3TK8f7v9fC"
    "WHd01RlHGxHYL/Ay6mTfTMnh7RMmA5FjnJNgX0u0/nvxaxvvj4+W1RZOUTvDUqplEx+UFA"
    "VDWPLM2OOJrOmoeAb3+qR8/Abqp5ZDdZTvW4YVv+5vLi7lC6x8UM2Q8kCk8kmsfqXq3eYS"
    "ejFHSOlATAUMj+PlzOmVwL/IA8YgcFcvWhEdVmTeBrVg3MMPvfNVERElg0VBKoG01VViId"
    "32eloDcuyPQrUjw9C2SdHKA9cvXuJA4kCiQawR36VuF6SobrIJvUiZqjX+/qtYCVpPnx89"
    "WHdHhRNTBagNECjDvfOJmMk8k4mfrlZDq4pkdcF9nJry7reuu7g1ptbzWuob53zvUzJ7JD"
    "4GKmxJEJoOHSRRQscBgHlJOFx8ZgG4mQc+7sYf/ziYvtZVkR3H66J+Mrspke5ZJphIwm2K"
    "0m2CP9pHs9MMShKwlFrXZYrAiMv2ILf0X2NRXAL5CZJdhiCcaQIgYtlWgNlWGhOZpWAaF9"
    "Qz2JCB1+//L1yzcvXr1cBYKurtTFf5ZjPeMD2IoPYDnP3uzgL03SZ/G9lyHuf0TQxWESGd"
    "SUu+SIDG/ZgrcEiKkFFmWbXXK2vncJrOAvBbrCGkw4oVZWiHefv7z9OALXN6OLy9vLZCFW"
    "Zgdxk19iF3CqVZ1/LGDN7dFEZZuvCLba4scD8k52OOXJwCqorwgMY9kCdnYfy4XGSpklS2"
    "JEFonIgqnFIwofJaz6LSEugl6Fwp+lKyA7ZoS7gjZVP/e7nd9+/vwxt53fXhY9Ml8+vR0x"
    "OeWveZZdBpynVCGJbaUW7TXRHqFeXTlarI1LrJqP6OsSi3yn5arnKc2q92XVJT4y8fYl/0"
    "21tyEjvAkbuoQBJ3Tvf75BLqwQGhJz8y2f4wjXv8qv8+dOnTEijfhDAD155F3m9qDWHSMG"
    "WlM+sqFDJp6bgnAGQxA7vH8AC/4HpsBFk5A7VdgC84wbfpV4iF12piiIXS5T+IhOwS/8Fu"
    "TZPKIaDphBCsaIMk0qqSuUuNLLHpw9P/837zfvQqQNOUmNozjfKJNqxB8Is884BedeMoEj"
    "ns/e7AH5IZiQgI1czLDLgOV/xIYpymeIf0IIfIidho6mf5+st0vWb5gJQ/g9/pP9RYXPLZ"
    "kk2S/Jjk6/xJiW/TLxx59H6cc6Mnf5oMZLJbCSAr3Z4pnSGkOnoqETzjk/kBxlNcUd1jQ6"
    "6cN7LuoQoDl7A/5eStjnyAz8reHvUdBb3xbkeCV6E/Vmot568e0cb9Sb0Dau2VxQsOUKVS"
    "sd0ETZ8uOxjePfmHQ0ZooFUxGS4lE8gQnGMWqyALeN459MBJvvQs8Er5ngtQqoy8FrlaXd"
    "KsXPbeu59Y1fd+0LS/CxYiHRcuCyBbpFao0q53UGtGDvaqrTikSnnbvvUoRRECCvKjKtYl"
    "dnaHSUqJscgNXnXymx1EQomAiFY49QMF7z6r19nP5T4zV/iqveqdfcjwJ7Bum2jvPrZJrj"
    "k4EP6Dq/QRPsuieVBp3k/qCBPScQQxuac3j/nDnE7ph8Ew7guC9OxhE9JXF1mnjW2LVsQy"
    "ZcOTAAoop42ebT1aQSw9DXE+wgL8ShkFbF0LjSTVtrUZ1CIrUXSSS2ZBv310yxR1Wk2k5k"
    "TP07L8+Y/TaaG0XXNBqC3L1RLmY6CgivCDSEt45NpOi+rgT3tdRXdUjPyt06jKr6MM4Oan"
    "IiZ2KzFKrKpQUB+EEZB3NtV656i/l40Nk9RWz/eTa6B3HDuMyB/hcqZo+rFvCSdlPo00Ea"
    "mkYCJ/H/kPkch/QU3LPHoSCejCNM42gz8WZsnt+8MXKJN6X8fb67dxAvkPAD+06s09PT+7"
    "+KQgiYgviLGABK4sg6j8S/kd1Ki3GHixon09eVLzT9aSVRoiqiLQ1nWhMOnlhcW9m7NWai"
    "HNtuGjq40kVWEh6zVDoZ/fZs0DZBhwcIOmR4hpHEDNCwgduKeo8d3C4+f7r+OLobvVPkOr"
    "3E3wR9HojbjKELlTl9hshA3xr6RJS0Hpk4KnWv1W7+MrFZii1CnxPpXEX8zBFpF9szbFQ4"
    "d1hTOHdYLpyb4MFeTNEuViI0rUs22sb2HpDSM+fGE4pH6RvyuwxHgT62eHdqxSYhOSoNQe"
    "6cfcxRCLmFoIxydUmYLI2pxWOaH5m4BaVoFeMvNKlBPYj+GBxJahDjhHD0zSeBtARD5u6g"
    "zmUlrOBIDFTwVXEqEFOdgsuQgoAssn6YMZqwXSTqWY+XIaLChRND5wA4CVHAnT9zueOqy8"
    "mb9FMiC0/nhkqJrUTHhkohg24bq/WevQUn16Ord5dXH3QwWbuIlw5m+0rWHrReSCuQmjYl"
    "/QkmLUtlkLHcua+Uk5Yl2Z9V9vmumFr3GWlGuXlyyk2PylsYZrkzZpmVJJuKh1kao8SqK7"
    "ECP6PFbtJis9usV2rs6BtT2Dzojh6RvJhgfsCgTplFyVAL8bEK+uwCjWeEPHAtEj+iYDkA"
    "NCRx9TwbgchzYp0SUMT/+RcKsLNWQ7luOmM6qIscuULb6ezSwEZKoiDe3OKX83UuhjYyPT"
    "cKbRIfEQGyEXsVrfRcjRsHr1a36VqsKTQ8UrpXZlcfjQLEWRoNQd5JAER1cKcc42MI6Gy7"
    "iXfRmVnVYdmJs7JvOO/bW5k5VtvYITPke7RE3owuRpd/1yN61g8Ig2KuwlgyJPoFQ5w1Yi"
    "1nNazlrMxajB2w88ZyaxG8hGm9SahAaiyBfTESNbEEJrpci2XPUxpLYN8sgT1JbH2Pxc8t"
    "2VHE9UGd+WSC3aZlQblZw2diYhSI1FHRgi7O0xStEaL52IPYpYPEusHtHextwQNaJp0TYn"
    "tHwFsdpLtU0mxhd495MkVI58jBUD+byIS4jrKtPUekn+DXfRTsA/tdbRWblLbPynsv9RkT"
    "1nI47NnjQm7XU7VUFen6vOnbcpdhE+4yrOYuwyLYPHrP4n1Uy0jX5l9myUzaX+tcnQV2ZI"
    "VtKnFfjdcJ8870+RnC05lEp6uEc01g8JTg6UTBqvBgwbVf3W88S2SajTdoNs71XiYRizhq"
    "hb1bJDPmveL2pTM4PHulIkKsKTQUHrovy7bS/i1xLin1bpfRGh/YNm3cXWijmdCuldwweT"
    "IN9/3LRr6YlzW+mJdlX4wJIa5GX1/HganmrduqSzwJydubkGITUnxo4WG3IcW5LGSHaRIS"
    "G5BCEfoPqwo5R6vilcvQ5+pRQAcZlPZdrD8DmMSjmoez2q+6Lt+k4F0NeD1RGvdsJxI3qN"
    "xZupGKl/Yd8SD0tPAvprwYP5n7MEDPoOc8oyiMfafYY+KiCKkG90mhtftTcA4WJHjgBX4X"
    "Ho2r+pNF3FMe3GdSO+/5zHFF4N+8SSTeIvXc3k/iWsA4nsBDC/bOp+Ca118Sg+K+9MAnLr"
    "aXgL0ZG0foqpwxF1PSfye/uE3L+jEM7ZmIlR+0r+bLP9LMnCTAU8xTELqdls3BvqZtJ9XE"
    "pZ35nvRzbK82pcKCZGmMwNeoupODJZHSzVysK+I9ulgvP51/GO3fwfqmAfBvKnF/o0GdYY"
    "182wy/6TZxBdN9xxX8z5fRF21C1LlNQLL1a5xZWaKWzqx2LpbTXTlZdu3MCtAjRosyyHdM"
    "BqrCeEWiQzxYneFr9Otdvd1/BffHz1cf0uFFZ0CpkSfbiQ5/pRLomzp5Zgj32MpzdeVoe3"
    "m2Kph9kELZ3+9KOjxMaVviukjoIVba0r55dFiJVEMxvXsfLw2XLlJGO09lgG4MdIhDVyIg"
    "VvvRC2TGhb6NCz0gc1/i2quTXVIKI7qoiy7Im3FFx6rCvVZ8KRMbEUZBhEngcyrBr970El"
    "Kz+9V3/4S9RQv0C2RanK37hv4RBphDoRSxliMy5+wW56w836ChEUyedNCrfd8/q+8fEXQr"
    "mxRvBj1DbnBXwR1SnymdlvCUqehPRTodztedAp1mHVgUscc6KoH0MlKNug91WC1DePmZ3C"
    "c+M5XtLCHVb0fvpJwUDwlRrouWI9IP6O590QESEXBqKOeIDMqbUUYwcDEKEuVFSfaWkO5f"
    "As9EwYwj7IbYo6f8eTuLe9l7GbU0cCpAc9KuLlLFFKZSTn/i28tpDX6A2brJ1IO6Po0rEp"
    "N5WPZTUZU05HS4SUKWYOlDLI9Nb6a6Zsj32Rr9ZvTu8u5W8WDon/7qQ0qVhc8ViRGKNgtF"
    "Aq4ZiSTJLtXMN0tjVFVpN+3Ic6w4dr0t5yhNornpq/uQuxhBJGEftZ69LJnx6Sn49JLmBk"
    "zq3tLeK52ox9y8fwenSxZMXeWCnZKeWyDrh47LH6uNjsv9R1bMYRRO3AKV0XiKrMfUpu4Y"
    "UJGeJzk4awJMVyTaoLnvamwiq1JF2VlT9Ph07E2Io2lY+lTsiYRnOjNBBrrt6qzLZzCrfj"
    "SrrlTJrkSozQHWnRU0wUjJEpeh0e946r4WrnJYgwlmUAxmWH3oUv9IfR5mntJUFm2UjJmg"
    "lsTfqFry5eT6bfadNNpboedDWYnnahtQiXArK1DPgD9ASk8M5r/IuO32X5Oara+29TlyUa"
    "B0pspo9YN9J/3hUBAQfkI6rYPr8zP0GPYODP7dy4+YWhP4yMNiZIa7Dan4WUrj9FJwelG2"
    "s1skKOeoOtnpm8toHbHpTuDVxpKTIzQGnD4bcCiCgT2zQvRNKSGxQNbnKIlOlnUXCYlx4d"
    "Y231ee0nxgff7ATNH46vPrOMuHm6LxT3HVJR97qVg007CCdquepzQcvT+LLOHoZO63PbmL"
    "tGal+7zS2aLSpYWu6QORJ+uxSaU3EfHrOtsKOOeIDMqbUY7rhqmBnKUxGG/GOKLKfWMyJF"
    "oo0ntuGxNR0zVmc9eYzCaraBpT4hQdgHqbznNcTKIpqFnmmEOVvQC4+vLx44lUnugA2PdY"
    "Z1wLElSDDRvLAgbYDcDmRCbl5lH8zq5a/lw6aO6TEHn2ki2WOCAKbX8KIwZ1rX/weqz1gJ"
    "Yt+v8scDgD0AOZmQCb6QfR/GYG6Yw3wuFNdbDnR+FAtM/ht7DDbyxEI58Q8PZR9R2DOn6O"
    "pBXP19UJSfxM3yT2kJPff19t2dUKNW5UU5eWIJVmJCGdyR6tO18P62LbY05CdW+a3Lo11k"
    "KzRDrKlZ378h9QRfKkHOBkuIbQfj9skhnJRlUHgg5L2ZGCf1mco6mAnKfSEOvu3fbGliJh"
    "Fp3r+aZf2B5ANs7TauiP043WyHlqTGjGhNZD5bnKhHZxfntx/m50QM3ZC3m9DrnOHN8bbN"
    "CW+SiMFPRkynbGM+wBpn/G2qt4DkhDueNWtmPkEm9KQUj4IGjbJPJCuT685XybW9Aq6bb9"
    "bcKa/GgNO7BiSiO1ZMc1hYZMf3h21iRL4+ysOkuD3yt4AKPxv5AtkaZqHIBrEoNyM5Qf0F"
    "JZ0c3S7Iu7HLGSi+ZQVlCiGt8VgYbK7bARbx7WMOdhSfUS/1fANx2vH7w7SYtGvNidNUYT"
    "JmOr6rZFWhNE1ucgsgfkq5s9c0T6fVLdnweR52LvoV3EdZ7UfE19/ppcSENL9GBQX+girV"
    "npPq+0sf1WM1Nj+zW23+xRaWy/T9T2+zcyvom8E4nlN7kzqLP78nIbQeQpWH15Afq/UMCI"
    "ePQR9MQFdwnYTKfgboZAvK48ggkwiCggjCgumAlsF+I5wBX2385mlkZAsVn4PVE/3wQ9HU"
    "XQU7JkTU+BZLiOJ0DngU7y1hP1QlVF6wkdxKkjEZ8aSc3smJZVomnYZzcl3mPXnJsvV1eX"
    "Vx8UnVg9bX0hj0GvLvu2pjD13raq98ZwmKucFhkS/axrOyk01qPc9r6dHxqr4xPsYTprte"
    "wFUmNs65vYULIJHEaF/QSxe0cekFSLXd8c1Cmy3LfLND42TkGX5UTIAdz4fwouQ6FMcrXS"
    "RiLJZkICANndOWYbEvAt+iO7yTRSnn1z+9P5s+HZqzQ3RzwaYApoSALkyDXcHT9vcwTU16"
    "wVI2Mk/d2ERvXARDeo0YX9KGBffGu5PkPeZ/24l0L9ngNNeifb7CHSBImjip1mkgYSNQEn"
    "eTL9xPidgC1ODuVwhDyVCU/bGI6AvvmY7cwWYnOecj/a0j6RP3apueCsbBVwYkIQjmN9TQ"
    "hCNQPV1+ZhQhBMCIIJQVCx33gh8sTSyC04q9uDDTac3MCNNhweFJAhAnSBQ3uG6A8AAsoA"
    "dxEIyGIAsMeA4zaV8ZLdmeNpXBajbKTpYsKO89C2jjXoRhL/fld8ppOOedV2E35IWdyIVk"
    "Z2Qzf6DJ3pzKHQmSPN16QWmUxUXKElwn70QefP06YPugOxu7SojzzHsqEvOXKru/FJaE0/"
    "vgb9+Ewl+Gruf5w6hER1FG/fF38amo8ZG51hXyqOre/WS2OrcSo1AaLx6prI0Qdz4oUzdw"
    "l8F3pccBLOLBFmFCf08z99uJwjL1yn+vM8DRAgn3Ahq6JawK6epOhF4w+IqDYetDF2XYay"
    "fg607H5RLYBdJtXOAL6TFNfk25BC3SwWMWrv2XnKLksTqtVG2Ou5iFG2UwYM+kUbF1OO0H"
    "gg+rzGTNtq5URck5n17fP6+jwl2WECp/oaF0jNOvd5nUPitjmPM2TmMO71AhtXcbW4e5xm"
    "HtPm8SmuepVxL3dou1DViJAh6bM6e2D7jYnBMDEYxxmDIW9KxL/6DjC9TqbRFNMMb+xVR6"
    "JrSONPrOBCEdcHdc4TpprRprWUz0Wqz7MxYSsE/CiwZ5CiuCtQUgEDui5Z8B1CedoQFZfj"
    "QhmTgMzB/dpod/8jiB8NJoQTiRoZ0CPck1H2o+z1yYp+lUwUtPGt9ODgGNT4VgI0QQFKOF"
    "jT1cgRaedPGTbypwxr/CnDsj8FzxmfopbPPhJ5AY/qYLEyZTeRY4cWkToJH1sjzJ3CpBXC"
    "EkqDsAThPyLoJu0I2jgFM+Q9zvfqwCnYpP9WdfetUu8thqCLxGkk8cdWx+QVyEyNkvahdw"
    "kL5qk/6ow7pdofS3l+JPwk4buKsBaoDKxFWE0EQRvG0XM7psS7fFRZqmaZWy5zgB5Ju9Lo"
    "eUrjYu7zKhsPZPXxeJy+KOOBfIqrbjyQzVbXeCCPEWLjgTQeyN5huo0HMl9VW2Jee5uQvf"
    "/5BrkiUbwGZ0jpT4n9WBOs/9y1i1bgVeGmTbGsd9Vaq5VrVnRg5RYF3ILEc81I0sBAtC4Q"
    "ntAfE2cpDBAQVQnZQOE0fS6vO9DBnNLGBzPiOjE/NL0PFCxpB+59oOh9Mi6nk2pbZmxDVz"
    "a6G8Nwtb1d2dRuwJSBGfNmRSUjR2TUDHU1Y30ibisUJ3FgRwZ3U6E4t9H6VHBKKCMygS9R"
    "UmqEPTaicVhetqAAELW5uQx2Cs7jKwGak8dUABPFBQIywS7iVbl591ZRz5vX6k4qKcji73"
    "bxiI4LUPU3no5DpF8wHXWjqcoqpOO1C6HrviZviENXEqNYHf6yIth/KSqNIl8e2O+U7+jN"
    "8V4pbZ/lnF6WgPADLIvHrdPgVyStBPWeOXb3qcZnXLBRwGOaK8IbK5yvGZoexzS2PTCbnJ"
    "fVx2UpjjFADhN4RJytEJ4UNFEprUZ7vTO1NAUqjvGxHLhUUfgrqA3QZaADnirzKNNFK9HN"
    "khhIy5A6UVyL16pwxlQCWyY08FbZUg+ZgqI5wIfPQNEcYJOAYhJQerGx962GM/WOBNKdX1"
    "sJPUtmCqErFEKPvKSVoyLgOTqDuALi0McWtG1pG7layPOEBnMFzPmZMYahraKI52hMyIKs"
    "iQKhOA0UawhqlsRgKlNdKPvGQ/wos4rWMYcc3R55Q+p5OVrWYPJRqvf2cWYmmHyUp7jqVf"
    "kopRCbJjHShbYS7SOl830sjmwnVMZKF0oDU1ncomo8ubb4JBWrtoUomeZoLQj1KCUf3HYY"
    "NUypORZ8dhqclrSWuYYRRSeyKLXcgEFtuFoy1PL52MaBa6vuNqLvDabAIyGwoesiZwDGyO"
    "aTAcz73kz4tCKy7AEteQAa/yfThHlugSxercOZtwhTS99CbsOtMmOtabQLlXoxbOJlH9a0"
    "id8UlWanm7VxVENK0OfInZZwdx+tM0ZT6LUQmbN0GgrMxysgl/UiSB/a1FnJkJkF7vUCM0"
    "BphX+r0miXozFWu8SIpKBY7lSSSxUDmRCXURpq5LeshtKsgyIJuHhV0a5wEBfnXQjhKwTT"
    "AIoUUOg58bUFpEz0emTiflXbxG6nV6zpmzHrsWFfMx3esnd0yU6IwaX6ZSiIPaSYtJal0U"
    "78Ns0TdYqcx5Sp29Ls9w1eopTK+I/VnEQ8WlhBZspQmIziUkRxcjxb6rjKSA3ARYA9FFpw"
    "zq1YEgZRk1yTp9MG1z3n13C7IvuxTqslkBCbdTB5Tr3Mc+LCdxnc6jjZdLxJVN0iQlYoKa"
    "1CF/KUpkxun+10JiypmqUdZ4CKCUt6iqteFZaUD6GxH+AUqVbKzVFpKKt0Xiv3AOWInxjC"
    "B6hG/AQQrqkStt9ixD3DummJMMVaxDFf7QDVC2Giul7Ppye8+YOod9WejxXVnrabvUE2r+"
    "ywvGB/nkh8zrn7gzq/c5CMZFg4Ks5nPjwO7VuQ4IECwssRY48Xo2P/IBPhNaZscs9h09gh"
    "CX4U5ecCsuDBgDGU3FmMPO5AZpeiSk/0Dp+1RWghfytrBqkkna3GspUl0s672VUdtmqHsu"
    "m0oLdw0zewt5VuDlz+9FYwxfeCJ8rOidz92nMiZq9WzF4V6t/n2LIoT++lsd0/iH9HjO96"
    "IbYhv8+ez7uHxxXrE0Z/z7Glp7kXsChmt+45K6dIEn6+tyf/5v3miZL8vv8XfsUO0CrYnb"
    "LhyPkhOXIcFOBVgdbb0cUN25k/j/4hQqbE+QXdraPd+8Ade3Qc7aECK1s0FbTT8RoeRN3X"
    "YI2/JmURq0BmoG4AtQtpaNEQ+Wpu8hyZcZC3dJAbJ5Nm7oYqJ9NWweqbJHKmKN8R9p8dy+"
    "MHPd53I41vKWFTGv8KiXAd39ogV4tBCpaXhIJLqxSE5IEbNZjAyUPyEpFzwMRXdymkSnGf"
    "Saa3P50/G569kttXtp7xyfQRSPQHDSP1xbIqy1p5Ku0UiO4FrePqon4A3t73s71R3FAsFy"
    "PUJk+3SGsixPq80g56lDZPqGaZawr9PO07yW4SXh4VhFcE+gG8EyNLxripzq5k9IZl9Zll"
    "GXtD9ceml73BtKg3jlPjOG1n1mFrFPlviRfFm6Jo2sncHtSad8RAa8xHNg2v4f7EOcTumH"
    "wTXRsXM2zPMt5LMCVxUQY++bPIB2L2H+M2jyLIJVNAKxMAI3eT7uxJxo/ZL1Y1qLH+YId7"
    "wqtaXVTZ4tY0nUjaPUK8Gzm7J8Vpbn22UHfcUidlZeu79ZyMj7OEwa8hH/uFR+zNIxqKaI"
    "gxElF3AE4Z5j8AyC56cfQejNkL9gZxX9vYAh0HbGBKo7SGIK8pw0eySUgUsgFlhrafR27B"
    "2YyZ9SBhg8bsqqtm2xceGy7F7y2zV3GjnrPyIY0rtvL5HV6Ha85ksBDNfZftNVkB1uqBEv"
    "71NdM+iQ8RraJ/L3C1rydk4a3ELPZfXQpw2YxvuGQaIf38eoftEd4rjd90Cd//GbKT4gvZ"
    "11QAv0BmlmCLJWAcE01JIFEYaxr0ZWhMd7722FMEA3tmheibRJq9Y1erPDU5Mi0YfJ30Ov"
    "r1rh76lfD68fPVh3R4cT0KLcziDgkWj4YqY19b9a9Iakr/qZT+I1Sy16vr/iXDTVNbaV00"
    "xItrIUu0WZbLhpurhkqm6TNH6WX50Fg3U+Hha4o+g91b9h3DZ/HS1SQKLX9GQqIOf5leh0"
    "CTfa/FIwwwR0Kpx3OOyAjw27R4ZmhFAbImxFUv0S0l1uEj2HnxI9Os1TRrPfZmrbyeDlIt"
    "er4mMoqPaYxrgvVMBconteoS/2WpAuXaA6cojpUItVAOdy2LZX2ZTZHO0hh5t4G8mygK7d"
    "SLDnHuUbTLzgOP8578LcOPL3KTHRkLaRqEXGKgDeonClbQAcB6V/3MMkzlCoprsBNw5C0T"
    "VbpTf1hNpA/mkh7VJQ5cRk2xXoSIY7peT3ZM/LfpZs2fO0226/YxYymkVaFjGcg3RJBZye"
    "s37/0dj89EuqJQpAFAICbkEbN0Dl0X/ILG16eAZwukz4iJIKOmM+z7vLom7wcZh7KBGXxE"
    "wCO8AKe0NfjeHvxkClNoHMHWykJtLNOKkjrvAtnaGbwi3p/ieXI9unp3efVBcZf30g88Xo"
    "bIovh/JfhXugVyNMYvIDGdLrATSrIsKhFdjTdoStCcMa1mphKDsyYweErwpDM4PHulcqSt"
    "KTQ073Ufm208J9XQH6cN3XhOnuKqN/GcHMSU37v13a+Vec/2z76hvRcDqFLGYlaXW8rSkl"
    "I7aWr522wtXSUvHpeuXGsoVTDQffFdAvNWofydQZ1RLhJjFAq7OjhAdghiurgYK9fyKJjD"
    "JYABbx8AeA5nwHPWRXXWH+PiHAuEfHY1QHPyyIbjcBDnvfNhRNIdYdcPk+aXrvgFdtDcJy"
    "Hv72w9oKUkyzQjgOmSYTpHDob62ebY40NRFoIjqrAcRTodD+BhE/CH1eAPFcxEdUX6tbUU"
    "7blOf5FvKXGfEql+Nunvh2+aGEaHb6oto/ye0eL11ueaaPFGnzP6XE90hsHB9DlVZYUiaY"
    "u3dD1qFBXe5ay5mpKU+5OrFelN3hft3hatd6lolgaBDe3Zqluni5wpCnjLtGg+APYMelOu"
    "Q4gmE4naEDv2YTIUuNhDp+CeKSK8V8U9mAZkwXUWRoQGv3lJTh6YQp8OYlKutCyBTeZzHP"
    "L+n/FT+BuMocs38QCICnYumrP/D3ipnAl2UVISbB1yxN4SfcOUH9/sJvd1RpQ9cQIfSYBD"
    "xIdTxpYqa+voGXGgbysMxEtiqizFikC7ymwvho3QHtbAPSyFGnC0uDDA5AVJNF81zEU6/U"
    "ToncAtdqfFeCFmkyqnbZWITfqWQvpWLC2wg+URSYKxa5EvkhrcFXD3IaULwkQq1UqbJUIN"
    "VYnh2VkDLsNGVXIZca+UhTuNkKxKy6Yk3BWZ2eEKO1z8X2Fjp+P1OzR30nSmpjZOxUbeqg"
    "pOrwEePn/ZxLLHh1VzDHGzUImIyLyUDcsPEWkdxV0GnH65Hd0oqji9jDZ1iQ2rgJfv7TWF"
    "fpu7e3zZkRbXelM/Ctd05ixUOAtj2CyKPVmjsHo3QZHW9K7qT5xX2TGQrFbkhTILTaOVXt"
    "Gale7zSie2YwkPrXF1Z4hMN/p2Xm7yiAIngJPQgq5LFsoGIym9Oc0UTrPEw6G28zNEZue3"
    "2/mxn8miiAEgFSTq8JcQm3Votw4zSK1pAD0p869jPXlCw3MUeE6AJth1rTnxZClz1ZphkU"
    "4//bBuP6fq4etK7fB1yebByyYH0GUYOko6eIlwT2Vxahy/HlpYudfakwe4e5U9/hXIscZL"
    "xaijMuWOPoFjr1ck/Qh8iNuE9snojTbXZ21utWJtGk1KiXWrCrbrzu6tjGMVU5hvrc/f2h"
    "wFU3YgsZ9GFA+zMqV+8twOKqdEvDWq0ypIvUhrvqw+f1lJd+sW65ynNKvc51U2KSfVrFTf"
    "lBNTOEK3VZd87KXCEb4LVYttZ0iMdKScZcTRK6OtnGR0nUxzXFg3zTHKbLEtauZCH/Nk0y"
    "0L5p77+Oc4Y/XIuFZlEYjs988U223xiRwcjrwwaILRkezHvDg0Q/YDibbF6SKZRtedVOmx"
    "UsFIhC984DPpChO741Fod1DJOwbrbj2frpCJPDX0zSfBtvuLybFwJCbSFSuev7klSO9xo5"
    "JHRwnPYcroHyVUhZIdW+J1uZ5NY2kq8c/gbT/By4yfR0ecRE5lSB7Qtp/hJzbRHZ9HW6Ti"
    "pukz7G+L1GoiXaHimYvbfnjXMM6s1hKfKLBncHuIkmk01fYCZPMI3qWI59kSqptkroskYk"
    "nHXcX2E91enLqNZ9EWJNGcZUuINCtFWsIn175nS5ya92k6yv2UqazaHqh1CVcdIVqg8YyQ"
    "Bwt5jk/w1papX+LpRslsGn2HSiW5KoKrqrFVKLUsJny/mk8jeBWKmCX77B1yMZccTiT1zI"
    "pDBnWlzdLPwIlH46bN0XgpM/TItFDRlozwv5Ktz0sl83pmlN+EIXARpCEbwUuDQXcBlzQu"
    "PiZqJbM3B/dzdrizX2th5x5AzwFj4izlxdN2/sTNxcm+nqSPTRxQ7L9syNd1iycNizMnu0"
    "TDUmbrnaCyHnkqDSvgdB8EKNBRgDgdryO43Re+ZvyrDO4d+lZV8ToZrwW4ddE2o19Fwtcq"
    "0CYF8btP578KfFfBNh8/X31Ih2dAv/j4+e2xNwL85fzyTpNGgBN54mll1ulEu1zTzvqrcS"
    "kJtSsUUSA10br9CeArx23CMERzX6bfVn41WRLz4RQ/nAQdyyXTMqZ/u/18VQtqSlb8aLAd"
    "gv8DLqY7wzcj1o8j7IbYo6f8eTuT5WtQ5TDVH8zFM7jwZfAJigezx+QdK4VZPUxZQq5hrL"
    "JOrG2KH9kx5LdY6zylWeZeL3Nim2qbV5SjNbJKn1faZBY9iWUuWFCbmoQKZFoYL/acXYIy"
    "/qktM0zUPV59w75ptklh3+UyTi7Oby/O340O1dOmuAjV7qDsOm12B+W8opu9Qefgy81HEM"
    "5gGLtoKIABiv0xIWGgzggVbWXIugGOaCKzugFdN71BAY474FAUMh1lSgH/QQBL+uns77FP"
    "pmmNvp6eKFBqWZMM1/CQ2VW18uzLKQBdINMvZXQn5fdjfqdif1pTbGV66hnU+7YxJQV0LZ"
    "eJtiXwG1TeTQlNm1nJijUrf0mhK5FfqxlMOl5DVr6TmlgBCpW7AhXIDNQNoPYD9IhJRC3V"
    "DV0i1O/M3CHarTyeZWpjSOyzhWkCsct+a7uifiVis9Z9XmsHUw5yK+9AntSs81Gsc4Agrd"
    "IxN0dgSabp8fnZyygsj4Si22kbJ3ue1Hxxff7ibBeyNWjljstRmlXu9Sobp2slIz3Own6m"
    "nONTXHXJx15ODKUoUPS6Z0h6LCf11eHO0Sujrexs/5JMc1xYN3WwZ7aYqnO9FCW2dW0dSf"
    "rkkfGvblJ5W0YicC/TSU0Ygrg/aBSDsHJYNQhA8JLcUBEMsIAULAIchsgD4yWA7Nfj6RQF"
    "A4A94ePPFNmLKWzI9qADcDgQ+aALiEMKQgLGyCZzBNZ7SxKEsNdHdxyIUOexkvJ8iaMq+a"
    "K3i0TQxEtVHX5g8h93mP94ALGm5xDvoInH+F/IVg3ZzFMZoBsAPYYuVO6umSFqFVnQM8Hx"
    "MIEFCYjWGE1I0G4BMrRmHdqugzFIVS7I8ZoiYgtUSVM+UNg0CR6E8FxWU+I79QqKGKNQKC"
    "cmAH5AbETpACxm2J6B2I5GAZf3A7KIa9RAMEMwCMeI6xIz7PIIZF7bBnItQF4Up9PZt9Av"
    "xP8VZIN0/L6CnY8ueKVamWCPt6Mg4NWSy4hXhyDmqXQKQewsuZsi5LVpU7cmM6dO706dQv"
    "WWoJ1wkac0Ps0+r7LtEvtB3WmdEJm17dva9kRuPEcBk61kcmNyp1ZuhOsxm8TG6oXt2AD8"
    "VKy/WwoI1aLYI9MEFDOeMiQaWsSGZ2dNssvOzqqTy/i9Qs0d31dBOBmuIbo7SSZjTwyRLC"
    "m8OpssQ7L/SkZHnk920MPsz/8HMWw6Kg=="
)
