"""Albums and tags, which are named lists of an account's generations, and selections that are downloaded as a zip."""

from tortoise import BaseDBAsyncClient

RUN_IN_TRANSACTION = True

_TABLES = """
CREATE TABLE "albums" (
    "id" VARCHAR(30) NOT NULL PRIMARY KEY,
    "name" VARCHAR(60) NOT NULL,
    "name_key" VARCHAR(180) NOT NULL,
    "position" INT NOT NULL CONSTRAINT "ck_albums_position" CHECK ("position" >= 0),
    "size" INT NOT NULL CONSTRAINT "ck_albums_size" CHECK ("size" >= 0),
    "created_at" {time} NOT NULL,
    "updated_at" {time} NOT NULL,
    "user_id" VARCHAR(30) NOT NULL REFERENCES "users" ("id") ON DELETE CASCADE,
    CONSTRAINT "uid_albums_user_id_4eb616" UNIQUE ("user_id", "name_key")
);
CREATE TABLE "album_entries" (
    "id" {number},
    "is_favorite" {boolean} NOT NULL,
    "album_id" VARCHAR(30) NOT NULL REFERENCES "albums" ("id") ON DELETE CASCADE,
    "generation_id" VARCHAR(30) NOT NULL REFERENCES "generations" ("id") ON DELETE CASCADE,
    CONSTRAINT "uid_album_entri_album_i_010591" UNIQUE ("album_id", "generation_id")
);
CREATE INDEX "idx_album_entri_album_i_13f927" ON "album_entries" ("album_id", "is_favorite", "generation_id");
CREATE INDEX "idx_album_entri_generat_99e65d" ON "album_entries" ("generation_id");
CREATE TABLE "tags" (
    "id" VARCHAR(30) NOT NULL PRIMARY KEY,
    "name" VARCHAR(40) NOT NULL,
    "name_key" VARCHAR(120) NOT NULL,
    "size" INT NOT NULL CONSTRAINT "ck_tags_size" CHECK ("size" >= 0),
    "created_at" {time} NOT NULL,
    "user_id" VARCHAR(30) NOT NULL REFERENCES "users" ("id") ON DELETE CASCADE,
    CONSTRAINT "uid_tags_user_id_f86966" UNIQUE ("user_id", "name_key")
);
CREATE TABLE "tag_entries" (
    "id" {number},
    "is_favorite" {boolean} NOT NULL,
    "generation_id" VARCHAR(30) NOT NULL REFERENCES "generations" ("id") ON DELETE CASCADE,
    "tag_id" VARCHAR(30) NOT NULL REFERENCES "tags" ("id") ON DELETE CASCADE,
    CONSTRAINT "uid_tag_entries_tag_id_043ea9" UNIQUE ("tag_id", "generation_id")
);
CREATE INDEX "idx_tag_entries_tag_id_2109b0" ON "tag_entries" ("tag_id", "is_favorite", "generation_id");
CREATE INDEX "idx_tag_entries_generat_fae8dd" ON "tag_entries" ("generation_id");
CREATE TABLE "archives" (
    "id" VARCHAR(30) NOT NULL PRIMARY KEY,
    "token_hash" VARCHAR(64) NOT NULL UNIQUE,
    "generation_ids" {json} NOT NULL,
    "byte_size" BIGINT NOT NULL CONSTRAINT "ck_archives_byte_size" CHECK ("byte_size" >= 0),
    "expires_at" {time} NOT NULL,
    "created_at" {time} NOT NULL,
    "user_id" VARCHAR(30) NOT NULL UNIQUE REFERENCES "users" ("id") ON DELETE CASCADE
);
CREATE INDEX "idx_archives_expires_c864e3" ON "archives" ("expires_at");
"""

# What keeps entries in step with their generations, and sizes with the entries. No path of the code can forget it, nor a
# server of the previous release.
_LISTS = ("album", "tag")
_MARK = " ".join(
    f'UPDATE "{one}_entries" SET "is_favorite" = NEW."is_favorite"'
    ' WHERE "generation_id" = NEW."id" AND "is_favorite" <> NEW."is_favorite";'
    for one in _LISTS
)
_REMOVE = " ".join(f'DELETE FROM "{one}_entries" WHERE "generation_id" = NEW."id";' for one in _LISTS)
# Of generations, for each row: the trigger's name, the change, its condition, and the statements.
_ROW_TRIGGERS = (
    ("generations_marked", 'UPDATE OF "is_favorite"', 'NEW."deleted_at" IS NULL AND NEW."is_favorite" <> OLD."is_favorite"', _MARK),
    ("generations_deleted", 'UPDATE OF "deleted_at"', 'NEW."deleted_at" IS NOT NULL AND OLD."deleted_at" IS NULL', _REMOVE),
)
# Of entries: the end of the trigger's name, the change, the rows that it has, and what it does to the size.
_SIZE_TRIGGERS = (("added", "INSERT", "NEW", "+"), ("removed", "DELETE", "OLD", "-"))


def _postgres() -> str:
    script = _TABLES.format(time="TIMESTAMPTZ", number="BIGSERIAL NOT NULL PRIMARY KEY", boolean="BOOL", json="JSONB")
    trigger = 'CREATE FUNCTION "{0}"() RETURNS trigger LANGUAGE plpgsql AS $$\nBEGIN {1} RETURN NULL; END $$;\nCREATE TRIGGER "tr_{0}"'
    for name, change, condition, statements in _ROW_TRIGGERS:
        script += trigger.format(name, statements)
        script += f' AFTER {change} ON "generations" FOR EACH ROW WHEN ({condition})\nEXECUTE FUNCTION "{name}"();\n'
    for one in _LISTS:
        counted = f'SELECT "{one}_id" AS "list", COUNT(*) AS "number" FROM "changed" GROUP BY "{one}_id"'
        for end, change, rows, sign in _SIZE_TRIGGERS:
            name = f"{one}_entries_{end}"
            statement = f'UPDATE "{one}s" SET "size" = "size" {sign} "number" FROM ({counted}) "counts" WHERE "id" = "list";'
            script += trigger.format(name, statement)
            script += f' AFTER {change} ON "{one}_entries" REFERENCING {rows} TABLE AS "changed"\n'
            script += f'FOR EACH STATEMENT EXECUTE FUNCTION "{name}"();\n'
    return script


def _sqlite() -> str:
    number = "INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL"
    script = _TABLES.format(time="TIMESTAMP", number=number, boolean="INT", json="JSON")
    for name, change, condition, statements in _ROW_TRIGGERS:
        script += f'CREATE TRIGGER "tr_{name}" AFTER {change} ON "generations"\nWHEN {condition}\nBEGIN {statements} END;\n'
    for one in _LISTS:
        for end, change, rows, sign in _SIZE_TRIGGERS:
            statement = f'UPDATE "{one}s" SET "size" = "size" {sign} 1 WHERE "id" = {rows}."{one}_id";'
            script += f'CREATE TRIGGER "tr_{one}_entries_{end}" AFTER {change} ON "{one}_entries"\nBEGIN {statement} END;\n'
    # executescript first commits an open transaction; the BEGIN here makes the whole script atomic.
    return f"BEGIN IMMEDIATE;\n{script}COMMIT;\n"


async def upgrade(db: BaseDBAsyncClient) -> str:
    return _postgres() if db.capabilities.dialect == "postgres" else _sqlite()


async def downgrade(db: BaseDBAsyncClient) -> str:
    return ""  # forward only: restore a backup instead


MODELS_STATE = (
    "eJztXX1z2zaa/yoY/9PejOpLlTjNtTc347hO6m3q5Bxn27u0Q0MkJGFNESxBWtHu9bsfAL"
    "6TIEVQlEzBmNnZxiQekPoBfPC8P/86WREHufT03J1Fq5Pvwb9OPLhC7B/lGxNwAn0/v8wv"
    "hHDmipGQDxGX4IyGAbRDdnUOXYrYJQdRO8B+iInHx54DPr8DXExDQOZggTwUQH6XTsB6ie"
    "0lCJcIB4Cs2Q0wxy57Bz61Q2w2N/YWO80SefjPCFkhWSA2IGBzff58ElH2L3aTz2ndo83J"
    "H3+wv7DnoC+I8iH8T//emmPkOiWMsMPpxHUr3Pji2sUSBm/ESP7WM8smbrTy8tH+JlwSLx"
    "vOfhS/mvwC5BSg8yLXTTBOL8Xvzy6EQYSyl3TyCw6aw8jlC3Dyn/PIszkmIFnKeJ1O/9OF"
    "q5kD/+u/khcskFjW9ftb6+PlrWWd1NaOv05lIZJLNsOdrTv2QirgWcEvlou8Rbhkfz5/9l"
    "f8nBymeBR/4N/Pby5+Or/5+vmzf+MPJGzzxHvqOrkzFbf+ElPAEMaTiEXJV0H8V2Ed0vHD"
    "rER6IV+KfOunwKbQ7R3sl13AftkM9ssE7DK44qNQBDil0RDkb191QZmNaoRZ3Cvj7BOKxW"
    "vVcL7yQjnMRZIKzOzFjxHmBX+Jb6bfvvjuxavnL1+8YkPEi2ZXvmsB/ur6toIpxf+UMIZG"
    "PNPhh8Py2ZEAaQeI/3ILhnU4f2R3QrxCckzLlBVknYT0NP3HMe5Z9gOd9567Sc7gFlxvr3"
    "65/Hh7/ssH/rgVpX+6Ar/z20t+ZyqubipXv35ZYSLZJODXq9ufAP8T/O/760sBL6HhIhBP"
    "zMfd/u8JfycYhcTyyNqCTkFcSK+mqJVWPfKdnqtepjSrPpZVTzEqLHvy9oVVZ9KwpSbYFk"
    "g0PO6HEWC5DjG/l8qvqf5RhvsNCRBeeD+jjQD9ir0h9GzZAZWI95+SaY4M7L/S3ZRezblT"
    "ANeZ0lXcZOy3s1+Mwnhbnn+8OP/x8kQgPIP2/RoGjtUANfLYyyBaR/t1Qvjm5xvkwgapqq"
    "gSX7KZNhrBLeAjU1KArQRo/dZquqpegR5ciJ/En82fVEesycSQ4bnFzmAVlrCLuSE3DQDs"
    "Acj+x2eRmRRaRkrNBjC1jOSENctBMirZt5hac/hAAhyiMh2/zyg/Vy8pGR5e40WjaCtlzh"
    "LBNvnwdrM87F9D+I/p9Pnz76bPnr98dfbiu+/OXj3LJNz6rTZR9/XVWy7tljh3Kv42Gxwq"
    "61hZBkJcBL2GdShTVhZkxkiPl6VI8X3//l1J7nl9VUH7+tMvry+ZtiyOTzYIh6VFyEEvfk"
    "hdBZMijZFMGk1rOchl/qOAdI3QwK0uCGYnyo6S4HnlZDoWuLuKgsXPWi4Lyvf0ANC+LU2m"
    "Kb61j1lV4N6rLOljtlxSOTK+0y5D+phbpjuKj+89BM4/XAFGcQpul4j/A2AKPPSAAkBDtn"
    "ucCSCey66GFHz86fyb6dlLJjs6AIIlAxjMNok/it/nKgwIkE0WHv4nouxaXQ49zCMlAq2m"
    "Pi/bJhHb/sbrpbHX69tnnRwyz1ocMs9qotAyUY+64puO1xDfFx3QfdGI7YsqshS6Ssim4z"
    "VE9mUXaF82Y/uyBi47LqwlpEsVgIs0h2LVRwwxtYnfwHovvWhVkyTLmzklPtxuPrn8++XN"
    "/9z+dHX9VvHwSySof0fsZ536m6qw0ok3v+zCmqv+jgJnflmFH33xcYBoD7dUmXIAt1Syq8"
    "fCW47XC1V3Pq6IFy7djWUzeZcJsmrmTglxL6f+yNb3kNZP4/zX1w3cxfnvQhpaTHvss+5V"
    "WsNpx8xpjcPfOPzHaIXcweG/V/tjYC/xAzqRGSCTW5NWC2Q8qLMDm7IfHpu0yFx4pWOL1l"
    "cUMB7AFoaCkIAZAg5Zey6BDnIApIB4CPwT+2k0PKZgxW7xv1wEcMgvUORJ7I/7fuDv3u/e"
    "eTYpWMak3wMIPLQWsyDPoTx8H7jYu+fvwP/Nb8zQnH0iT8t+uWICLNTPeBmSe+Qp2ynKVM"
    "ZSsdVSUXLkSHSov318f93BnytToBxsh+D/RAbO8Z5BMqA5JiXRLQX461/Of6tif/Hu/euq"
    "TMYneF1ZiNkmRJY8HL1Njy2R6RTif2AVdkQmow4LckgOpJMiYwwVzZ+dvoaKMaivIxIi9q"
    "S8quha2xTd9x66Jez/9qzmPuqi7EfJ3U1xjRwcNgdh53cnreorH6cWhM1DWqCz4kHVQrdh"
    "OmKAwxCJOGuu3FH2Kgwd6NF4wA/sD7xYoICrnHMGEdc47SX0FkwRDECMUmP0zP4e9WS0Tv"
    "SAtIyZide8r+s2px6z0XMAn+3zaZeFmDYvxLSqiIYwYN+Mkq6fUfQCe7u/4NiP6CK8Dgoh"
    "dlX0+5zC6PU76PVG5Wje8/qqHOwgIKo6R5FmTxxNZ5eZgO9wPrORgd05MaKwyUrqxA3b8j"
    "dXF7eP5TS7WCL7nkThiUTzyO616h12MkpB50hJAAyF7O/DzYrJtcAPyAN2UCBXHzpRbdcE"
    "PhdVuwKzV8vpHK+KkMCioZJA3WihshLp+DErBaPxSKVfkeLpWSEb5AAdkdFuLwkMUSDRCG"
    "7RlwZfUzJcB9mkTdS8/O22XQvIJM1376/fpsOrqoHRAowWMCKn4hF9fyNaZBMdOUpVz0RH"
    "7uI4enRNj7hJ+OCJTNfL705atb1sXOc4SSYiOpEd8qhBxKMGabhxEQVrHMaZ0GTtsTHYRi"
    "JXmjt72H984mJ7I4uC3HW6J+Mrspke5ZJFhIwmOKwmOCL9ZHg9MMShKwmGa3ZYZATGX7GD"
    "v6L4mgrgV8jMEuwSCgopYtBSidbQHAdapNEpDnSwCsXxAWzFB7CcZ2938NcmGbP4Psrc7D"
    "8j6OJQWmGzmbuUiAxv2YG3BIipBRZlm11ytr5xCWzgLxW6yhrMOaFWVogf3396/e4SfLi5"
    "vLj6eJUsRGZ2EDf5pbwc4c3l+bsK1tweTVS2eUaw0xY/HpD3ssN5MoQSc8kIDGPZAXbTnW"
    "J4kQVTi0cUPvSoIZvTHbCCbKp+Hm0FWV4LBMkKJ7ehnRMdEOrsytFibVxizXxEX5eY6Rii"
    "26pLfGRZt4COCUIF4U3Y0CUMWKH5wkc+xxGuf5NfZ699Fy5E/au3AfTkkXeF25NWd4wYaC"
    "34yI4OmXhuXsgBhiB2eH8P1vwPTIGL5mFc2YHwjBt+lRd4cJGzQEHsclnAB3QKfuW3YLlc"
    "xAxRpkklBXETV3rdg3Pg5/OyFhcibchJivPG+UaFVCNRTqP4jFNw7iUTOOL57M3ukR+COQ"
    "nYSFE6YyL+iA1TlM8Q/4QQ+BA7HR1N/zrJt0vRb1gIQ/gj/pP9RYXPLZkk2S/Jjk6/xJiW"
    "/TLxx19H6cc6Mnf5pMVLJbCSAr3d4pnSGkOnoqETrjg/kBxlLdUcchqd9OEDl3II0Iq9AX"
    "8vJexLZAb+3vCPKOhtbAtyvBK9iXozUW+j+HaON+pNaBsf2FxQsOUGVSsd0EXZ8uOxnePf"
    "mHQ0Y4oFUxGSqsc8gQnGMWqyALet459MBJvvQs8Er5ngtQao68FrjTXJG8XPXQuRj41f76"
    "HBOMfHioVEy4GbHuhWqTUq+T4Y0IK9q6lOGYlOO/fQNfSjIEBeU2Raw64u0OgoUXc5AJvP"
    "v1piqYlQMBEKxx6hYLzmzXv7OP2nxmv+FFd9UK+5HwX2EtJdHecfkmmOTwZ+RNf5DZpj1z"
    "1pNOgk9ycd7DmBGNrRnMMbv64gdmfki3AAx00VCo7oBYmr08Szxq5lGzLhyoEBEO2v6jaf"
    "oSaVGIY+n2AHeSEOhbQqhsaVbvpai9oUEqm9SCKxJdt4vGaKA6oizXYiY+rfe3nG4rfR3S"
    "ia02gI8vBGuZjpKCCcEWgIbxubSNH9rhHc73YuAT70OXybh1E1H8bFQV1O5EJslkJVubQg"
    "gOhQJIK5ditXvcN8POjsjiK2/zwb3YG403m5ZROfPa5awEvaLaBPJ2loGgmcxP9DVisc0l"
    "Nwxx6HgngyjjCNo82SXkzod2+GXOItRAOor+8cxAskfM++E+v09PTu30QhBExB/EVMACVx"
    "ZJ1H4t/IbqXFuMN1i5Ppc+YLTX9aTZRoimhLw5lywskTi2ure7dmTJRj201DB1e6yErCY5"
    "FKJ6PfgQ3aJujwEYIOGZ5hJDEDdOw8nlEfsPX4xftfPry7vL38UZHrjBJ/E/T5SNxmBl2o"
    "zOkLRAb63tAnoqT1wMRRqXutdfPXic1S7BD6nEjnKuJniUi72J5pp8K505bCudN64dxS70"
    "sVrGuEpnXJVtvYwQNSRubceELxKGNDfp/hKNDH1j3aqDYJKVFpCPLg7GOFQsgtBHWUm0vC"
    "FGlMLR7T/MjELRxbv9XHXl2TGvT40R+TI0kNYpwQXn7xSSAtwVC4O2lzWQkrOBIDFXxVnA"
    "rEVKfgKqQgIOuiH2aG5mwXiXrWvNU8FS6cGDoHwHmIAu78WckdV0NO3qWfEll7OjdUSmwl"
    "OjZUChl0u1itD+wtOPlwef3j1fVbHUzWLuKlg9m+krUHbRfSKqSmTcl4gknrUhlkLHflK+"
    "WkFUkOZ5V9ti+mNnxGmlFunpxyM6LyFoZZ7o1ZFiXJruJhkcYosepKrMDPaLHbtNjiNhuV"
    "Gnv5hSlsHnQvH5C8mGB5wKRNmUXJUAvxsQr67BrNloTccy0SP6BgMwE0JHH1PBuByHNinR"
    "JQxP/5FQXYydVQrpsumQ7qIkeu0A46uzSwkZIoiDe3+OV8nauhjUzPjUKbxEdEgGzEXkUr"
    "PVfjxsHZ6nZdi5xCwyNleGU2+2gUIC7SaAjyXgIgmoM75RgfQ0Bn3028j87Mqg7LQZyVY8"
    "P50N7KwrHaxw5ZID+gJfLm8uLy6u96RM/6AWFQrFQYS4FEv2CIs06s5ayFtZzVWYuxAw7e"
    "WC4XwWuYtpuEKqTGEjgWI1EXS2Ciy/VY9jKlsQSOzRI4ksTWN1j83JodRVyftJlP5tjtWh"
    "aUmzV8JiZGgUgdFS3o4jxN0RohWs08iF06Sawb3N7B3hbco03SOSG2dwS81UG6SyXNFvb3"
    "mCdThHSFHAz1s4nMieso29pLRPoJfsNHwd6z39VXsUlpx6y8j1KfMWEtj4c9e1zI7Xqqlq"
    "oq3Zg3fV/uMu3CXabN3GVaBZtH71m8j2od6db8yyKZSfvrnauzxo6ssE0j7tl4nTAfTJ9f"
    "IrxYSnS6RjhzAoOnBE8nCrLCgxXXfnO/8SKRaTbeodk413uZRCziqBX2bpXMmPeq25cu4f"
    "TspYoIkVNoKDwMX5Yt0/4tcS4p9W6X0Rof2C5t3F1oo6XQrpXcMGUyDff9i06+mBctvpgX"
    "dV+MCSFuRl9fx4Gp5q3bqks8Ccnbm5BiE1L82MLDfkOKS1nIDtMkJDYghSL0b7MKOUer4t"
    "XL0JfqUUAHGZQOXay/AJjEo1qGs9mvmpdvUvCuBryeKI17thOJG1TuLN1KxUv7XvIg9LTw"
    "L6a8GD9Z+TBA30DP+YaiMPadYo+JiyKkGtwlhdbuTsE5WJPgnhf4XXs0rupP1nFPeXBXSO"
    "284zPHFYF/9+aReIvUc3s3j2sB43gCD63ZO5+CD7z+khgU96UHPnGxvQHszdg4QrNyxlxM"
    "Sf+d/OI+LetnMLSXIlZ+0r+aL/9IC3OSAC8wT0EYdlo2B/uadp1UE5d24XvSz7GdbUqFBS"
    "nSGIGvU3UnB0sipbu5WDPiA7pYr345f3t5eAfrqw7Av2rE/ZUGdYY18m0z/Ba7xBUsDh1X"
    "8N+fLj9pE6LObQKSrd/izCoS9XRm9XOxnO7LybJvZ1aAHjBa10G+ZTJQE8YZiQ7xYG2Gr8"
    "vfbtvt/hnc795fv02HV50BtUaebCc6/JVqoG/r5FkgPGArz+zK0fby7FUw+1EKZX+7L+nw"
    "cUrbEtdFQg+x0pb23aPDaqQaiunD+3hpuHGRMtplKgN0Z6BDHLoSAbHZj14hMy70XVzoAV"
    "n5Etdem+ySUhjRRV10Qd6SKzpWE+6t4kud2IgwCiJMAp/TCH7zppeQmt2vvvvn7C16oF8h"
    "0+JsPTT0DzDAHAqliLUSkTlndzhn5fkGHY1g8qSDUe378Vl9/4yg29ikeDvoBXKDuwrukP"
    "pM6bSEp0xFf6rS6XC+7hXoNOvAoog91lEJpJeRatR9aMBqGcLLz+Q+8ZmpbGcJqX47ei/l"
    "pHhIiHJdtBKRfkAP74sOkIiAU0O5RGRQ3o4ygoGLUZAoL0qyt4T08BJ4IQpmFmE3xB495c"
    "/bW9zLwcuopYFTAVqRfnWRGqYwlXLGE99eT2vwA8zWTaYetPVpzEhM5mHdT0VV0pDT4SYJ"
    "WYKlD7E8Nr2b6logP2Rr9JvLH69uPyoeDOPTX31IqbLwmZEYoWi7UCTgWpJIkuzSzHyLNE"
    "ZVlXbTjjzHimPX+3KO2iSam76GD7mLEUQS9tHq2SuSGZ+egk8vaW7ApO4d7b3SiUbMzcd3"
    "cLpkzdRVLtgp6bkVsnHouPyx2ui43H9kxRxG4cStUBmNp8p6TG3qgQEV6XmSg7MlwDQj0Q"
    "bNQ1djE1mVKspOTjHi03E0IY6mYelTsScSnunMBBno9quzLp/BrPrRrLpSJbsaoTYH2HBW"
    "0AQjJUtcgUa/42n4WrjKYQ0mmEExmCH70KX+kfY8zDKlqSzaKRkzQS2Jv1G15MvJ9dvse2"
    "m0l6HnQ1mJ52YbUI1wJyvQyIB/hJSeGMx/kFnf7Z+Tmq2vtvU5clGgdKbKaPWDfS/94VAQ"
    "EH5COr2D68szjBj2AQz+w8uPmFpz+MDDYmSGuy2p+EVK4/RScHpRtrN7JCiXqAbZ6dvLaB"
    "2x6U7g1ceSUyI0BpwxG3AogoG9tEL0RSkhsUI25iiJQZZ1HwmJceHWPt9XmdJ8YGP+wEzR"
    "+Obz6zjLh5ui8U9x1SUfe61YNNOwgn6rXqY0HH08iyzh6GTl9z25q7Rmpce80sWi0rWFbu"
    "kDUSYbsUllNBHxeZ1tBZxLRAbl7SjHdcPUQC7SGIy3YxxR5b4xBRItFOkDt42JqOkas71r"
    "TGGTNTSNqXGKAUD9mM5zXEyiK6hF5lhClb0AuP707t2JVJ4YANg3WGdcKxJUhw0bywIG2C"
    "3AlkSmHZpHQXcWrSzksbeSFVRTaY50zqe6ZDNtNOK+pb0ZwsUwUN3ChXZA8d22rzZSVw5a"
    "+SREnr1hDEAIHZVWUpURk7Z2Ujgfa92jTY+eUmscLgH0QGEmwGb6XjRUWkK65M2VeKMm7P"
    "lROBEtmfgt7PAba9EcKgS8JVl7F6qBnyNp7/Q5k7qIX+jFxR5y8scf2S7LVqhz86O2VBep"
    "hCwJE074XtvH8Lhu2wPmuTT3OyqtW2fLRpFIR11l8PiQe9SQkCsHOBmuIbTfTrtk27JRzc"
    "HF01rGreBfFudoKiCXqTTEevhQEGOfkzCLwW1HpgfdAUA2Dvlm6I/TNdvJIW/MssYsOwJ9"
    "d9LRLHtx/vHi/MfLNmvMnjVnL+Q1YOQ6c3xvskVb5qMSm0c3PZmynfEN9gDTP2PtVTwHpO"
    "kBcXvkGXKJt6AgJHwQtG0SeaFcH95xvu1tjZV02/E29k1+tIZdfTGlkVoCbU6hIdOfnp11"
    "yfw5O2vO/OH3Kl7laPYPZEukqRanck5iUO6G8j3aKCu6RZpDcZcjVnLRCsqKlDTjmxFoqN"
    "xOO/HmaQtzntZUL/FfBXzT8frBu5dUe8QLKFozNGcytqpuW6U1gYljDky8R7662bNEpN8n"
    "Nfx5EHku9u77RfGXSc3XNOavyYU0tERfD/WFrtKalR7zShvbbzMzNbZfY/stHpXG9vtEbb"
    "9/I7ObyDuRWH6TO5M2uy8v4RJEnoLVlzc1+IoCRsSjj6AnLrgbwGY6BbdLBOJ15RFMgEFE"
    "AWFEcRFWYLsQrwBusP8ONrM0AorNwu+Jngwm6Okogp6SJet6CiTDdTwBBg90krczaReqGt"
    "qZ6CBOHYn41ElqZse0rLpRx97NKfEBOzHdfLq+vrp+q+jEGmk7FXleQ3MpwZzC1BDcqYYg"
    "w2GlcloUSPSzru2leN2I6iWM7fzQWB2fYw/TZa9lr5AaY9vYxIaaTeBxVNhfIHZvyT2Sar"
    "H5zUmbIst9u0zjY+MUdFlOhBzAjf+n4CoUyiRXK20kkmzmJACQ3V1htiEB36I/sJtMI+XZ"
    "Nx9/Ov9mevYyzc0RjwaYAhqSADlyDXfPz9seAfW5aMUoGEn/MKFRIzDRTVp0YT8K2BffW6"
    "4vkI9ZPx6lUH/gQJPRyTYHiDRB4qhip5kk5bYl4KRMpp8YvxewxcmhHI5QpjLhaVvDEdAX"
    "H7Od2UNsLlMeRls6JPLHLjVXnJW9Ak5MCMJxrK8JQWhmoPraPEwIgglBMCEIKvYbL0SeWB"
    "q5BSe7PdliwykN3GrD4UEBBSJA1zi0l4h+DyCgDHAXgYCsJwB7DDhuU5lt2J0VXsRlMepG"
    "miEmHDgPbedYg2Ek8W/3xWcG6cLYbDfhh5TFjWh1ZFv7vZToTLcXhW4vab4mtch8ruIKrR"
    "Hu5BHt54vOLYqzCLsh+85P+fP2ZkY8tKPUgdjdWNRHnmPZ0Jccuc0dHiW0psdjhx6PprtA"
    "M/c/Th1Cojpm1fHG4E9Dqxljo0vsS8Wx/G67NJaNU6kJEM2yayJHH6yIFy7dDfBd6HHBST"
    "izRJhRnNDP//ThZoW8ME/153kaIEA+4UJWQ7WAfT1J0YvGHxBRbTxoM+y6DGX9HGjF/aJa"
    "VL1Oqp0BfC8prsm3IYW6Wyxi1N+z85RdliZUq4+wN3IRo26nDBj06z4uphKh8UCMeY2Ztt"
    "XLiZiTmfUd8/r6PCXZYQKn+hpXSM06j3mdQ+L2OY8LZOYwHvUCG1dxs7h7nGYe0zr0Ka56"
    "k3GvdGi7UNWIUCAZszr7yPYbE4NhYjCOMwZD3uiKf/UDYPohmUZTTAu8UbnL1T4dKR8gjT"
    "+xigtFXJ+0OU+Yaka71lI+F6k+38wIWyHgR4G9hBTFXYGSChjQdcma7xDK04aouBwXypgH"
    "ZAXucqPd3Q8gfjSYE04kamRAj3BPRt2PctAnK/pVClHQxrcygoNj0uJbCdAcBSjhYF1Xo0"
    "SknT9l2smfMm3xp0zr/hS8YnyKWj77SOQFPJqDxeqUw0SOPbaINEj4WI4wdwqTXghLKA3C"
    "EoT/jKCbtCPo4xQskI8432sAp2CX/lvN3bdqvbcYgi4Sp5HEH9sck1chMzVK+ofeJSyYp/"
    "6oM+6U6nAs5dmR8JOE7yrCWqEysFZhNREEfRjHyO2YEu/yUWWpmmXuucwBeiD9SqOXKY2L"
    "ecyrbDyQzcfjcfqijAfyKa668UB2W13jgTxGiI0H0nggR4fpLh7IclVtiXntdUL25ucb5I"
    "pE8RacIaU/JfZjTbD+a98uWoFXg5s2xbLdVWtlK9et6EDmFgXcgsRzzUjSwEC0LhCe0B8S"
    "ZykMEBBVCdlA4TR9Jq87MMCc0sYHS+I6MT80vQ8ULGmP3PtA0ftkXE4nzbbM2IaubHQ3hu"
    "Fme7uyqd2AKQMz5s2KSkaJyKgZ6mpGfiLuKhQncWBHBndXobi00cZUcEooIzKBL1FSWoQ9"
    "NqJzWF6xoAAQtbm5DHYKzuMrAVqRh1QAE8UFAjLHLuJVuXn3VlHPm9fqTiopyOLv9vGIgQ"
    "tQjTeejkOkXzAddaOFyiqk47ULoRu+Jm+IQ1cSo9gc/pIRHL4UlUaRL/fsd8p39PZ4r5R2"
    "zHLOKEtA+AGWxeO2afAZSS9BfWSO3UOq8QUXbBTwmOaG8MYG52uBZsQxjX0PzC7nZfNxWY"
    "tjDJDDBB4RZyuEJwVNVEqr0V4fTC1NgYpjfCwHblQU/gZqA3Qd6ICnyjzIdNFGdIskBtI6"
    "pE4U1+K1GpwxjcDWCQ28TbbUx0xB0Rzgx89A0Rxgk4BiElBGsbEPrYYz9Y4E0p3fWgm9SG"
    "YKoSsUQo+8pJWjIuAlOoO4AuLQxxa0bWkbuVbIy4QGcwXM+Zkxg6GtooiXaEzIgqyJAqE4"
    "DRTrCGqRxGAqU10o+8ZD/CCzirYxhxLdAXlD6nk5WtZg8lGa9/ZxZiaYfJSnuOpN+Si1EJ"
    "suMdKVthL9I6XLfSyObCc0xkpXSgNTWdyiajy5tvgkFat2hSiZ5mgtCO0oJR/cbhh1TKk5"
    "Fnz2GpyWtJb5ACOKTmRRaqUBk9ZwtWSo5fOxnQPXsu42ou8NpsAjIbCh6yJnAmbI5pMBzP"
    "vezPm0IrLsHm14ABr/J9OEeW6BLF5twJl3CFNL30Juw20yY+U02oVKPZ928bJPW9rEb4tK"
    "s9PN2jmqISUYc+ROT7iHj9aZoQX0eojMRToNBebjFZDrehGk933qrBTIzAKPeoEZoLTBv9"
    "VotCvRGKtdYkRSUCz3KsmlioFMiCsoDS3yW1FD6dZBkQRcvGpoVziJi/OuhfAVgkUARQoo"
    "9Jz42hpSJno9MHG/qW3isNMr1vQtmPXYsM+FDm/FO7pkJ8TgUv0yFMQeUkxaK9JoJ36b5o"
    "k6Rc5jytRtafb7Fi9RSmX8x2pOIh4trCAzFShMRnEtojg5ni11XGWkBuAqwB4KLbjiViwJ"
    "g2hJrinTaYPrgfNruF2R/Vin1xJIiM06mDynUeY5ceG7Dm5znGw63iSq7hAhK5SUXqELZU"
    "pTJnfMdjoTltTM0o4zQMWEJT3FVW8KSyqH0Nj3cIFUK+WWqDSUVQavlfsI5YifGMKPUI34"
    "CSDcUiXssMWIR4Z11xJhirWIY746AKoXwkT1IZ9PT3jLB9Hoqj0fK6ojbTd7g2xe2WFzwf"
    "48kficS/cnbX7nIBnJsHBUnM98eBzatybBPQWElyPGHi9Gx/5B5sJrTNnknsOmsUMS/CDK"
    "zwVkzYMBYyi5sxh53IHMLkWNnug9PmuH0EL+VtYSUkk6W4tlq0iknXdzqDpszQ5l02lBb+"
    "FmbGDvKt08cvnTj4IpvhE8UXZOlO63nhMxe7Vi9qpQ/77ElkV5ei+N7f5e/DtifNcLsQ35"
    "ffZ83j08rlifMPo7ji09Lb2ARTG7dcdZOUWS8PODPfl373dPlOT3/a/4FTtAWbA7ZcOR83"
    "1y5DgowFmB1o+XFzdsZ/58+T8iZEqcX9DdOdp9DNxxRMfRASqwskVTQTsdr+FBNHwN1vhr"
    "UhaxKmQG6g5Qu5CGFg2Rr+YmL5EZB3lPB7lxMmnmbmhyMu0UrL5NImeK8i1h/7dnefxRj/"
    "f9SOM7StiUxr9CIlzHt7bI1WKQguUloeDSKgUhuedGDSZw8pC8ROScMPHV3QipUtxnkunH"
    "n86/mZ69lNtXdp7xyfQRSPQHDSP1xbIqy1plKu0UiOEFrePqov4IvH3sZ3unuKFYLkaoT5"
    "5uldZEiI15pR30IG2e0Mwycwr9PO17yW4SXh4VhDMC/QDei5GlYNxUZ1cyesOyxsyyjL2h"
    "+WPTy95gWtQbx6lxnPYz67A1ivzXxIviTVE17RRuT1rNO2KgNeMju4bXcH/iCmJ3Rr6Iro"
    "3rJbaXBe8lWJC4KAOf/JvIB2L2H+I2jyLIpVBAqxAAI3eT7u1Jxo85LlY1abH+YId7wpta"
    "XTTZ4nKaQSTtESE+jJw9kuI0H322ULfcUidlZfnddk7Gx1nC4NeRj/3KI/ZWEQ1FNMQMia"
    "g7ABcM8+8BZBe9OHoPxuwFe5O4r21sgY4DNjClUVpDkNeU4SPZJCQK2YA6QzvMI3fgbMbM"
    "+ihhg8bsqqtmOxYeG27E762zV3GjnbPyIZ0rtvL5HV6Ha8VksBCtfJftNVkB1uaBEv71ud"
    "A+iQ8RraL/qHC1zydk7WViFvt/XQpw2YxvuGQRIf38eo/bI3xUGr/pEn74M2QvxReKr6kA"
    "foXMLMEOS8A4JlqQQKIwtjToK9CY7nz9sacIBvbSCtEXiTR7y642eWpKZFow+Dbp9fK323"
    "boM+H13fvrt+nw6npUWpjFHRIsHg1Vx7616l+V1JT+Uyn9R6hkrzfX/UuGm6a20rpoiBfX"
    "QpZosyyXDbdXDZVMM2aOMsryobFupsLDc4oxgz1a9h3DZ/HS1SQKLX9JQqIOf51eh0CTQ6"
    "/FAwwwR0Kpx3OJyAjwu7R4ZmhFAbLmxFUv0S0l1uEj2HvxI9Os1TRrPfZmrbyeDlItep4T"
    "GcXHNMY1wXqmAuWTWnWJ/7JWgTL3wCmKYzVCLZTDfctiRV9mV6SLNEbe7SDvJopCP/ViQJ"
    "xHFO2y98Djsid/x/Dji9JkR8ZCugYh1xhoh/qJghUMALDeVT+LDFO5gmIOdgKOvGWiSnfq"
    "t9lE+mAu6VFd48B11BTrRYg4pg/5ZMfEf7tu1vK502W77h4zlkLaFDpWgHxLBJmVvH733t"
    "/x+EKkKwpFGgAEYkIeMUtX0HXBr2j24RTwbIH0GTERZNR0iX2fV9fk/SDjUDawhA8IeIQX"
    "4JS2Bj/Yg59MYQqNI9h6WaiNZVpRUuddIHs7gzPiwymeJx8ur3+8un6ruMtH6QeebUJkUf"
    "xPCf6NboESjfELSEyna+yEkiyLRkSz8QZNCZpLptUsVWJwcgKDpwRPuoTTs5cqR1pOoaF5"
    "b/jYbOM5aYb+OG3oxnPyFFe9i+fkUUz5o1vfw1qZD2z/HBvaBzGAKmUsFnW5jSwtKbWTpp"
    "a/7dbSLHnxuHTlVkOpgoHuFi5OJHY5fnnSZo4L4aKzEW5NAiexaWVlN76ioGDwFsauFQzu"
    "E1vXD3lDG2754hU4eM3ApA/OSmZw289DpGmkadUbjpl1jza1JFJNDG7QnUUrDevAiv8qrE"
    "M6XsMj9EUXsF80g/2iZmTLPgpFgFMaDUH+dtqpZOS0pWTktG7MVLOlHd6MtucOBoNZKYwS"
    "3Qz1capTplbgox27LcqUqRXYRZfaoVZgIXrdYy8jyzpSCSNhKsAlm2ejEdiSKJLhQh0yvO"
    "TqVIZlq05lFZaui2rFSOJaX7meI1OOmoZJ1Zsw1v3yoZIiOfxVkxI51JrDBxLgEJWp+H1G"
    "97l6SUk5auvMJGXFEoEm+cx2047273Y5SEumlvKI5XVUSzIqUh4w92X/LGTPqS/lT0NBFq"
    "kRGomkQwBIzrW64pxTGIDVRb7kJNlR4rstnUfHAnVXgS/fYXJ5T84uBoBVKUz4WNGt8ckx"
    "FeD+5LsElmWg8p1WaTESYxSaqjk4QHYIYrq4ERqPsKJgBTcABrx1L+D1EwNeL1Z0RvshLo"
    "y9RshnVwO0Ig9sOA4ncc1ZPoxIOhPv+2FSqTXz1WEHrXwSIs/eSI3zn4t2G12qO66Qg6F+"
    "lnr2+FCUZOaIKixHlU7Hw3vaBfxpM/hThRDNNjVM2yjNA/fIrfItJe5TI9UvHvzb6atOXp"
    "RXLV6UVyaCzhj/TSyViaUarcJyuFgqVWWFCkm7rqok69GiqLARCmpKErsjVyvSm797v3t3"
    "jAU7OKR3vCsPBDa0lygJ3gEuchYo+IoCGq0mwF5Cb8F1CNHgOVEb4qgfmAwFLvbQKbhjig"
    "jvE30HFgFZc52FEaHJ715SDw8soE8nMSlXWjbAJqsVDnkUUfwU/gYz6PJNPAGie4yLVuy/"
    "E16mfo5dlLTjyDVT9pboC6b8+GY3eZ5RRNkTU5sqH04ZW2qsa69p8JG2bagRb0elshQZgX"
    "ZdUZ53iox53hIZ87weGcPR4sIAkxckLtBmmKt0+onQe4Fb7E6L8ULMJlUumVYjNqXTFPxH"
    "sbTADpYHJDEJtyJfJTW4K+DuQ0p5wLFyl6saoYaqxPTsrAOXYaMauYy4V6uAuYiQrEL6Nt"
    "90RmZ2uMIOP2iM9KgPzb00fG+pS9+wkXeqQD9qgKfPXnSx7PFhzRxD3Kx0ASCyDKGOpf8T"
    "2gMWe/j08fJGUcUZZaUHl9iwCXj53s4p9Nvcw+PLjrS4z4r6UZjTmbNQ4SyMYbMoTjiFip"
    "ugSjuAo2Bk+/1I/AIpJq2OgWS1Ii+UWWg6rXRGa1Z6zCud2I4lPLTF1V0g0iaP6sBebvKA"
    "AieA89CCrkvWygYjKb05zRROs8TDobbzC0Rm5/fb+bGfyaKIASAVJNrwlxCbdei3DktIrU"
    "UAPSnzb2M9ZULDcxR4ToDm2HWtFfFk5eqaNcMqnX76Ydt+TtXD7xq1w+9qNg/esjCALsPQ"
    "UdLBa4QHKknf4vj10NoqvdaBPMDDq+zxr0CONdsoRh3VKff0CRx7rwDpR+BD3Ce0T0ZvtL"
    "kxa3PZimFHhNwoRc9KiXXryDF88UmK2AMdaw7tkPQ0jjVMYb61MX9rKxQs2IHEfhpRPMzq"
    "lPrJc3uoWh5RH7Gf1uckq9KaL2vMX1ZSjq7HOpcpzSqPeZVNykkzK9U35cQUbdZt1SUfe6"
    "1os+9C1coeBRIjHSlnGXH06mgrJxl9SKY5Lqy75hgVttgO/eri6rASG7pCjbFzPscRsqzG"
    "AmPFjx/6mGfj7gqRj39GWhVhK2FkS90wKvhEDg67Fqo7kg+2LC8ukX1Pol1xukim0XUnNb"
    "r0VDAS8R1v+Uy6wsTueBTaA7QZjcG6zefTFTKRyIe++CTYdX8xQR9eiol0xYonuO4I0hvc"
    "qR/DUcLzOD1+jxKqSk2THfG6ymfTWJpKHFg7l/69KjjCdMRJJJ2G5B7t+hn+wia65fNoi5"
    "QIauZtiHdFKptIV6h4aueuH94HGKeea4lPFNhLuDtEyTSaansBsnmI80YEPO0I1U0y10US"
    "0qXjrmL7ie4uTn2MZ9EWJNE5fkeINOuTVsPH8rEdRsEgOH2Ip9J1P6XN3/qjpFdN54qnL6"
    "vL2x+fvACwjhCt0WxJyL2FPMcneGez3a/xdJfJbBoxKaWCbgWrOhOR8MMg7THP86k0wbQx"
    "hnEIuD6KCd9k82mCmWKtwOSD/BG5mMufJ5KygdUhk7YKgim/cOLRnfvj8IqB6AF5IZiTgB"
    "fyAynH4RXJedlAym/CELhIdP4UFfigu4YbmjcFpezNwd2KiYjs11rYuQPQc8CMOBt5jcK9"
    "P3F7DcDPJ+lj0y49SS8eXl1QfMwa1kBPdomGFQPznaCyHmUqDQtN7aFBzMZXyppKx+sI7v"
    "D15Rn/qoN7i740FZZPxmsBbltQ2+VvIq8yi2dLQfz6l/PfBL5ZTNu799dv0+EF0C/evX9d"
    "jRpPGX2f6kcZ8QHLH/16fnV7df1WkWWPsgLSXJ7f3ZjcPdcupXuw5rxcSkL96rFUSE1Q/H"
    "jiZMWlchxYGKKVLzMENH41RRLz4VQ/nAQdyyWSFmx/+/j+uhXUlKz60WA7BP8HXEz3hm9B"
    "rJ9F2A2xR0/58/Ymy7egymFqP5irZ3Dly+ATVA9mj8k7VgqzejaAhFzDlACdWNsCP7BjyO"
    "+x1mVKs8yjXubENtU3fa9Ea2SVMa+0SeB7EstcsaB2NQlVyLQwXhw4iQsVHHk7JnKpuwbH"
    "hn3XpK7KvhtTn9vqIjS7g4rrtN0dVHIfb/cGnYNPN+9AuIRh7KKhAAYo9seEhIG6JFR0by"
    "J5nynRqym7AV03vUEBjhtNURQyHWVBAf9BAEvaVh3usU+mN5S+np4oUOoMlQzX8JDZV1OA"
    "4sspAF0h0y8zey9dLmJ+p2J/yil2Mj2NDOpD25iSOtWWy0TbGvgdClynhKabs2TFulWZpd"
    "CVyK/NDCYdryEr30vpuQCFys23KmQG6g5Q+wF6wCSiluqGrhHqd2buEe1eHs86tTEkjtnC"
    "NIfYZb+1X+3MGrFZ6zGvtYMpB7mXd6BMatb5KNY5QJA26ZjbI7Ak04z4/BxlFJZHQtFUuI"
    "+TvUxqvrgxf3G2C9ka9HLHlSjNKo96lY3TtZGRHmf9TFM19SmuuuRjr2fQUhQoet0LJCOW"
    "k8bqcOfo1dFWdrZ/SqY5Lqy7OtgLW0zVuV6LEtu5QpMkffLI+NcwOc89IxG4l+mkJQxB3J"
    "90ikHIHFYdAhC8JDdUBAOsIQXrAIch8sBsAyD79XixQMEEYE/4+AulGmMKG7I96AAcTkQ+"
    "6BrikIKQgBmyyQqBfG9JghAO+uiBAxHaPFZSni9xVCVf9G6RCJp4qZrDD0z+4x7zHx9BrB"
    "k5xHvolTP7B7JVQzbLVAboDkDPoAuVm9gWiHpFFoxMcHycwIIERGuG5iTotwAFWrMOfdfB"
    "GKQaF+R4TRGxBaqmKT9S2DQJ7oXwXFdT4jvtCooYo1AoJyYAfkBsROkErJfYXoLYjkYBl/"
    "cDso5r1ECwRDAIZ4jrEkvs8ghkXtsGci1AXhRn0Nl30C/EfxVkg3T8oYKdjy54pVmZYI+3"
    "oyDgNbfriDeHIJapdApBHCy5myLk9ekGmZOZU2d0p06lekvQT7goUxqf5phX2XaJfa/utE"
    "6IzNqObW1HIjeeo4DJVjK5MbnTKjfCfMw2sbF5YQc2AD8V6++OAkKzKPbANAHFjKcCiYYW"
    "senZWZfssrOz5uQyfq9Sc8f3VRBOhmuI7l6SydgTQyRLCm/OJiuQHL6S0ZHnkz3qYfbX/w"
    "PGHgVq"
)
