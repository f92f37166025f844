"""Guests that were merged into an account: who has what they had, and where their bytes are."""

from tortoise import BaseDBAsyncClient

RUN_IN_TRANSACTION = True

_SIGN = (
    "CHECK ((\"type\" IN ('DEDUCTION', 'REVERSAL') AND \"amount\" < 0)"
    " OR (\"type\" IN ('BONUS', 'PURCHASE', 'SUBSCRIPTION', 'REFUND') AND \"amount\" > 0)"
    " OR (\"type\" IN ('ADMIN', 'TRANSFER') AND \"amount\" <> 0))"
)
_SHARED = """
ALTER TABLE "users" ADD COLUMN "merged_into_id" VARCHAR(30)
    CONSTRAINT "ck_users_merged" CHECK ("merged_into_id" IS NULL OR "deleted_at" IS NOT NULL);
ALTER TABLE "files" ADD COLUMN "folder_id" VARCHAR(30);
ALTER TABLE "style_pictures" ADD COLUMN "folder_id" VARCHAR(30);
ALTER TABLE "styles" ADD COLUMN "picture_folder_id" VARCHAR(30);
"""
_POSTGRES = f"""{_SHARED}
ALTER TABLE "credit_transactions" DROP CONSTRAINT "ck_credit_transactions_sign";
ALTER TABLE "credit_transactions" ADD CONSTRAINT "ck_credit_transactions_sign" {_SIGN};
"""

# SQLite cannot change a CHECK, so the ledger is made again, with its lines, indexes and triggers as they are.
# executescript commits what was open; with a BEGIN of its own the script stands or falls as a whole.
_COLUMNS = (
    '"id", "sequence", "type", "status", "amount", "balance", "account_version", "reference", "generation_id",'
    ' "metadata", "created_at", "user_id", "price", "currency", "api_key_id"'
)
_SQLITE = f"""
BEGIN IMMEDIATE;
{_SHARED}
CREATE TABLE "credit_transactions_58" (
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
INSERT INTO "credit_transactions_58" ({_COLUMNS}) SELECT {_COLUMNS} FROM "credit_transactions";
DROP TABLE "credit_transactions";
ALTER TABLE "credit_transactions_58" RENAME TO "credit_transactions";
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
    "eJztXW1z2za2/isYf9nujOKbKnGa2+7sjOMoqbeJ42s72+6mHRoiIQlrimAJ0op2t//9Ai"
    "Ap8QWkCIqSKBhf8kLigNQD8OC8n/+czImDXHp67uOf0PLke/CfEw/OEftH4c4AnEDfX1/n"
    "F0I4dsVQ6GPrAS3FRTimYQDtkF2fQJcidslB1A6wH2Li8dGfPATOry8BozgFdzPE/wEwBR"
    "56RAGgIQmQMwDEc9nVkILbH8+fDc9eAeg5AIIZ9kIwXoLFDNszcT+ijCpANpl6+N+Ismun"
    "/D0cYrMXwd50f4+MPPx7hKyQTFE4QwF78Jff2GXsOegroul//QdrgpHr5MDGDp9AXLfCpS"
    "+uXcxg8E6M5D9nbNnEjebeerS/DGfEWw1nv5ZfnSIPBTBETmYBvMh1k7VKL8Xvyi6EQYRW"
    "L+msLzhoAiOXL+PJXyaRZ/PVA8megLZNIi+kp39x4XzswL/+NXnFDJFlXX26s25Hd5Z1Ut"
    "oD/IUKa5RcsonH9w+DnAqA5vCr5SJvGs7Yf188/yN+zhqoeBR/4N/Pby5+PL/55sXzP/MH"
    "ErYJ4915ldwZilt/iClgCONJxLKs10H8rbAS6fhu1iK9sF6M9SeUAptCt3Owv33eBG02qh"
    "JucY/jvcaXf0sq+KbjNcT3ZQN0X1Zi+7KILIWuErLpeA2RfdUE2lfV2L4qgcuOC2sG6UwF"
    "4CzNvlj1EUNMbeJXsN6RF80FxpfsjaBno/JmTon3t5tPRn8f3fzj7sfLq/eKh18iQf0PYj"
    "/r1F8WhZVGvPlVE9b8qpozvyrCj776OEDUghIm8pZBF+I5ku/zPGVhAZyE9DT9R4PlSHZ1"
    "X3hLDdJ3lx9Ht3fnH6/59HNKf3cFXOd3I35nKK4uC1e/Ka7KahLw8+Xdj4D/F/zz09VIoE"
    "loOA3EE9fj7v55wt8JRiGxPLKwoJPFJL2cXsqt8px44cxdWjaTd5kgW17qN3h66YXyhZYQ"
    "F1Y7OayPa33Z67K/nv3vcPjixXfD5y9evT57+d13Z6+fv2ZjxQuXb31XsyneXL6/vLrLrz"
    "G/kP/eGIgcoRbfW56yg++td4c5+4HOJ6aLJXvlSD7AZFvXfn8upKHFtMc2616kNZy2z5yW"
    "mwgsNa0+Q6KhUN6N7s4NKJMHqerO4SvD/Y4ECE+9n9CyJEEWQE5sG5+TaY4M7D/S3ZReXX"
    "/eAVysLE7ZTcZ+O/vFKIy35fntxfnb0YlAeAzthwUMHCsHNb9DhqRwZTW2fGs+nBevQA9O"
    "BTj8V/B3Tq2MERMpRl4YyG2Q67uDWjskH2chNhAjBWMkdObYA1CYuAZgEeAwRB5gl8IZAp"
    "S9CkMSejQe8AP7D55OUUBBgCYMThASYM+gN0WABCBGtNIIubtHPRnjI3pEWpoe4zVvqwGv"
    "qft8dnSg+r4YNlmIYfVCDIuqbwgD9s2ofAJrilZgbxa7DmfY6Wqfr+F1UAixW4b3b7efru"
    "TwrimKMi62Q/Bf4GLaRM/s6REtA5ZjkZNsU0C/+Xj+SxHriw+f3hRFVj7BG6NiGhWTHwRE"
    "VfPI0uyIo+mseQj49qd69AzspppHdpPlVI8btuVvLi/uDqV7XMyQ/UCi8ESieazu1eoddj"
    "JKQedISQAMhezvw+WcybXAD8gjdlAgVx8aUW3WBL5k1cAMs/9NExUhgUVDJYG60VRlJdLx"
    "fVYKeuOCTL8ixdOzQNbJAdojV+9O4kCiQKIR3KGvFa6nZLgOskmdqDn65a5eC1hJmh8+Xb"
    "1PhxdVA6MFGC3AuPONk8k4mYyTqV9OpoNresR1kZ386rKut747qNX2VuMa6nvnXD9zIjsE"
    "LmZKHJkAGi5dRMECh3FAOVl4bAy2kQg5584e9pdPXGwvy4rg9tM9GV+RzfQol0wjZDTBbj"
    "XBHukn3euBIQ5dSShqtcNiRWD8FVv4K7KvqQB+gcwswRZLMIYUMWipRGuoDAvN0bQKCO0b"
    "6klE6PDbl9+9fP3i1ctVIOjqSl38ZznWMz6ArfgAlvPszQ7+0iR9Ft97GeL+ewRdHCaRQU"
    "25S47I8JYteEuAmFpgUbbZJWfrO5fACv5SoCuswYQTamWFePvp85sPI3B9M7q4vL1MFmJl"
    "dhA3+SV2Aada1fmHAtbcHk1UtvmKYKstfjwg72SHU54MrIL6isAwli1gZ/exXGislFmyJE"
    "ZkkYgsmFo8ovBRwqrfEOIi6FUo/Fm6ArJjRrgraFP1c7/b+c2nTx9y2/nNZdEj8/njmxGT"
    "U/6cZ9llwHlKFZLYVmrRXhPtEerVlaPF2rjEqvmIvi6xyHdarnqe0qx6X1Zd4iMTb1/y31"
    "R7GzLCm7ChSxhwQvfupxvkwgqhITE33/I5jnD9q/w6f+zUGSPSiK/ZXFAIL2V/TG7AoNYl"
    "I4Zafjy2sVvGi+ZjFHAPSpLTzOPqYOw6kfldNo5/Mo4V34We8akYn0oF1GWfSmXFgUodbd"
    "syA31jsl2raILrSM6rmgoOKxKdAN134YYoCJBXZcev2MoZmj6b7dsy5iZ8uZotl8JwjT3H"
    "2HOO3Z5jbAzVe/s4tU1jY3iKq96pjcGPAnsG6bZmhutkmqP1yB3C0HC3rqtxUmlsyA4aND"
    "A4ZIp1KOT+pWGbPIPPRc4UBdsVFdlivl+9X717itjm8Gx0D+KyvgDyEiXi33+iYvY4tpQn"
    "Hk6hTwdpwRISOIk5hMznTFc7BffscSiIJ+MIM8JZkqvI5/nVGyOXeFPK3+ebewfxMNbv2R"
    "62Tk9P7/8swlUxBfF2HQBKGCUj90j8G9mttGRKuKixuXxZxWmnPy1ObczYYf5zst492Xhl"
    "8anlCAciJ4JxCypWOdltyfZJtnn6gZ6IwWwLiP/8oYmxZ4xdBv9UQ3tPushldlyjRWepdF"
    "I29qxIp19am2C4lLbPynQvY+AYnmEkET8altldUe+xzu7Fp4/XH0Z3o7eKXKeX+MM5P1XV"
    "+M2axnCb1txmDF2ozOkzRAb61tAnoqT1yMRRqVmvdvOXic1StF6KlXSuIn7miLRzdQ0blT"
    "cY1pQ3GJbLGyR4sBdTTM8tEZoCcxVS/QEdYT0zqjwhP1jfkN+lGyxpqqVayi1HpSHInbOP"
    "OQohtxCUUa4O3M/SmIwJU6LS+EuUvGSmbIkpW9IDr9PgSMqWME4IR199EkhLVGbuDupcVs"
    "IKjsRABV8VpwIx1Sm4DCkIyCLrhxmjCdtFourIeBkiKlw4MXQOgJMQBdz5M5c7rrqcvEnV"
    "S7LwdC57qW9bTm54bt8cLiXeo9H6enT1VpPOcC7iBR7YvpIVcd/QsihPaorJ9SeIpSyVQc"
    "Zy575SiHaWZH9W2ee7Ymodx1wa5aYaan2VG1N58ykwy6wk2VQ8zNIYJVZdiRX4GS12kxab"
    "3Wa9UmNHX5nC5kF3xBt4nUg02fyAQZ0yi5KhVtwNrLk+u0DjGSEPXIvEjyhYDgAN2QZyAG"
    "F7BkSeE+uUgCL+zz9RgJ21Gsp10xnTQV3kyBXaTmeXBjZSEgXx5ha/nK9zMbSR6blRaJP4"
    "iAiQjdiraKXnatzeYbW6jVNQVxQaHik7aHOefjQKEGdpNAR5JwEQ1cGdcoyPIaCz7SbeRf"
    "8MVYdlJ87KvuG8b29l5lhtY4fMkO/REnkzuhhd/l2P6Fk/IAyKuQpjyZDoFwxx1oi1nNWw"
    "lrMyazF2wM7L/65F8BKm9SahAqmxBPbFSNTEEpjoci2WPU9pLIF9swQqJP/u0qDyDoufW7"
    "KjiOuDOvPJBLtNq2Rxs4bPxMQoEKmjolBwnKcZUhDOovnYg9ilg8S6we0d7G3BA1rSOHkz"
    "tncEj+xmukup3Hqym8c8mZpcc+RgqJ9NZEJc9Z6MOSL9BL/uo2Af2O9qq9iktH1W3nupz5"
    "iwlsNhzx4XcrueqqWqSNfnTd+WuwybcJdhNXcZFsHm0XsWr3ZfRro2/zJLZtL+WufqLLDD"
    "FrYEfSXuq/E6Yd6ZPj9DeDpT6ZC0JjB4SvB0omBV8Kjg2q/uCpMlMi1hGrSE4Xovk4hFHL"
    "XC3i2SGfNecfvSGRyevVIRIdYUGgoPO2jHmGr/ljiXlDrsyGiND2ybZjsutNFMaNdKbpg8"
    "mYb7/mUjX8zLGl/My7IvxoQQV6Ovr+PAVBHVbdUlnoTk7U1IsQkpPrTwsNuQ4lwWssM0CY"
    "kNSKH47ftVhZyjVfHK5W9z9SiggwxK+y4SnAFM4lHNw1ntV12Xb1Lwrga8nigNwYQEgEjc"
    "oHJn6UYqXtp3xIPQ08K/mALIK/X6MEDPoOc8oyiMfafYY+KiCKkG90mhtftTcA4WJHjgBX"
    "4XHhX+VZ6evZhhF4H7TGrnPZ85rgj8qzeJxFukntv7SVwLGMcTeGjB3vkUXPP6S2JQ3NYa"
    "xG2tAXszNo7QVTljLqak/05+cUOnbq7A7xiG9kzEyg/aV/PlH2lmThLgKeYpCN1Oy+ZgX9"
    "O2k2ri0s58T/o5tlebUmFBsjRG4GtU3cnBkkjpZi7WFfEeXayXH8/fj/bvYH3dAPjXlbi/"
    "1qDOsEa+bYbfdJu4gum+4wr+7/PoszYh6twmINn6Nc6sLFFLZ1Y7F8vprpwsu3ZmBegRo0"
    "UZ5DsmA1VhvCLRIR6szvA1+uWu3u6/gvvDp6v36fCiM6DUQIztRIe/Ugn0TR3EMoSmT7lC"
    "D7FWBbMPUij7211Jh4cpbUtcFwk9xFLtCCsh1VBM797HK7pvK6OdpzJANwY6xKErERCr/e"
    "gFMuNC38aFHpC5L3Ht1ckuKYURXdRFF+TNuKJjVeFeK76UiY0IoyDCJPA5leBXb3oJqdn9"
    "6rt/wt6iBfoFMi3O1n1D/wgDzKFQiljLEZlzdotzVp5v0NAIJk866NW+75/V9/cIsqOgoi"
    "XIZtAz5AZ3Fdwh9ZnSaQlPmYr+VKTT4XzdKdBp1oFFEXusoxJILyPVqPtQh9UyhJefyX3i"
    "M1PZzhJS/Xb0TspJ8ZAQ5bpoOSL9gO7eFx0gEQGnhnKOyKC8GWUEAxejIFFelGRvCen+Jf"
    "BMFMw4wm6IPXrKn7ezuJe9l1FLA6cCNCft6iJVTGEq5fQnvr2c1uAHmK2bTD2o69O4IjGZ"
    "h2U/FVVJQ06HmyRkCZY+xPLY9Gaqa4Z8n63Rb0ZvL+9uFQ+G/umvPqRUWfhckRihaLNQJO"
    "CakUiS7FLNfLM0RlWVdtOOPMeKY9fbco7SJJqbvroPuYsRRBL2UevZy5IZn56CTy9pbsCk"
    "7i3tvdKJeszN+3dwumTB1FUu2CnpuQWyfui4/LHa6Ljcf2TFHEbhxC1QGY2nyHpMbeqOAR"
    "XpeZKDsybAdEWiDZr7rsYmsipVlJ01RY9Px96EOJqGpU/Fnkh4pjMTZKDbrs66fAaz6kez"
    "6kqV7EqE2hxg3VlBE4yULHEZGv2Op+5r4SqHNZhgBsVghtWHLvWP1Odh5ilNZdFGyZgJak"
    "n8jaolX06u32bfSaO9FXo+lJV4rrYBlQi3sgL1DPgDpPTEYP6LjNtu/zWp2fpqW58jFwVK"
    "Z6qMVj/Yd9IfDgUB4Sek0zq4Pj9Dj2HvwODfvfyIqTWBjzwsRma425CKn6U0Ti8FpxdlO7"
    "tFgnKOqpOdvrmM1hGb7gRebSw5OUJjwOmzAYciGNgzK0RflRISC2R9jpLoZFl3kZAYF25t"
    "833lKc0H1ucPzBSNrz6/jrN8uCka/xRXXfKxl4pFMw0raLfqeUrD0fuzyBKOTuZ+25O7SG"
    "tWus8rnS0qXVromj4QebIem1R6ExG/rrOtgHOOyKC8GeW4bpgayFkag/FmjCOq3DcmQ6KF"
    "Ir3ntjERNV1jNneNyWyyiqYxJU7RAai36TzHxSSagppljjlU2QuAq88fPpxI5YkOgH2Hdc"
    "a1IEE12LCxLGCA3QBsTmRSbh7F7+yq5c+lg+Y+CZFnL9liiQOi0PanMGJQ1/oHr8daD2jZ"
    "ov/PAoczAD2QmQmwmb4XzW9mkM54IxzeVAd7fhQORPscfgs7/MZCNPIJAW8fVd8xqOPnSF"
    "rxfFmdkMTP9E1iDzn57bfVll2tUONGNXVpCVJpRhLSmezRuvP1sC62PeYkVPemya1bYy00"
    "S6SjXNm5L/8BVSRPygFOhmsI7bfDJpmRbFR1IOiwlB0p+JfFOZoKyHkqDbHu3m1vbCkSZt"
    "G5nm/6he0BZOM8rYb+ON1ojZynxoRmTGg9VJ6rTGgX57cX529HB9ScvZDX65DrzPG9wQZt"
    "mY/CSEFPpmxnPMMeYPpnrL2K54A0lDtuZTtGLvGmFISED4K2TSIvlOvDW863uQWtkm7b3y"
    "asyY/WsAMrpjRSS3ZcU2jI9IdnZ02yNM7OqrM0+L2CBzAa/wvZEmmqxgG4JjEoN0P5AS2V"
    "Fd0szb64yxEruWgOZQUlqvFdEWio3A4b8eZhDXMellQv8bcCvul4/eDdSVo04sXurDGaMB"
    "lbVbct0pogsj4HkT0gX93smSPS75Pq/jyIPBd7D+0irvOk5mvq89fkQhpaogeD+kIXac1K"
    "93mlje23mpka26+x/WaPSmP7faK237+R8U3knUgsv8mdQZ3dl5fbCCJPwerLC9D/iQJGxK"
    "OPoCcuuEvAZjoFdzME4nXlEUyAQUQBYURxwUxguxDPAa6w/3Y2szQCis3C74n6+Sbo6SiC"
    "npIla3oKJMN1PAE6D3SSt56oF6oqWk/oIE4difjUSGpmx7SsEk3DPrsp8R675tx8vrq6vH"
    "qv6MTqaesLeQx6ddm3NYWp97ZVvTeGw1zltMiQ6Gdd20mhsR7ltvft/NBYHZ9gD9NZq2Uv"
    "kBpjW9/EhpJN4DAq7EeI3TvygKRa7PrmoE6R5b5dpvGxcQq6LCdCDuDG/1NwGQplkquVNh"
    "JJNhMSAMjuzjHbkIBv0R/YTaaR8uyb2x/Pnw3PXqW5OeLRAFNAQxIgR67h7vh5myOgvmSt"
    "GBkj6W8mNKoHJrpBjS7sRwH74lvL9RnyPuvHvRTq9xxo0jvZZg+RJkgcVew0kzSQqAk4yZ"
    "PpJ8bvBGxxciiHI+SpTHjaxnAE9NXHbGe2EJvzlPvRlvaJ/LFLzQVnZauAExOCcBzra0IQ"
    "qhmovjYPE4JgQhBMCIKK/cYLkSeWRm7BWd0ebLDh5AZutOHwoIAMEaALHNozRL8HEFAGuI"
    "tAQBYDgD0GHLepjJfszhxP47IYZSNNFxN2nIe2daxBN5L4t7viM510zKu2m/BDyuJGtDKy"
    "G7rRZ+hMZw6Fzhxpvia1yGSi4gotEfajDzp/njZ90B2I3aVFfeQ5lg19yZFb3Y1PQmv68T"
    "Xox2cqwVdz/+PUISSqo3j7vvjT0HzM2OgM+1JxbH23XhpbjVOpCRCNV9dEjj6YEy+cuUvg"
    "u9DjgpNwZokwozihn//Xh8s58sJ1qj/P0wAB8gkXsiqqBezqSYpeNP6AiGrjQRtj12Uo6+"
    "dAy+4X1QLYZVLtDOA7SXFNvg0p1M1iEaP2np2n7LI0oVpthL2eixhlO2XAoF+0cTHlCI0H"
    "os9rzLStVk7ENZlZ3z6vr89Tkh0mcKqvcYHUrHOf1zkkbpvzOENmDuNeL7BxFVeLu8dp5j"
    "FtHp/iqlcZ93KHtgtVjQgZkj6rswe235gYDBODcZwxGPKmRPyr7wDT62QaTTHN8MZedSS6"
    "hjT+xAouFHF9UOc8YaoZbVpL+Vyk+jwbE7ZCwI8CewYpirsCJRUwoOuSBd8hlKcNUXE5Lp"
    "QxCcgc3K+Ndvc/gPjRYEI4kaiRAT3CPRllP8pen6zoV8lEQRvfSg8OjkGNbyVAExSghIM1"
    "XY0ckXb+lGEjf8qwxp8yLPtT8JzxKWr57CORF/CoDhYrU3YTOXZoEamT8LE1wtwpTFohLK"
    "E0CEsQ/j2CbtKOoI1TMEPe43yvDpyCTfpvVXffKvXeYgi6SJxGEn9sdUxegczUKGkfepew"
    "YJ76o864U6r9sZTnR8JPEr6rCGuBysBahNVEELRhHD23Y0q8y0eVpWqWueUyB+iRtCuNnq"
    "c0LuY+r7LxQFYfj8fpizIeyKe46sYD2Wx1jQfyGCE2Hkjjgewdptt4IPNVtSXmtTcJ2buf"
    "bpArEsVrcIaU/pjYjzXB+o9du2gFXhVu2hTLelettVq5ZkUHVm5RwC1IPNeMJA0MROsC4Q"
    "n9IXGWwgABUZWQDRRO0+fyugMdzCltfDAjrhPzQ9P7QMGSduDeB4reJ+NyOqm2ZcY2dGWj"
    "uzEMV9vblU3tBkwZmDFvVlQyckRGzVBXM9Yn4rZCcRIHdmRwNxWKcxutTwWnhDIiE/gSJa"
    "VG2GMjGoflZQsKAFGbm8tgp+A8vhKgOXlMBTBRXCAgE+wiXpWbd28V9bx5re6kkoIs/m4X"
    "j+i4AFV/4+k4RPoF01E3mqqsQjpeuxC67mvyhjh0JTGK1eEvK4L9l6LSKPLlgf1O+Y7eHO"
    "+V0vZZzullCQg/wLJ43DoNfkXSSlDvmWN3n2p8xgUbBTymuSK8scL5mqHpcUxj2wOzyXlZ"
    "fVyW4hgD5DCBR8TZCuFJQROV0mq01ztTS50ormdqVRi0KxEuExp4q+xRhwzj1xzgw0fxaw"
    "6wCeI3Qfy92Nj7VmWYiEwC6c6vrSadJTPFpBWKSUde0g5PEfAcnUFcAXHoYwvatrQVVy3k"
    "eUKDuQLm/MwYw9BWUWZyNMbtKytETyhOg20agpolMZjKVBfKvvEQP8osS3XMIUe3R96QWq"
    "+PljWYmP7qvX2c0d0mpv8prnpVTH8pTKFJnGmhNH/7aNN8L4Aj2wmV8aaF8qpUFvulGpOr"
    "LT5J1Z9tIUqmOVoLQj1KyQe3HUYN0xKOBZ+dBvgk7TmuYUTRiSzSJzdgUBvykwy1fD62cf"
    "DPqkOI6B2CKfBICGzousgZgDGy+WQA894hEz6tiM55QEsexMP/mXSil8X8dDjzFqE+6Vuo"
    "eCqzNNqFm7wYNvFUDmtabW+K7LHTzdrYM5wS9Dn6oSXc3Uc8jNEUei1E5iydhgLz8QrIZb"
    "0I0oc2tSoyZGaBe73ADFBa4d+qNNrlaIzVLjEiKSiWO5XkUsVAJsRllIYa+S2roTTrQkcC"
    "Ll5VtHwbxAVOF0L4CsE0gCKNDnpOfG0BKRO9Hpm4X9V6rtvpFeuiZsx6bNiXTJes7B1dIr"
    "xjcKl+Ud5iDykm/mRptBO/TQM6naKPMWXqtjSDeIOXKKUy/mM1JxEPbFWQmTIUJiuzCGd6"
    "PFvquMpIDcBFgD0UWnDOrVgSBlGToJCn0wbXPecocLsi+7FOqyWQEJt1MLkivcwV4cJ3Gd"
    "zqONl0vEn22yJCVigprUIX8pSm1Gif7XQmLKmapR1ngIoJS3qKq14VlpQPobEf4BSpVhvN"
    "UWkoq3Reb/QAJV2fGMIHqOj6BBCuqbS034KuPcO6aZklxXquMV/tANULYaK6Xs+nJ7z5g6"
    "h3FXOPFdWetuy8QTZ5RMHygv33ROJzzt0f1Pmdg2Qkw8JRcT7z4XFo34IEDxQQXtIVe7yg"
    "F/sHmQivMWWTew6bxg5J8IMo4RWQBQ8GjKHkzmLkcQcyuxRVeqJ3+KwtQgv5W1kzSCXpbD"
    "WWrSyRdt7NrmpZVTuUTbV6vYWbvoG9rXRz4BKSt4IpvhM8UXZO5O7XnhMxe7Vi9qpQQzzH"
    "lkWJby+N7f5e/DtifNcLsQ35ffZ83oE5rvqdMPp7ji09zb2ARTG7dc9ZOUWS8PO9PflX71"
    "dPlDX3/T/xK3aAVsHulA1HzvfJkeOgAK+KXN6OLm7Yzvxp9A8RMiXOL+huHe3eB+7Yo+No"
    "D1Us2aKpoJ2O1/Ag6r6OZfw1KYtYBTIDdQOoXUhDi4bIV3OT58iMg7ylg9w4mTRzN1Q5mb"
    "YKVt8kkTNF+Y6wP3Ysjx/0eN+NNL6lhE1p/CskwnV8a4NcLQYpWF4SCi6tUhCSB27UYAIn"
    "D8lLRM4BE1/dpZAqxX0mmd7+eP5sePZKbl/ZesYnU4s90R80jNQXy6osa+WptFMguhe0jq"
    "sT9QF4e9/P9kZxQ7FcjFCbPN0irYkQ6/NKO+hRWoC+mmWuKfTztO8ku0l4eVQQXhHoB/BO"
    "jCwZ46Y6u5LRG5bVZ5Zl7A3VH5te9gbT5ts4To3jtJ1Zh61R5L8hXhRviqJpJ3N7UGveEQ"
    "OtMR/ZNLyG+xPnELtj8lV0vlvMsD3LeC/BlMRFGfjkzyIfiNl/iFvliSCXTAGtTACM3E26"
    "sycZP2a/WNWgxvqDHe4Jr2p1UWWLW9N0Imn3CPFu5OyeFKe59dlC3XFLnZSVre/WczI+zh"
    "IGv4Z87GcesTePaCiiIcZJx3c4ZZh/DyC76MXRezBmL9gbxL1BYwt0HLCBKY3SGoK8pgwf"
    "ySYhUcgGlBnafh65BWczZtaDhA0as6uumm1feGy4FL+3zF7FjXrOyoc0rtjK53d4Ha45k8"
    "FCNPddttdkBVirB0r415dM+yQ+RLTb/a3A1b6ckIW3ErPYn7oU4LIZ33DJNEL6+fUO22e5"
    "Vxq/6bS8/zNkJ8UXsq+pAH6BzCzBFkvAOCaakkCiMNY06MvQmO587bGnCAb2zArRV4k0e8"
    "euVnlqcmRaMPg66XX0y1099Cvh9cOnq/fp8OJ6FFqYxR0SLB4NVca+tupfkdSU/lMp/Ueo"
    "ZK9X1/1LhpumttK6aIgX10KWaLMslw03Vw2VTNNnjtLL8qGxbqbCw9cUfQa7t+w7hs/ipa"
    "tJFFr+jIREHf4yvQ6BJvtei0cYYI6EUo/nHJER4Ldp8czQigJkTYirXqJbSqzDR7Dz4kem"
    "Watp1nrszVp5PR2kWvR8TWQUH9MY1wTrmQqUT2rVJf7LUgXKtQdOURwrEWqhHO5aFsv6Mp"
    "sinaUx8m4DeTdRFNqpFx3i3KNol50HHuc9+VuGH1/kJjsyFtI0CLnEQBvUTxSsoAOA9a76"
    "mWWYyhUU12An4MhbJqp0p36/mkgfzCU9qkscuIyaYr0IEcd0vZ7smPhv082aP3eabNftY8"
    "ZSSKtCxzKQb4ggs5LXb977Ox6fiXRFoUgDgEBMyCNm6Ry6LvgZja9PAc8WSJ8RE0FGTWfY"
    "93l1Td4PMg5lAzP4iIBHeAFOaWvwvT34yRSm0DiCrZWF2limFSV13gWytTN4Rbw/xfPken"
    "T19vLqveIu76UfeLwMkUXxvyX4V7oFcjTGLyAxnS6wE0qyLCoRXY03aErQnDGtZqYSg7Mm"
    "MHhK8KQzODx7pXKkrSk0NO91H5ttPCfV0B+nDd14Tp7iqjfxnBzElN+79d2vlXnP9s++ob"
    "0XA6hSxmJWl1vK0pJSO2lq+dtsLV0lLx6XrlxrKFUw0H32XQLzVqH8nUGdUS4SYxQKuzo4"
    "QHYIYrq4GCvX8iiYwyWAAW8fAHgOZ8Bz1kV11h/i4hwLhHx2NUBz8siG43AQ573zYUTSHW"
    "HXD5Pml674BXbQ3Cch7+9sPaClJMs0I4DpkmE6Rw6G+tnm2ONDURaCI6qwHEU6HQ/gYRPw"
    "h9XgDxXMRHVF+rW1FO25Tn+RbylxnxKpfjbpb4evmxhGh6+rLaP8ntHi9dbnmmjxRp8z+l"
    "xPdIbBwfQ5VWWFImmLt3Q9ahQV3uWsuZqSlPuTqxXpTd4X7d4WrXepaJYGgQ3t2apbp4uc"
    "KQp4y7RoPgD2DHpTrkOIJhOJ2hA79mEyFLjYQ6fgnikivFfFPZgGZMF1FkaEBr96SU4emE"
    "KfDmJSrrQsgU3mcxzy/p/xU/gbjKHLN/EAiAp2Lpqzvwe8VM4EuygpCbYOOWJvib5iyo9v"
    "dpP7OiPKnjiBjyTAIeLDKWNLlbV19Iw40LcVBuIlMVWWYkWgXWW2F8NGaA9r4B6WQg04Wl"
    "wYYPKCJJqvGuYinX4i9E7gFrvTYrwQs0mV07ZKxCZ9SyF9K5YW2MHyiCTB2LXIF0kN7gq4"
    "+5DSBWEilWqlzRKhhqrE8OysAZdhoyq5jLhXysKdRkhWpWVTEu6KzOxwhR0u/lbY2Ol4/Q"
    "7NnTSdqamNU7GRt6qC02uAh89fNrHs8WHVHEPcLFQiIjIvZcPyQ0RaR3GXAaefb0c3iipO"
    "L6NNXWLDKuDle3tNod/m7h5fdqTFtd7Uj8I1nTkLFc7CGDaLYk/WKKzeTVCkNb2r+hPnVX"
    "YMJKsVeaHMQtNopVe0ZqX7vNKJ7VjCQ2tc3Rki042+nZebPKLACeAktKDrkoWywUhKb04z"
    "hdMs8XCo7fwMkdn57XZ+7GeyKGIASAWJOvwlxGYd2q2DqCwbQJeh6yipKSXCPVUOqfGNeW"
    "hh5V5rT06y7rWa+FcgxxovFQMzypQ70iKPvaSL9CPwIW4T/SSjNwJvnwXe1Yq16cUnJdat"
    "cNKum1+3sh9UTGG+tT5/a3MUTNmBxH4aUTzMypT6mUR3UFwi4t0jnVZxvEVa82X1+ctKGg"
    "C3WOc8pVnlPq+yicqvZqX6RuWb3HrdVl3ysZdy630XqtYjzpAY6Ug5EYOjV0ZbOQ/jOpnm"
    "uLBuXKpxvcW2KCsKfczz8basKXru45/ipL4j41qVefLZ758pttviEzk4HHlh0ASjI9mPeX"
    "FohuwHEm2L00Uyja47id3xKLQ7qOJ7Ify8d+v5dIVM5Kigrz4Jtt1cTECDIzGRrljx3K0t"
    "QXqHG5U7OUp4DlNC+yihKqTrb4nX5Xo2jcWExPGAt/0ELzMODB1xEvlUIXlA236GH9lEd3"
    "webZGKGybPsL8tUquJdIWKZy1t++FdwzirUkt8osCewe0hSqbRVI0JkM2j95YiUGVLqG6S"
    "uS6SUBwddxXbT3R7ceo2nkVbkERjhi0h0qwMYQmfXOuOLXFq3qPlKPdTpqpie6DW5Rt1hG"
    "iBxjNCHizkOT4RlFuB9XM83SiZTaPvUKkcT0XUUDW2CmVWxYTvVvNpBK9CAaNkn71FLuaS"
    "w4mkllFxyKCurFH6GTjxaNy0MRIvY4QemRYqWhIR/r9k6/MyqbyWEeU3YQhcBGnIRvCyQN"
    "BdwCWNCw+JOqnszcH9nB3u7Nda2LkH0HPAmDhLeeGknT9xc2GiLyfpYxPPCvuTDfmybu+i"
    "YWHWZJdoWMZovRNU1iNPpWH1i+6j2wQ6ChCn43UEt/uit4x/lcG9Q1+rqt0m47UAty6MZP"
    "TLXS6CJAXxm4/nv/w5F0Xy4dPV+3R4BvSLD5/eHHsTsJ/PL+80aQI2kSedVWacTbTLM+us"
    "txKXklC7JPECqQlD7U9kWjkgEYYhmvsy/bbyq8mSmA+n+OEk6FgumZYx/dvtp6taUFOy4k"
    "eD7RD8F7iY7gzfjFg/jrAbYo+e8uftTJavQZXDVH8wF8/gwpfBJygezB6Td6wUZvX4Wwm5"
    "hkG4OrG2KX5kx5DfYq3zlGaZe73MiW2qbcJMjtbIKn1eaZMy8ySWuWBBbWoSKpBpYbzYc9"
    "oEyvintkydUPd49Q37pmkUhX2XS6W4OL+9OH87OlQ/i+IiVLuDsuu02R2U84pu9gadg883"
    "H0A4g2HsoqEABij2x4SEgTojVLSUIOvmF6KBxOoGdN30BgU47n5BUch0lCkF/AcBLOmlsb"
    "/HPpmGFfp6eqJAqV1FMlzDQ2ZXlYqzL6cAdIFMv1zInZTejvmdiv1pTbGV6alnUO/bxpQU"
    "z7RcJtqWwG9QdTMlNC0mJSvWrPQdha5Efq1mMOl4DVn5Too9BShU7ghSIDNQN4DaD9AjJh"
    "G1VDd0iVC/M3OHaLfyeJapjSGxzxamCcQu+63tqtWViM1a93mtHUw5yK28A3lSs85Hsc4B"
    "grRKx9wcgSWZpsfnZy+jsDwSik6HbZzseVLzxfX5i7NdyNaglTsuR2lWuderbJyulYz0OC"
    "vWmTqFT3HVJR97OTGUokDR654h6bGc1FeHO0evjLays/1zMs1xYd3UwZ7ZYqrO9VKU2Na1"
    "dSTpk0fGv7pJ5W0ZicC9TCc1YQji/qBRDMLKYdUgAMFLckNFMMACUrAIcBgiD4yXALJfj6"
    "dTFAwA9oSPP1NkL6awIduDDsDhQOSDLiAOKQgJGCObzBFY7y1JEMJeH91xIEKdx0rK8yWO"
    "quSL3i4SQRMvVXX4gcl/3GH+4wHEmp5DvIPuFON/IVs1ZDNPZYBuAPQYulC5s16GqFVkQc"
    "8Ex8MEFiQgWmM0IUG7BcjQmnVouw7GIFW5IMdriogtUCVN+UBh0yR4EMJzWU2J79QrKGKM"
    "QqGcmAD4AbERpQOwmGF7BmI7GgVc3g/IIq5RA8EMwSAcI65LzLDLI5B5bRvItQB5UZxOZ9"
    "9CvxB/K8gG6fh9BTsfXfBKtTLBHm9HQcCrJZcRrw5BzFPpFILYWXI3Rchr039tTWZOnd6d"
    "OoXqLUE74SJPaXyafV5l2yX2g7rTOiEya9u3te2J3HiOAiZbyeTG5E6t3AjXYzaJjdUL27"
    "EB+KlYf7cUEKpFsUemCShmPGVINLSIDc/OmmSXnZ1VJ5fxe4WaO76vgnAyXEN0d5JMxp4Y"
    "IllSeHU2WYZk/5WMjjyf7KCH2R//DwM84Uc="
)
