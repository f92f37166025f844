"""A table for the runs of hourly jobs, which were kept among the external events, and `idempotency_keys.result_id`."""

from tortoise import BaseDBAsyncClient

RUN_IN_TRANSACTION = True

# `batch_id` stays for servers of the previous release, which keep writing during a rolling update, and `result_id` is
# null in what they write. The next release drops the one and makes the other NOT NULL.
_RESULT_ID = """
ALTER TABLE "idempotency_keys" ADD COLUMN "result_id" VARCHAR(30);
UPDATE "idempotency_keys" SET "result_id" = "batch_id";
"""

_JOBS = "('reconciliation', 'self-check')"
_COLUMNS = '"job", "hour", "state", "result", "problem", "started_at", "finished_at"'
_CONSTRAINTS = """
    CONSTRAINT "uid_job_runs_job_fb8162" UNIQUE ("job", "hour"),
    CONSTRAINT "ck_job_runs_state" CHECK ("state" IN ('RUNNING', 'COMPLETED', 'FAILED')
        AND ("state" = 'RUNNING') = ("finished_at" IS NULL))
"""
_MOVED = """
    CASE WHEN "outcome" = 'HANDLED' THEN 'COMPLETED' WHEN "outcome" = 'FAILED' THEN 'FAILED' ELSE 'RUNNING' END,
    CASE WHEN "outcome" = 'HANDLED' THEN "data" END,
    "problem", "received_at",
    CASE WHEN "outcome" IN ('HANDLED', 'FAILED') THEN COALESCE("handled_at", "received_at") END
"""

# One statement moves the rows, so that no row that a worker writes concurrently is deleted without being copied.
_POSTGRES = f"""
CREATE TABLE "job_runs" (
    "id" BIGSERIAL NOT NULL PRIMARY KEY,
    "job" VARCHAR(32) NOT NULL,
    "hour" TIMESTAMPTZ NOT NULL,
    "state" VARCHAR(16) NOT NULL,
    "result" JSONB,
    "problem" VARCHAR(500),
    "started_at" TIMESTAMPTZ NOT NULL,
    "finished_at" TIMESTAMPTZ,
    {_CONSTRAINTS}
);
WITH "moved" AS (DELETE FROM "external_events" WHERE "source" IN {_JOBS} RETURNING *)
INSERT INTO "job_runs" ({_COLUMNS}) SELECT "source", CAST("event_id" AS TIMESTAMPTZ), {_MOVED} FROM "moved";
{_RESULT_ID}
"""

# executescript first commits an open transaction; the BEGIN here makes the whole script atomic.
# An hour is `2026-11-21T12:00:00+00:00` in an event's id; a timestamp in a column has a space for the T.
_SQLITE = f"""
BEGIN IMMEDIATE;
CREATE TABLE "job_runs" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "job" VARCHAR(32) NOT NULL,
    "hour" TIMESTAMP NOT NULL,
    "state" VARCHAR(16) NOT NULL,
    "result" JSON,
    "problem" VARCHAR(500),
    "started_at" TIMESTAMP NOT NULL,
    "finished_at" TIMESTAMP,
    {_CONSTRAINTS}
);
INSERT INTO "job_runs" ({_COLUMNS})
    SELECT "source", REPLACE("event_id", 'T', ' '), {_MOVED} FROM "external_events" WHERE "source" IN {_JOBS};
DELETE FROM "external_events" WHERE "source" IN {_JOBS};
{_RESULT_ID}
COMMIT;
"""


async def upgrade(db: BaseDBAsyncClient) -> str:
    return _POSTGRES if db.capabilities.dialect == "postgres" else _SQLITE


async def downgrade(db: BaseDBAsyncClient) -> str:
    return ""  # forward only: restore a backup instead


MODELS_STATE = (
    "eJztXWtz2za6/isYf2l3RvFJlUtztjs74yRq6m0S58TObmeTDg2RkIRjimAJ0Iq2J//9AC"
    "Ap8QLShETRFIwvuZB4Qep5QeC94cGfJ0viIZ+enoX4V7Q++Sv48ySAS8T/UbozAicwDLfX"
    "xQUGp75sCkPs3KC1vAinlEXQZfz6DPoU8Useom6EQ4ZJIFpfBAjw1qfgaiH/ATCjyJ8BTE"
    "GAblEEKCMR8kaABL68CS5/OXs0fvYcwMADqwVkAIIQRZQEIEIumQeYIsobgun6VLyCR1z+"
    "DjiY9/K0OMB/xMhhZI7YAkX8mZ9/55dx4KGviGb/DW+cGUa+V4AYe6IDed1h61Bee7WA0c"
    "+ypfglU8clfrwMtq3DNVuQYNOc/1BxdY4CFEGGvBzsQez7qYayS8m78gssitHmJb3tBQ/N"
    "YOwL5Z38bRYHrtAZSEcCdF0SB4ye/s2Hy6kH//739BVzQo7z/uLKuZxcOc5JRfPihUrqSS"
    "+5JBCjBvPeJUBL+NXxUTBnC/7fJ4+/Jc/ZApW0Eg/859nHV7+cffz+yeO/iAcSPvSSMfk+"
    "vTOWt77JLiCDSSdSLVs9yL81NJG170YX2YWtMrYfTgZsBt3Bwf7hcRu0eatauOU9gfcW3w"
    "V/lg6+WXsD8X3aAt2ntdg+LSNLoa+FbNbeQGSft4H2eT22zyvg8tXCWUC60AE4L9PXVH3E"
    "ELsRElA4UDGKX/M7DC+RGuiiZAlqLxU9zf5xjKOb/0DvghslqcoboL86fze5vDp790E8bk"
    "npH77E7+xqIu6M5dV16er3z0tq2nQC/nV+9QsQ/wX/vng/kfASyuaRfOK23dW/T8Q7wZgR"
    "JyArB3q50ZldzVAraN2HlDkx3UnvZdkONJ++8lAUfySKzjBp1DRXVOTombk5EQNXqW6MWe"
    "FRzG6UtqyArwr3z9zHwfOAe3IS9HP+hjBwVUZsaux/Srs5MrC/ZaMpu7r9vCO42rhg+UHG"
    "fzv/xYglw/Ls8tXZ68mJRHgK3ZsVjDynALW4Q8akdGXTtnprOV6Wr8AAziU44leId86c7d"
    "jDbBKwSO2Kb++OGt1x0c5BvCFGGj45bzACqwgzhgKAA8C9WY4dDChM3EAmfGEPe9z3/Ynf"
    "wPM594q5TzzjYAJGgLuAwRwBEoEET95O7Y4f6kEPxhNHt8hIPzzRv1oTkyBeVuaugla20k"
    "NeN9IP9r8Q/z2n4br8gbRSxLiNIsb1ihiXzXAGI/7N6HwCW4mdwL7b5Lo/L6ercb6F10MM"
    "Yr8K7z8uL96r4d1KlO1b7DLwf8DHlA1nTHdh2gosClZtBuj3785+K2P96u3Fy7K5Kjp4ad"
    "1L616KhYDoeh15mQPNaCZ7HRK+/tyOgYHd1uvID7KC2/GRD/mP56+u7svveLVA7g2J2YnC"
    "69jca/Q53LSVhr9xiylmwp4X9n8I10tu1IIwIrfYQ9F3FDDs+2oHorXk3R7B57wrmJv0fz"
    "fEVUjRMdBZoH4810p9pO2H7BwMJi6ffUyaq2hJrJOFdED5j4MkR+NI4Rlcoa+sJjwaqdyC"
    "o7RRmkzOyW9Xzd7AxuJ8e/H+Tda87CJYb8B6A+hriHlvO2i9KGkTTTbRNOxv2Caahufy1S"
    "Wa7t3jI76P3PRXV32+7d1Ro9e3adfS7zsTbpoXuwz4mDtyZAYoW/uIghVmC1l9SVYBb4Nd"
    "JOsvRdKH/xUSH7uK4s79u3swOSOX+1E+mcfIeoLdeoID8k+69wMZZr6iNLY+cbERsHmLPf"
    "IW+dfUAL8kZlWwhwqmkCIOLVV4DedBjW9ekCmhn5Y0Hxnq/H35X4/GPzz98emLJ8+fvuBN"
    "5IturvzYoJjz91clVJMF2EkWYPWcfXeiv9LJkM33DvL9PzxvE3Uqe1+5oNPz8rT+Rwx9zN"
    "LqoLazS0HIzi17zC0U/0cP+o2AhX0P2Pl9rF5Sa2f0vIid0BUTOqaOqLu6VRiJLwnxEQxq"
    "3KG8XAnZKRc8FLSZcd7vcH55cfG2MJxfnpfj1Z/evZzwWVyObd4IJ2GCKuDIwwIRPbS3Qj"
    "1CvblytFjbhEH9PGJuwiAOvR21XpS0Wh+K1hUZBPn2leh2fSw2Z7zJCKNiAk7lfv71I/Jh"
    "jdGQBuMuRR9HqP+6qPe3g4aqI7F8feB9QWm8VKPVhQajxoC1bOqESdvWQWvuu01RJOLLSQ"
    "cUJLQAIrCsikrf2f7BhJ1DHwY24mwjzjVQK3cEiw9Gw0fLSVgXTWHFyllHsV7heb3bm4mY"
    "BOh/j8dPnvw4fvzk+YtnT3/88dmLxxtkq7eaIH55/kagXBjSCuchjiIU1EU5a4ZyTmbIQc"
    "1dJ+Y283L9tFwpUrTxHBvPOfZ4jo0x1I/t4/Q2bYzhIWq90xhDGEfuAtJ9wwwf0m5ajIJh"
    "lqbeR6DhastEcFIbbMg3GrUIOOToDTR2SGVFbWKbk4+8OYr2I17Yo78vwZfgmiI+OAIXXY"
    "OECRDAAKSsgN9R2XtSeUdiBuYwpKOM3YFEXhoOIcsl99VOwTV/HIqSzihc04RpUb4Y7+ZL"
    "MEU+CeZUvM731x4SNX5/5UPYOT09vf6LrOXDFCSjdQQoSTgjAsIW/OeKWxm9BFs1hFw+b4"
    "pYs1+W7PvKhWH+PNkOnnwxp/zSCoIjWTDOJwsqlZwOtnT0pKM8+z5PZGM+AuR/vhkS65li"
    "nytvbmC4J1NydTZucKLzUib5Gj370dmXtkulUCY7ZF96kAVCHE8WK6yPdrBvpfsD/uTVxb"
    "sPbydXk9eas84g8YdLsajqzTdbGTvb7DzbTKEPtWf6nJCFfmfoU0vSueXWqDKq1zj4q8JW"
    "FTurYmOc65ifBSHjMl3jVnu/xw17v8fVvd8pHvzFNPcuVgQtC1eNVX+PebCBxVQeUBpsaM"
    "gfMgu2RAwKz7UKcH09eV5mr5LygQHdd0W5Td7Uj/njDOO3St5YrgHLNTCAZMjoSLgG+EwI"
    "J19DEin55XJ3R02ZFBmdRbKhRgolEUhOf4rISqQGRPQfgSma8eEjOQKma4YogBHvQiQW+C"
    "hai9wCw75ouxZ3wJwEikrPgzyhDWkdWQUms9aZe9SUCI3uHM7eCPcYVv0wef/6/P0bE4Kq"
    "PhL7s+Vnp2uulUQtF9Rwqiyq9hlkDC1DrRrivEh/ccPHh5rUOi4KtG5OPdTmujmWOO8hTJ"
    "Z5S7KteZiXse6svjsr8bP+7F3+bH6YDcqhnXxlKAqgPxHn8JwofNpig1GTW4vSpk5yqE97"
    "z5b3hG9RtBZldRCs0HRByM0oPc4YED5wuIcpyu5EUR1FQUKNLvjwsDfKnFMYrDclcx4RZz"
    "NNRfFeXQFhD89UlulREkfJhyBREmOiXKjHfeKYuSRZTiLkIv6iRvnEBjO5b7Tbej/lRsLA"
    "5ad7x3fz0WhAnJcxEOSDpPPrSxXVGB9DeeKug/gQVPm6ac5OUpxDw7nvHGduWd0lZpkT7z"
    "Fq+XHyanL+TzNqQcOIcCiWOhNLTsS8+olnraaWZw1Ty7Pq1GJjhp0zfW5N8AqmzeGjkqiN"
    "Gg4loNQmariAgefvpPaipI0aDi1qqLGT9ZDBl5+x/LmVmIu8PmoKtcywr3MedsjNxDhKDg"
    "4QSXy2iJfTAGKfjgD0/TTScYPWVIRDuEcqAx1LeCP2wCnDJ3v3+GBoo5bIw9C8SAdXZI0a"
    "7jakM9khO4uDtJ9tycX9Yc8fx0QcSTcyUpYb8qDfdbbp/BR3UWXmCKrwKtKNu9fyYnbT1M"
    "47HVbY44qtQF+L+6a9SZh35j8uEJ4vdA7f2ApYPBV40gUcP3uulWTZSBg4+x7gqKTMmHfk"
    "h611voNK1gat9znqwYcuWhDfU9VZNMRNi2IGjvunrYKnTxuCp0+rwVNbH1iPvrmRPsthZ5"
    "rWFaG/9O1tvaCtF7xv4+Gw9YKFzYaeM1VsWNehXnyzIWg42kRFlXyxsO0cesii1DdFZQ4w"
    "RQqkCGd9ImTLHqKRDokEnR1lYEYiQLbJDHWmo66xoJGcyArSlGQSUwAFK2QII/QIBt4jil"
    "hC5rgkt4iC65TQ5/oUnIEViW6QTIrIPZZyu+VqgX0ErnMbtK65kyR2Wy74GixSLV8CkWu5"
    "niVkk8n2TBCgFX+/U/BBfTa03JHJRyzd8GV6cA0wAytIAeUOQst0TIE+cgqZu5C1q6PduS"
    "LFN5jrk0R4jkX5cLfd8j74x7Jvp4Yko3Kfi3kpqc2g1FBIXsbacy2oh2Q6c9cU1Ea4xxTU"
    "+buzN5P+E1AvWgD/ohb3FwawWBqU++P4zffJu877zrv+z6fJJ2NKRoXLrxj6P/sE1pKdbY"
    "VKqM+E1KFwf3x6qJrGBlhfX3x6+XYCPnycvDq/PE8j0Js4i7wpLm1P7vg4OXtbQRndYrSq"
    "gnzFbaA6jDciJhTmNsW1Jr9dNYf1N3C/vXj/JmtejvUXEd+JGvReKEF/OJSlcj8kfsT3kb"
    "SJHd2j7xSiBpqM3acT5TGj2mgXpSzQrYFmmPkKY6U+ZVsSs9nafbK1EVmGiixS0zqaSdhl"
    "VH8ZnfG3cPRBL4kZMbv0bsHACAsotMpDCkJ2ptljplFXR7Z0SdUlkoMa98OLwfwRQ+5C1d"
    "A/3w16TtziroM7pCE3ux0Zt9axIMtyJqyvBwU6TXUhz5FjQAdrhah5cB+ECUCkC7UpLQpC"
    "5gHdfdoCwcjHKEptPi2TRSHav+GSS+VNY+wzHNBT8byDJe/6d5wwiZSra9ORFhsRu2u9Gu"
    "iiOnsOsuZ2x4ECyxBidR1VO8svJ97nKXIfJ6/Pry77TwJ1bJWEkFLt5XEjYhfHuxdHCdeC"
    "xIrCzPrJNy9j0JlCHbKGiCIsJynC2nXmqHRiuOfYff44QRAppo+XhPgIBnX+zFashPmUyx"
    "0K9M2Vfi26lxcXbwsW3cvzcgDw07uXEw69RH6bSlYcfWjZh7qdR2b6xzXP+j+r+cBo9r3/"
    "WVbn6lgcWwnzDI7uE5X2+ApzuZVK2dBb7KHIcaG/G5OWuger9aPRuo4hUBU0ZgHrLhSRYq"
    "TlDudkzFueumef0c5+2JyHZs5j86Erg5TNlb1FyR3LeweG+cHLe1PU0jSdbjhNLW7eYD8I"
    "lTqKIiLGq7dzuUaxhwHD3kEEqPvZHFNnBm9FpkjlRjcFgUqSNg6kEQeifGTvUPRbkOpkpN"
    "+9TfKIHWmJ1y5+VUHQulNDdqcogpG7cBj6qlXiWhIbcuJgsCWuCe/GLt9XUdJ+YEP+wCzn"
    "V/36dZzsT5bz6yFqXfGxV7h+uIcV7ab1oqSd0YejZMWMTpbhrit3WdZqesiazpMGVRTdQO"
    "NXFBtwSGUwRWJbHiUNnAtCFuW7UU724uqBnJexGN+NcUy1aT9zIkY40j2zfsbUkn7eTfqZ"
    "G2Q1nJ+VmaIDUC+zfo5rkmgLan5yLKDKXwC8//T27YnSnugA2OwULzNxLVlQLQZsYgtYYO"
    "8AtmAyaXP/ijuHYmw999AyJAwF7por60TB2lpqMWpibsXbto44J0621qJvXWG2ADAAuZ7E"
    "iXN/lSSnC0gXgvBUEKbiIIzZSFKjilvYEzdWgpkVMyDYf5uZXzt+joJq9fNmhSRhjvaWP+"
    "Tk9983Q3ajodZEpE1FwkprRlFglY7RpvX1flNsPVYI13OPFvTW2gvNC5loV3aey79BNVtp"
    "1ACnzQ2E9odxm112vFV9Wda4stNOzl+OmNF0QC5KGYh192l7G0tRTBad+/mWD7oHkG3ytB"
    "7640yjtUqe2hCaDaEN0HmuC6G9Ort8dfZ6cl+e8z/I9GOsPOckvTNq8pT/l0ydKNY54ETs"
    "y/+OAi4kPFDuuooL/hrwnk7BFXdNE70KLxZwiKg82CQ9ksT1IV5yh1XtE3fWs9IL5r2Ie5"
    "JWwDq+R+H4pipruwqkzU1cATp3dtWMHM1GVQ0jhwnm1JGYT+1qehlU7UZof5pH3wdKfPz0"
    "/r0hh3nU5SHqGeC2EnsRvw3M/e6f4Y1wHJY6q0VOxLyAx7NWm82eNWw2e1bdbDag+sahrR"
    "8Gu+MzHGC62EntJVFb7Tg0s6ESE7gfF/YdxP4VuUFKL3Z7c9TkyC55M+7x8XYavqyPg5vk"
    "GE1xYKXoAnmn4JxJr1L4l+mhlwFJzuj0STD/iV/21zIne/nL2aPxs+fisMwbFNZ4tQd4xt"
    "0Han7ORytywdDftTzd4Z41CV2XxPwjNO+gyTCO+Je9s/2eEx+yHzxI4x2Jj1PnK9gIDBnq"
    "nUMOrYb6uGGsjysWpJyftZPARam+Jp0jTgGjryHmlsEOFltRsh9DvU/kj91gK+XJdtphSK"
    "1BfhT6tdnv+gnUXHfbZr9t9ttmv3VCBwFDgVSNOniwuT26I3xQaHhn+EDko0X+OSKrkay/"
    "BtO1rMxe4nlSeFsNB7SUudu91/Li905Wd2NPH/io3z1JMOsdcrHUOCIcU0X2Dpb3nJyl99"
    "Kg98ooAalDZjOdXFpF0J6l1HmmzYPYXzs0RIHnuDBULJz1BJsKWUux2YJi09LJ1M/+x+kJ"
    "KBxA+fZDScig5ZRPowscKo2q7d1mm2rTTiMlQ+Pp5hpgBECwJAFb+GsQ+jAYAUilxRTC9R"
    "IFDGRTPvAhZby979WWF3bWs2b6RZTUxNSY1MsU+z5H1bzMS3586LJkVEWNC1MfhKw7/TaU"
    "ULcrVotVXP6DinsMMtdla3l2MeYGbkJUo4kRh361SyKoIGjzBEPWMfemdkr1bcWsfoes35"
    "Dbn47HDc4dTjgqilo9D1nPwsXYQcc5MbsYD1rBNqFbb+4eZxjHckE/RK3XBe8Ki7YPdYMI"
    "OZEhu7P3HL+xlRK2UuI4KyXUzIXiq+8A0w9pN4ZimpsbB0Vb+AHS5BMrpUjk9VFTcoS7Zh"
    "S1zIucAbHAP5oSriEQxpG7gBQl1IEpRQL0fbISI4SKrSVUXk6YFGYRWYLrbdDu+ieQPBrM"
    "iBCSBSkwICKTUc2b9PpkzbxKrlbZ5lYGsHCMGnIrEZqhSH3YfBMpWU7IuHzKQc6DxEs+T1"
    "En5B+JmuGhvhisKtnfAcmHBL3jM5JFTpjshLBC0iKsQDgdiWKfgv74zaTs4d41A1cT1pKU"
    "hbVyFqlNpD6E2O1xbamzat5RzRG6JTc7fc1FSZtpG7KWbSKmfnk8zpC8TcQ8RK3bREw77d"
    "pEzDFCbBMxNhEzOEz3ScQU2WcVVd8vU7Gff/2I/LrDa3IZll/SMJohWH87dKZK4lWTrcqw"
    "bM5YORvN3Z21+lfGeSaCR5LRW+Z/AA5k5ic910p2OAKSzos3k0mjx9VE1L6dKSnBF8T3kh"
    "nQsoJrxM7umRVcM+xuY+0nd8XatcPsNhRcH2HXDq5bMFVgJnOzpltRELKOhb5jsV0R9zWD"
    "0wKYI4O7rRlcGGhD4sOR7ofKxEvdkgbzjrdoXY+U3zkNSJRaY6fgLLki6W59NGPJjuqIzL"
    "CPAB8zayo5bvmIEWVECwIW8BYpd2wf6Bkdc+sMt5RIYGReHRH147mOFrL2xlUPdU8ayjDz"
    "FeVZ9Ww7G4H+WXbuJ891ED6dG/471SP67v3vmeyQLZ1B7n4PI6wqRWzy4TciO5nqA0vm9u"
    "nI59KucSTKObVOWc7LmHdMy5M262X9cqk4L9XDLCkxlNaThi+qlDVorHfmmHpxQtXo1ASx"
    "axGuClp4a6s/77GC2XCA77+A2XCAuaVAIsx0+ULzYpYuVIMuNA58vMRMVdbcCHhBziKugT"
    "gMsQNdF1FVDrcJ8qKgxVwDc2E3TiFzdWy6gozNf6nmakJxVmfQEtS8iMVUZcFR/o0zfKty"
    "sJsmh4Jcj3NDFsQ72qnBljPXj+3jLGy15cwPUet15cyVfG2bErsS+fLuhXZFtucjGwm1pX"
    "Ylgj2qKoLRLUc0Fp+U92FfiNJuji9C0Aql9IPbD6OWFdnHgs9BKx2y4aSqdsgNtYaKh/y4"
    "bsdOTyLBCA+Zkil+lBCjrERhAmZgSuL5gsmzfVdZ9SqDNygAAoCkZFXNVH+Qp+xxaPAIfM"
    "5xbRt4nHCKsYHHCcuhpFlFl5cxrnDC0tiblMjH1Amhshz/jkhDJmVjkHqBBpEj1giW5SRs"
    "iXMZzgjdcoORr6T6uKpELcBlgAPEHLgUm4EUE0RDrU9Rzhhcey73iRA3szxhKO6gAoWw1Y"
    "Mtuxpk2ZUwvqvg1hfOZu1t3ewedbPSSdkp/F2UtEw9w4l2V5McNrVVP6UdZ5LDprYeotbr"
    "UlvFNIx7A+dIl6ynIGWgrdI5Xc89MCI9MITvgRDpASA8GD6kgWF9IDqkZF7tANVXMkT1Yd"
    "ufmfAWF6LBEU4dK6oDPfjjElGa/ORK8jm7NWrKPdOkkc7B6HxUPMLBKbhaIMCIyPBiRpE/"
    "A5iCQMSDAWV88HgjQLh9KPmQLn85ezR+9rzmPPQ9O3wwW+mhKwmlDMwOS607C0gVVeX1+i"
    "hKGZch7n5r/XGRh/eJ/PG6rzZWZX7UolWsypLfGu3sDQ3sfb29e+anumRrCWvVapY3mm1m"
    "0aQ1RZXo3xNVk8uQAYaW3JNgSMUzVd9QSRrKv2MfuVkZryQYKhOHfj4hq2ADP//TlDpJlx"
    "uSPpnHyDxT+H6ZpQY1g1tuqf6t3YPkyPOvqQF+ScyqYA8V8BkTzUmkKL6pxz8vsxf4w4z5"
    "9YY9RTByFw5DXxUe2RW/WjOzF8WMmOCbHK7Jb1fN0G/8rbcX799kzcv6KLEVJJuhHBE4rG"
    "LfWJxdFrUV2joV2oQqxnp9eXba3NL4KMtXk9OHHUkspbYN797coehmyDPKIHd5JL6Zzhy+"
    "lRgy2IOdvhP4HLHRkMTMCReEEX34q/ImlDb0rYtbGGGBhGJ7SL0JWRCyBvweRqRlCLIMQU"
    "fPECQKcLT58bZC1gS3bEw2DWhL1h+U1tuUrG9zQZop4IqgEW7Koeuq81m1tkjnZUxwP3pO"
    "theznftWAhc6O7LB3TbxXvm0W5QCy0HaAcBmF7DnP+U9Dp9Nwcmqb0sWsQZZ15tNR+Zgfl"
    "DKrk+hT2Cx/qF4Z9RU/hHLNhoV0zAISMy/Fw8koqfgnFEwXTNEwRKuQUAYmCJBshUhsEZs"
    "JE4ZSwqfXbJEP0n6LbpCKORXIrQkt1wQ82bJGbSR6EBdWt3bk5UVKpvZBHtoGRImNvI7N2"
    "itqFMxkMtryf1WaF59Cn88VyRLENWyNItyJhqa4zbgj+vBH5cNTfGlOhT/R/OMqIKYSZG/"
    "nhlLyvOW1uxTETXP6v9h/KJNim38oj7HJu7ZuJXZEYw2cat7cakHp99+feqevb2hod2Lu3"
    "dQN4ZKS7vqxKT6aHBhaMoQ3dKBSTYe1vgY6c0vwZfgOqUBvBZbNyFwocv9BzKTboSPvDmK"
    "vqOAxssREK6El+znzJyGhE8Ypg2BjwN0Cq4FvyB/lWswj8hK+C5cCI2+BGlOH8xhSFMqYu"
    "G3rIXjssSMj0LgLmAwl8+fQl8M4RHgFqio6BUku6PsrOZRcqjz1h3n74i+YioWb34zYUXl"
    "T5zBW3EwlqBFBpRPSrW1+Xb36fCmwSaXBi0h9nVUsREwbs/pk3ErtMcNcI8r4XIJl8M/Ts"
    "w71c7+VoRtFlgjC5wsXoKzHSki543Il0Ut7hq4i7M8VoSv8Lqb2iuCBlq242fPWswyvFXt"
    "LCPvlUh24VIrIJW1N9AtPwS1fERUO6da1h4T5SaqAw7lk0+Xk4+a9skgS4594sI64NXjei"
    "th4Mg+BHF/stFDc3EsyNmVUecAUQmbQ3E6U+hE+MqyljR3OEVJ1Zheqi3uNKrcq1aa3sha"
    "TQ9Z07UHRzRlqUw8MqLnBBV3zSIvgjPmQN8nK23nWilvVzON1SwNT+qN/JyQHfm7jfwkSO"
    "xQxAFQGhJN+CuErR52PlwFRRH0ObqelptSEezEW9krsB2glVN4rZ4i3N17NcmvQJ4zXWvm"
    "VKuSB/Ii7zHG3Xk9+GbQiNPcdihcUMlbg3fIBu9GY9iTKUWt2iClcE/TX29fWffkTTSmIU"
    "rO4tL+wsqy9usa8teVlFjsoueipNXykLVsC/3qp1JzC/3sBlXTtK742KtnKtmzfvqt7bSH"
    "ehz4UI8t1DDEosR/z018ZyH+NdkncGSzVu0Ovvz3D11ldkAHn9jDbBKwqA1GRzIei+bQAr"
    "k3JN4Xp1dpN6aOJH4noNDtYNtsch7U1bY/UyGTha/oa0iifQcXN9DgRHZkKlaiIHxPkH7G"
    "/jFan63guZ8960cJVWkH4J54nW97M9hMkLXe8linPeF6xzu6Ev0Yi1TCTrzA4b5IbToyFS"
    "pRUb3vnP6B92EsPnHkLuD+EKXdGGqe5w9K3B2k3JmMJg6l7ck4e0CUHcBj4CDKUcfsDtCW"
    "o8aUIXTITbL/ItGNeptsemfUtFF2JdtobJUNI+LybxywBWRgCW8QzW0spT8BzACFawooAX"
    "DOMQAw8NJ/rRbccRANfHyLqHqzbbfd77F3tdfdNpWBbGCeu5Fxx40jwd2vqDJoOFKhIGUS"
    "C0xn/M8UoWCXYoKtmIFZqOPNOiXJxkpS5H7IGc5QhN2Fat1J7zSuO3Db5q5lp16xHVMT1E"
    "41yiSdYoZJJ+nhTuydTC/1E3ltrXj9sllfKW73AdfsAxYflQbCaXMD0T3INuCUxq+KcMMx"
    "clsRewKI5gkg97qYfft/46vNXg=="
)
