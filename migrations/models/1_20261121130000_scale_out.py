"""Several processes: direct uploads, the worker registry, and the priority of generations (both databases)."""

from tortoise import BaseDBAsyncClient

RUN_IN_TRANSACTION = True

# The default is for servers of the previous release, which continue to insert rows during a rolling update.
_SHARED = """
ALTER TABLE "generations" ADD COLUMN "priority" INT NOT NULL DEFAULT 0
    CONSTRAINT "ck_generations_priority" CHECK ("priority" >= 0);
-- The queue: pending generations in the order of claiming; and recently completed ones, for estimates.
DROP INDEX "ix_generations_waiting";
CREATE INDEX "ix_generations_waiting" ON "generations" ("priority" DESC, "id") WHERE "status" = 'PENDING';
CREATE INDEX "ix_generations_recent" ON "generations" ("media", "quality", "completed_at") WHERE "status" = 'COMPLETED';
"""

_POSTGRES = """
CREATE TABLE "uploads" (
    "id" VARCHAR(30) NOT NULL PRIMARY KEY,
    "content_type" VARCHAR(32) NOT NULL,
    "byte_size" BIGINT NOT NULL,
    "idempotency_key" VARCHAR(128),
    "created_at" TIMESTAMPTZ NOT NULL,
    "owner_id" VARCHAR(30) NOT NULL REFERENCES "users" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_uploads_owner_i_cb9154" UNIQUE ("owner_id", "idempotency_key"),
    CONSTRAINT "ck_uploads_size" CHECK ("byte_size" > 0)
);
CREATE INDEX "idx_uploads_created_5067ce" ON "uploads" ("created_at");
CREATE TABLE "workers" (
    "name" VARCHAR(64) NOT NULL PRIMARY KEY,
    "concurrency" INT NOT NULL,
    "seen_at" TIMESTAMPTZ NOT NULL,
    CONSTRAINT "ck_workers_concurrency" CHECK ("concurrency" > 0)
);
"""

# executescript first commits an open transaction; the BEGIN here makes the whole script atomic.
_SQLITE = """
PRAGMA foreign_keys=OFF;
BEGIN IMMEDIATE;
CREATE TABLE "uploads" (
    "id" VARCHAR(30) NOT NULL PRIMARY KEY,
    "content_type" VARCHAR(32) NOT NULL,
    "byte_size" BIGINT NOT NULL,
    "idempotency_key" VARCHAR(128),
    "created_at" TIMESTAMP NOT NULL,
    "owner_id" VARCHAR(30) NOT NULL REFERENCES "users" ("id") ON DELETE RESTRICT,
    CONSTRAINT "uid_uploads_owner_i_cb9154" UNIQUE ("owner_id", "idempotency_key"),
    CONSTRAINT "ck_uploads_size" CHECK ("byte_size" > 0)
);
CREATE INDEX "idx_uploads_created_5067ce" ON "uploads" ("created_at");
CREATE TABLE "workers" (
    "name" VARCHAR(64) NOT NULL PRIMARY KEY,
    "concurrency" INT NOT NULL,
    "seen_at" TIMESTAMP NOT NULL,
    CONSTRAINT "ck_workers_concurrency" CHECK ("concurrency" > 0)
);
"""


async def upgrade(db: BaseDBAsyncClient) -> str:
    return (_POSTGRES if db.capabilities.dialect == "postgres" else _SQLITE) + _SHARED


async def downgrade(db: BaseDBAsyncClient) -> str:
    return ""  # forward only: restore a backup instead


MODELS_STATE = (
    "eJztXW1z2zYS/isYfWk6o/hixXFybacztqOkvjp2zpavnTYdGiIhCWOSUAjIiq6X/34ASI"
    "pvIE1IlCwx+JLIJBaknl0t9g2LvzsecZBLD86I6yKbYeJ3fgB/d3zoIf5BcbcLOnA6Te6J"
    "CwwOXTncXo6T1+GQsgDajN8aQZcifslB1A7wNHpQ5wRMA+LMbAZc7CNARoCyhYsomGM2AZ"
    "hRQOY+H4NtBKDvgACNZvy/KXGxvTgQz3CIzR+C/XEz0818/HmGLEbGiE1QwCf98y9+GfsO"
    "+oJo/Of03hph5DoZrLAjJpDXLbaYymtnExi8kyPFqw4tDtDM85PR0wWbEH85nH8TcXWMfB"
    "RAhpwUcP7MdSOY40vhu/ILLJih5Us6yQUHjeDMFfB3fuJfVDIGRCyVwBz85EJv6MCff47e"
    "L0VhWZdXA+umP7CsToFx4m1y4EeXbM57znTsMyrR8eAXy0X+mE34ny9ffA2fk6AUjhIP/M"
    "/J9dkvJ9fPXr74XjyQcMkJpeoyutOTt77KKSCD4SSSJwkTqDsb67AhHr8tRsTAbRzq46Ma"
    "UB8flUItbgmoE2gZZnxQAdt/3VxdqrFdEuTAdTD/gf6P/0QpWwXk+EKCcqJctgBzBawCCj"
    "GzR+lnNw3nsw8nv+eRPru4OpXgEMrGgZxFTnCagz39mhrg58gMC9ZgwRBSxKENscoy4Nxn"
    "avwzNDn0+ffYQ9T5+/L/nvcOj14fvXl5fPSGD5EvurzyuoIx55eDHKrh4muFi69aZ/f9mS"
    "fhPedvAn0bFWAuTNKMIt8M1JHJ9A/Ev9bBdJE3X+qo9cPjGmr98LhUrYtbWTZ8nkEXM4yo"
    "jnbJEBndsoZuofi/etAvCQzsa8DO72P1klqq0dMkRqErFDqmFnf28IPCSDwlxEXQL3GF0n"
    "Q5ZIeccFPQxsb5dsX59OrqIiPOp+eDnBDffjjtcy0uZZsPwgypAbcDJCCxoMIwecvvMOwh"
    "NeRZyrwmiUgP4g/7KNv8CzpXvruI+FzBkMH5h/7N4OTDxwxX3p4M+uJOT15d5K4+y6+wy0"
    "nAb+eDX4D4E/xxddnP66LluMEfHfFOcMaI5ZO5BZ2UvxhfjVHLcH02dVbkepbScH1XuB5j"
    "lGK7fHsRahrdp+Ic4sIQ2vdzGDhW5k7KoJARL4UKjuje/XqNXFiykEXBoRsxxx7y/2ss8f"
    "HVNJKkR8qgLN7yel7+CvThWH4l8WzxpDg4GiAHs0EAfQrLI6iFQd3KQKocbrFkfM2A6pWP"
    "lrFPNuGfkTNGwY8cBTzmH6gMeVIEGAH2BPpjPjAA/PGIIYBZMaK65nyf/E/+HUVcOLjzdg"
    "dsMuOcAtAH0Jafv6Ny9jBAS2YMjOGUdgH25cNI4KBAPNkmnocZPQB3/HEoCCejcMHpJpCF"
    "L8an+eQPkUv8MRWv8+zOQSIU/AOXYevg4ODuexnyxRSE0toFlHBKTu4TNuFfV9yaB5gxxJ"
    "8+xzYqCwj/2eHfWLqV8Tfr/JULEv/dSYRHjrbCeK/8nWUI+R/oy5TrCSqZHAlbJD2RlMe/"
    "zo4czCVA/vG1JZHoUNZbGIqOeVxUxXhc6mWkqdrkZfyz13v58nXvxcvjN6+OXr9+9ebF0t"
    "0o3qryO07P3wtLOMOWomkc/9BWiSnFtCaUpBlK4niymcL0qAd7Qr094DtnVx8+XvQH/bea"
    "Wmcn8YeeWFP19E1CY7TNytpmCF2orelTRAb6laGPDEnrgRujynhepfAXiQ0rVmbF0jbXsT"
    "4zRK3Lwvde1DEz+ahSLS/vZXGO8OAvZulZ+gXClfCO0KyQ9afDuymrPuW/IwaFia+ToknT"
    "rJWleRzqVidpTHy7XOz3M9JZK76dhEvqKrYUyS47bU+q1ArB5CziRbjfkQDhsf8rWhT8Nn"
    "XU+DaaZs/ALgsa88sBnC/Da2kh4989jHGK69dc4K/PzwZhQE4dnt9k/PkdlrAWQs7yercq"
    "yjzCUaagXlx5yteuWRBWzopaWjaZeUMfYo7pkLAJmPkiXHuPFlTEbMkskNW2Hrzn6Ksjy2"
    "vP+M2U6wpWtS9EyvlYwoXHw0Ux7S4r/J2MEok428qx0SXxFmN0H/uXb88v37chQscfx5DP"
    "rPLwdIk9m6PbZaFfVdv06mibXrm26eXBHi4YskS5nGZcLk1mwkErh4Pm2OGMLUBfivtyfJ"
    "swb6y4bsJt8YlOAXpCYPBU4EknsPfqWEcHJxQt1L7NbxeautBGE+I6Kt+yHOUcWQuhPqoV"
    "Ez6qiAkfFWPCJlRWjn6LQ2WmFLRlXC8rBU1zncx97QhpmqaFOnXjIVKJn4mRPhYjTYuZdp"
    "A0E5B2rKFiU6BOEfP7ZbZzbzNtxULmTGoSOsigtO1y7xRgiqB7Fs7y0HuSitcIwAeiNpQy"
    "MCIBIEn4XB1bLxssSrL7DyhYxAXbmAIoKqynMEDPoe88p4iFhdEeeUAU3EXVMXcH4ATMSX"
    "CPZBieyrLrgMzBfIJdBO5cJLY8z3yG3TvgYk4JJ3wNFsH9T76I7t+NwsJtHJL6aM7f7wB8"
    "VLfjAPx1+DhCl7XnDlwAzMAcUkC5g1AzAVBWis3/Xaf4WvwQ1RMndYzNPmIImT2xmp2TBH"
    "iMfeg2PC2fg//Q1520Jamb5KfevgTOUiY1+JGmMaZorRIkByvqj+olbJbEW0zYnH84ed/f"
    "frrmTQ3g35Ti/qYF1ewtypRx/MbrZCnH285S/vu2f9uObQTTgIhohUL037kElnVHSBHlUB"
    "8Jqk3h/uLgxWa9CxWsb69uTy/64ON1/+z85jyqfFyGiORNaQku9+5f908uCiijB4zmRZAH"
    "3AQqw3hJsqHK3V0pJx30fx9konGFctIl3BdXl+/j4fka0yziK20ReJKtAYebslSeJBGcdI"
    "W0dNvzKUhbaDI2n3yTTQC00c5SGaBrA63dGjFHZlo5rdPKKSDeVJEAq1pHYwqzjOovoyP+"
    "FpY+6DmyVmiXrVswMMACCq2GcRkio2nW7NW3skuqLijcKbnfvRhM2Gdy5e6gKXKDuw7ukE"
    "652W3JsLWOBZmna8P6ulGgoywdciwpAzpYK0jbB/dhrWK5w4piucNisdw0wCRQqpXy5p8p"
    "ku3FATYV2mq6mFazN7Zpi12B5RRide1LvSUvRb7NNjrX/bfng5u9z/mYnuSr6OjGMxAhgk"
    "iRVq5sJJwm22If4eWVvW0kDBlD3C9XuJXlrXNSJGZBzAM60m/8N9p+178No7nt/WayNE3H"
    "gk4o2mc4Nx/qTtX3FUGu3m2QI21gu8GOYb+/uwuKm0qmAXnADgosG7ruSptL1DMYru8N13"
    "UMgSJhaxaw5ny6CCOdxSlN077lqfnd/trxMxM1042axT90ZbSnujYsS7ligdiOYb7xArEI"
    "tSjQq1lmXULePmHfSI9NFAREyKuzcsIvO8MOw95ABKh5bW72s5dDv587m81+9m+R6wrfo7"
    "CPlSvQYDWuZymNg7k7TC7+tsUOU7EbfCWdnqM1nN5lTqc3lWoYrDmyHbaYVvV5G98ZmOyz"
    "1cA5Q2RQfhzlsFhbD+Q0jcH4cYxN02/T9PsJ1tsGmn4XNEUDoNY9f3PHlERdUNPKMYMqfw"
    "FweXtx0VHaEw0AG/dEbyeuOQuqhsCGtoAB9hFgMybTTjX/P3eQNyUM+faCM6uj6EiUG9Gt"
    "6kqEk7GW6LovRz/ammgwQcBDHgkWsku/j0THfuTEHYh+CA9pFW17IL1HTlf2+plPsD0R7Y"
    "Oo6OkjWlkV2xg1OXHlOa5kmmraxJ9ROM9VqxVNVZWP0l5RZEgjKaxaQZ/2mKstlviUt5/J"
    "8K22n5kmaqPl2Hgw/h6V1MKqAY6GtxDaw16demM+qjyv2ivUHGN/OmPWBFJFs/SKrlYZqh"
    "Zi3XwBm2lWtQVH3iTuyqHfzxSOObPtyX5YJnyzofDN2cnN2cnb/lN5bTdhO8yOwl2Lb3Wr"
    "/DQat9Ps1m0dS7lUPMf+ARA+FSP3yBcHriF3JLqx+ugBBYAyLjzciSJcQ8nT2G5+OXnee3"
    "Wsbi+77oTfzMltQgTb1/hTclzbaM1Ste605+ZNVvRlivkqvYI1laXcjjW1TeT3xHiqVxph"
    "bGZjMxub2djMxmausJllTlRlMcfJ0gp7WQypaS2fADG/A8JWZUDscnY5k4tWcNVAZbYhaW"
    "Yphsg2i2vlGXbX5pV4t8/o1e6naTpp1jd1tXtomu6ZTfS0S7+mBvg5MsOCNVhgc2jGJFDk"
    "2MrxT9OsBf5uVmRsDXuKYGBPLIa+aDUzzZG1QsFXuVabaGbqIW+IAmqJ8GAR+8pGP3lS0+"
    "xHo9nPNpu17Zh2aXpff4BGKBB9eyzsrXFciWKaXdYoO9kybOtdwL919R3CZ80xx27GrOmE"
    "MEWr2MfgL9K3YbfEtnlh+oI/7QkEhGK1A1XeNSdFYtqgKpZWTC1oM/yg6qJXZRpm6LZoF8"
    "ZRsf01C00S6ltMQpmOCy3juiLjXOi4kDpWSy+xUCBshem85TRkNg+0ZjLyLDPZngFfNyVZ"
    "EDvtPVgJ+rmT13OmRUT87tdr5JZtElEe9b6XDkoB+K+bzODeTl0Cs2nN7J1uVQ53JsdolD"
    "xC3ycz/ttxQEh6AM4ZBcMFQxR4cAF8wsBQHDGPAgQWiHUBCaLKRZt46Ed55jydIzTlVwLk"
    "kQcktpR1wYzyOcVYwtS1kVt7sjLNTOZ+WJ+Q281XSDb/mbbc/mpJ6jlCvHW5Z/54zkkWQq"
    "q1Ymfp2rhgN77hTfxULfVpX1WbOzNkbfLqt9zJPa+4tNRPgbQNAcUtbEM0/n85+vvpCdbx"
    "/6WxoNuoK0XTxuVk0/7f0kAzdaiV3UxSYrZTPTck7iovJuJHhQ/DR+h4MLbN/YgyJyO6+c"
    "n/5N9xFexgRu/E5isIbGhzB4KMpB/hImeMgu8ooDOvC4Qv4YQ7smKvAYgUHKcKBwIX++gA"
    "3EXn3t+BsWylMVzI/hti6CfpqSyEq+JhxsUO2BPoj+UDh9AVMtsF3OQU5Xke/78rKmRH2E"
    "XSzYEgccD5S6EvmIrVGol7XODZjHZBlBMEYzilZrPYfui7Kt8FeVB1Zkw5G5YErdsi9rJX"
    "C+1eBdy9Ymd+SOmccLWmux+vQNjC5bz36lUNxPmo8vbw4l4Wcfm/BtDx+Bb6Ips4aiIgql"
    "LwmsVURFkVvkFR7tze9K81dfVO1lC5xIZlwKvlOqFooWQ3ji+mVli5qggrPVLTkNCZWle9"
    "ogZhF+uF8VJErTnKassRPO5lBE4AR8yCrkvmSPckVyW9kXwNyY/8Nz3JTxEZyV9N8kMv2q"
    "KiRaX2GbAKYsOH1fhgwtnlDGlvONuUs7WN62XlbIX4ep3aHw6HT6HdQPHPmbQRB8l8eygR"
    "pUVAmZPMsXJbgQ5WNXuD7yU8T1NNtpdQqZqLr45Xsa15GzFLN/pbHatUT8E2gpSqDFwdo6"
    "QEsS0QbTIF+hsJ7tVJ0OhOtyoNOpdjNBKh04DYXIYBE/3+PXiPaCqLSH8Ujf4pXFBACYBj"
    "joE8CCD8NJ/w1UcMcPEDoupUarPTr5Gs3GpaYZfTZE21l6msp7Rngdh1ragvq9gMn6FqU4"
    "1fYzv3KEL+Kmd5JmQt9L7219sKnWwNd2uT684JCrA9Ua070Z3KdQcmYx5bdsoZ23Atyrdy"
    "Usya6qVckZcGusuXzfIwtyl4KCl4ED8qDYSj4S1EdyP1DtEmjSLCFQ3AEhLTu0Gzd8OTLm"
    "Zf/w9vxveu"
)
