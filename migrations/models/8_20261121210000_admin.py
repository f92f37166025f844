"""The audit log of admins, the maintenance switches, and an index of provider costs."""

from tortoise import BaseDBAsyncClient

RUN_IN_TRANSACTION = True

# SQLite has no JSONB, and stores timestamps as text.
_TABLES = """
CREATE TABLE "maintenance" (
    "id" INT NOT NULL PRIMARY KEY,
    "read_only" {bool} NOT NULL,
    "providers_off" {json} NOT NULL,
    "daily_spend_cap" {real},
    "updated_at" {moment} NOT NULL,
    CONSTRAINT "ck_maintenance" CHECK ("id" = 1 AND "daily_spend_cap" >= 0)
);
CREATE TABLE "audit_entries" (
    "id" VARCHAR(30) NOT NULL PRIMARY KEY,
    "action" VARCHAR(32) NOT NULL,
    "target" VARCHAR(30),
    "detail" {json} NOT NULL,
    "created_at" {moment} NOT NULL,
    "actor_id" VARCHAR(30) REFERENCES "users" ("id") ON DELETE RESTRICT
);
CREATE INDEX "idx_audit_entri_target_4c9481" ON "audit_entries" ("target");
CREATE INDEX "ix_generations_spend" ON "generations" ("completed_at", "provider_cost") WHERE "provider_cost" > 0;
INSERT INTO "maintenance" ("id", "read_only", "providers_off", "updated_at") VALUES (1, {no}, '[]', {now});
"""


async def upgrade(db: BaseDBAsyncClient) -> str:
    if db.capabilities.dialect == "postgres":
        return _TABLES.format(
            bool="BOOL", json="JSONB", real="DOUBLE PRECISION", moment="TIMESTAMPTZ", no="FALSE", now="NOW()"
        )
    now = "STRFTIME('%Y-%m-%d %H:%M:%f', 'now') || '+00:00'"
    return _TABLES.format(bool="INT", json="JSON", real="REAL", moment="TIMESTAMP", no="0", now=now)


async def downgrade(db: BaseDBAsyncClient) -> str:
    return ""  # forward only: restore a backup instead


MODELS_STATE = (
    "eJztXW1z2ziS/isof9nZKsWXUV4mN7O1VbajZHyTxLnY2Z3aZIqGSEhCmSI4BGhFu5f/fg"
    "BISnwBaUKiJArGlxmHRIPU002g39D9n5M58ZBPT89C/BtanvwM/nMSwDnif5TuDMAJDMP1"
    "dXGBwbEvh8IQO3doKS/CMWURdBm/PoE+RfySh6gb4ZBhEojRVwECfPQpuJnJPwBmFPkTgC"
    "kI0D2KAGUkQt4AkMCXN8H1r2dPhi9eAhh4YDGDDEAQooiSAETIJdMAU0T5QDBenopX8IjL"
    "3wEH0708LQ7wnzFyGJkiNkMRf+aXP/hlHHjoG6LZP8M7Z4KR7xUgxp6YQF532DKU1y5mMH"
    "ojR4pfMnZc4sfzYD06XLIZCVbD+Q8VV6coQBFkyMvBHsS+n3Iou5S8K7/AohitXtJbX/DQ"
    "BMa+YN7J3yZx4AqegVQSUi6f/s2H87EH//739A1zNI7z4erGuR7dOM5JhfHifUrcSS+5JB"
    "BCgwNGJT5z+M3xUTBlM/7PZ0+/J89Z45SMEg/8x9mni1/PPv3w7OlfxQMJl7xEJD+kd4by"
    "1nc5BWQwmURyZc0G+X8NRmTju2FFdmHNi/V3kwGbQbdzsH982gZtPqoWbnlP4L3Gd8afpY"
    "NvNt5AfJ+3QPd5LbbPy8hS6Gshm403ENmXbaB9WY/tywq4fK1zZpDOdADO0+xrpT5iiN0I"
    "CSgcqJDi1/wOw3OkBrpIWYLaS0lPsz+OUbr5D/SuuE6SsrwB+pvL96Prm7P3H8Xj5pT+6U"
    "v8zm5G4s5QXl2Wrv7wssSm1STgn5c3vwLxT/Cvqw8jCS+hbBrJJ67H3fzrRLwTjBlxArJw"
    "oJeTzuxqhlqB6z6kzInpRnwv03bA+fSV+8L4I2F0hkkjpzmjIkdPy82RGLhLdaPMCoNicq"
    "fUZQV8VbjfcBMHTwNuyEnQL/kbwsBVKbGprv85nebIwP6eSVN2df15R3CxssDyQsZ/O//F"
    "iCVieXZ9cfZ6dCIRHkP3bgEjzylALe6QISldWY2t3poP5+UrMIBTCY74FeKdM1s79jAbBS"
    "xSW+Lru4NGa1yMcxAfiJGGSc4HDMAiwoyhAOAAcGOWYwcDChMrkAlT2MMeN33VVrbuBI/H"
    "cJYM8cnUPNM5Ya2aGaMgnleWmwJj1tR9XurTb+y/EP89p+GyLPutGDFsw4hhPSOGZc2ZwY"
    "h/NjpfwZpiI7Af1pIOZ5h0JedreD3EIPar8P7P9dUHNbxrirJKil0G/g/4mLL+yHQX2qjA"
    "oqCIZoD+8P7s9zLWF++uzssappjg3FqE1iIUGwHRNRTyNDta0Uw2FCR8+7MUegZ2W0MhL2"
    "QFS+ETF/lPlxc3hzIVLmbIvSMxO1EYCqt7jWaCm47SMBHuMcUMMCJV+xAu59zIAGFE7rGH"
    "or9QwLDvq22D1pQPGwVf8tZbbtH/wxBrIUXHPFuB+vFUK1iRju+zbdAbT3r2LWluoiWyTv"
    "bRHkUsdhLOjCOFYXCDvrEah2aksgqOUkVp0jhHv980GwMrhfPd1Ye32fCyhWCNAWsMoG8h"
    "5rNtwPUipQ0N2dBQv79hGxrqn8VXFxo6uMFHfB+56a+umnzru4NGo281rqXZdyasNC92Gf"
    "Axt+PIBFC29BEFC8xmMl2SLAI+BrtIJkxGiNszHgiJj11FNub20z2aqJEExlqB3VqBPbJN"
    "urcBGWa+IpG1PmaxIrAhiy1CFvnX1AC/RGZZsAULxpAiDi1VWAyXQY1dXqApoZ8mIB8Z6v"
    "x9+f+eDH98/tPzV89ePn/Fh8gXXV35qYExlx9uSqgmm6+TbL7qNfvhGH9lkj6r7h2E+n98"
    "2cbjVLa8cg6nl+Vl/c8Y+piluTxtV5cCkV1btlhbKP63HvQrAgv7FrDz+1i9pdau6HkSu6"
    "ArFnRMHZFyda9QEs8J8REMakyhPF0J2TEn3BW0mXK+X3E+v7p6VxDn88uyr/rz+/MRX8Wl"
    "bPNBOHERVAG3Dux62TbXgR2H3oZcL1JarveF6wqPtnz7ire13jeYUyikx0uxBKd0b377hH"
    "xYs5GlzqFrMccR8r/OC/t9p67TCHmYfeRzQbmhVr2nhQGDRgeqHOqEydjWTlRuT4xRJPyd"
    "yQQUJOfKhaNT5SV9cPyjcYOGPgysF9R6QWugVp4pFR+Mht2Qo7Bmg0KLlauOYr/C03pTLC"
    "MxCdD/Hg6fPftp+PTZy1cvnv/004tXT1fIVm81QXx++VagXBBphfEQRxEK6jxvNaKco+mz"
    "o23ThbnNuly/LFeS5qyPwfoYrI/BWpv9sjatj+Excr1TH0MYR+4M0m3dDB/TaVpIQT9TJQ"
    "/haLhZn3k/qXU25AcNWjgccgfpNQ7sZElW4tSNj7wpin7hKOAp/4PK3CqKxKEczuNgygdG"
    "IMl3qz3iv8V8X4OvwS1FXDgCF90Cl8SB8GoEALry779QOXuSCUZiBqYwpIOsjgCJvNQdQu"
    "Zzbqudglv+OBQlk1G4pEmpPvlifJqvwRj5JJhS8To/3HpI5Jz9zEXYOT09vf2rzC3DFCTS"
    "OgCUJNUJAsJm/OeKW1khA7ZocLl8WSVVZr8sOYaUc8P852QtPPnkQvmlFQgHMoGZLxZUMj"
    "kVtlR6UinPvs8TOZhLgPzHd0N8PYmsG+jtyXhcXYwbbOg8lUmmxp7N6OxD2yR5JaPtsynd"
    "y5wVjieLFcpHO9jX1PsD/uTi6v3Hd6Ob0WvNVaeX+MO52FP11ps1jV1tNl5txtCH2it9js"
    "hCvzH0qSLp3HNlVOnUaxT+KrFlxcasWOnmOtpngci4QNew1VHkYcNR5GH1KHKKB38xzaN0"
    "FUJbE6pGqz9gGKxnLpVHFAXrG/K7DILNEYPCcq0CXJ/inKfZKsu5Z0DvO8nZxm7qZf44vf"
    "itYjf26Ls9+t6DWMjgSI6+85UQjr6FJFJWO8vdHTQFUqR3FsmBGhGUhCDpHhSRhYgMCOc/"
    "AmM04eIjj6yPlwxRACM+hYgrcClaitACw74YuxR3wJQEikTPnTyhTQk1sghMrqGWYmpeII"
    "Fx4Lbxqu7Zm33ycfTh9eWHtya4VH0kDgzLj05XWSuR2sJE/UmxqGpnkDE0D7USiPMk+/Ma"
    "Pt3VotZxRqA1cuqhNtfIsVXcHsNimdcj2yqHeRprzOobsxI/a80+ZM3mxaxX5uzoG0NRAP"
    "3RPQqUFm1xwKDJqEXpUAeJsRp2LZ8J36NoKXLqIFig8YyQu0HaDBcQLjjcvhQ5dyKjjqIg"
    "KdMtirNhb5CZpjBYrvLlPCJaAI1F5l5d9uAenqnM0aMkjpIPQaIkZKKcpcct4pi5JNlOIu"
    "Qi/qJGWcTmVhVfMbf1WcoVhYG7T/d27+qb0YA4T2MgyDuJ5dfnKaoxPobcxE2FeBdl23Vj"
    "nJ3EN/uG874DnLlddROXZY58j07LT6OL0eU/zEgEDSPCoZjrLCw5EvOSJ160WlpeNCwtL6"
    "pLi3UZdl55cq2BVzBt9h6VSK3TsC/+pDZOwxkMPH8jthcprdOwb05DjVOsu/S9vMHy51Zc"
    "LvL6oMnTMsG+TjflkKuJcZQUsRcRfDaL5+MAYp8OAPT91NFxh5ZUeEO4RSr9HHN4x4VA7T"
    "3ZesZHUzJKsMo8RwfnYw0XHtajM9o+24q9VJ9twsXhsOePY8KNpOsYKdP1Weg3XW067ycu"
    "MswcUbm6inTjybU8mT0wtfEphwX2OGMr0NfivhpvEuadmY8zhKcznV4QawKLpwJPOoPDFy"
    "+1YiwrCgNX3x107sl0eUd+2FrtBlS01me9TecBH7poRnxPlWXR4DYtkhko989b+U6fN/hO"
    "n1d9pzY7sB59cx19tnydaVxXeP7St7fZgjZb8NDKw26zBQsHDT1nrDisrlN18e2qOMPRxi"
    "mqdRcLR86hhyxK+65OmQNMEQEpwlkfB1lXDtGIhkSilB1lYEIiQNaxDHWgo26wqCA5kvmj"
    "aX1JTAEUBSFDGKEnMPCeUMSSOo5zco8ouE2L+dyegjOwINEdkjEReb5SHrVczLCPwG3ueN"
    "YtN5LEScsZ34NFpOVrIEItt5OkzmRyNBMEaMHf7xR8VLcplqcxucTSValMDy4BZmABKaDc"
    "QGgZjSlUjhxD5s5k5upg8zKR4hvMzUkiPMUiebjbafkc/GPZdlJDYlHrz8W8iNRKJjX4ka"
    "ex6lyLqkNz5GFF3mK7CNSKeI8RqMv3Z29H+48/vWoB/Kta3F8ZUMDSoNAfx2+6Tdh1uu+w"
    "6/9+Hn02JmFUWPwK0X/jE1hb52xNVEJ9Iqh2hfvT011lNDbA+vrq8/m7Efj4aXRxeX2ZOq"
    "BXbhZ5U1xa9+z4NDp7V0EZ3WO0qIJ8w1WgOoxXJCak5Ta5tUa/3zR79Vdwv7v68DYbXnb1"
    "FxHfqCroQaqB/rgrTeUw9fuI7yOpEju6Te8UpAaqjN1HE2WDUW20i1QW6NZAM8x8hbLS0C"
    "C+SGaDtdsEayMyDxVBpKZ9NKOw26j+Njrhb+Hog14iM2J12bsGAyMsoNDKDikQ2ZVmi5VG"
    "nRzZ0iRVZ0j2Su7754P5M4bchKqp/Pww6Dlyi7sO7pCGXO12pNtaR4Ms05mwv+4U6DTShT"
    "xHyoAO1gpS8+DeSR0AES3ULmhRIDIP6O7DFghGPkZRqvNpqSwK0v0rLrlI3jjGPsMBPRXP"
    "21nwbv+GEyaRcndt6maxIrFn1quOLqpz5CAbbg8cKLAMIVanUbXT/HLk+2wg92n0+vLmev"
    "9BoI61khBSqr09rkjs5vjw5ijhmpFYkZdZv/jmaQxqJ9RhzRCRg+UkOVibrhyVSQy3HLuP"
    "HycIIsXycU6Ij2BQZ8+syUqYjzndrkBfXdmvRnd+dfWuoNGdX5YdgJ/fn4849BL5dShZ0f"
    "XQ1h7qdh2Z6Hdqnuy/TfOO0dz38WeZnKujcawpzFM4ug9U2t4V5lZWKkVD77GHIseF/mZ1"
    "tNQzWK4fDdd1FIEqoTEbWHeuiBQjLXM4R2Pe9tR98Rnt6IeNeWjGPFYfutJJ2ZzZW6TcML"
    "23Z5jvPL03RS0N0+m609Tk5gn7TgqpoygiQl69jdM1ijP0GPYOPEDdr+aYOhN4LyJFKjO6"
    "yQlUorR+IA0/EOWSvUHSb4GqE0l/+JTkERvSEq9N7KoCoTWn+mxOUQQjd+Yw9E0rxbVE1u"
    "fAQW9TXJOyG5t8X0VK+4H1+QOzJb/q96/jLP5kS349Rq4rPvZKqR9uYUWbcb1IaVf0/jBZ"
    "saKTebjpzl2mtZzuM6fzNYMqjG6o4lck67FLpTdJYusySho4F4gsyg+jnJzF1QM5T2Mxfh"
    "jjmGpX/cyRGGFI77noZ0xtzc+Ha37mhKym5GdlpegA1OtsnuNaJNqCml8cC6jyFwAfPr97"
    "d6LUJzoANuvhZSauJQ2qhcAmuoAF9gFgCyqTdulfcWdXBVsvPTQPCUOBu+TMOlEUbS2NGD"
    "QVbsXrsY7oEidHP1i99WaGwBzNSbSUXeUCJDrMIS8r0vozWIh6q6KyKaR3yBvIcqiLGXZn"
    "osIqFWVPRbXfaqXXLidW1FL9stoDSZira8ufcfLHHyuhXPGgdaXRpjRgpb6iSKFKpbBpBz"
    "1sEG2POcD11UULfGttZ+aJTNQcO4/W36GawzJqgNPhBkL747DNOTo+qj7xalg5S4eDMGbO"
    "DFJFc6+GosUFKgOx7j4wb2sR78GQt4G7euiPM4TTKnBn3TfWfdNDw63OfXNxdn1x9np0KK"
    "vtPcT+DblDyi4b65uDJlttLtr5MTFOo8mGj4O7pP2FsJrEFMg7BZdMtr6g3MRKm1UEJOmt"
    "4ZNg+gu/7C9lP/HrX8+eDF+8FE0u7lDI1L05dvCMhxthfMmzOreT/KFlufW3R4SA0bzuEG"
    "Ec8Y1o4xzsHHmft5BensFHQqJ0voAVQZ+h3thkbiXqwwZZH1Y0Ybk2a9t1Rap9LThHbNWh"
    "byHmiuwGBkeRcj8Gxz6RPxL7olVOiWyat0FaILU5Q0fBX+s2qF9ArdvAug0Keoh1Gzxat0"
    "HAUCBZo3YcrG4PHnAdFAa2ivCK8GtEFgMZUgXjpexaOcfTtHOhMnjbguZh017Lgt868NqN"
    "Pr3j/jxbVq6oN8jFVuMIV0wV2QdKs+Xo7JlcjTO52Tl+6pDJpIp6fQnkCqEtgFxgSRcFkD"
    "2I/aVDQxR4jgtDxcZZXxVDQWvrYrSoi2HPgNWv/sdpCdSdAauoqQfSqtB8zJfRGQ6VStX6"
    "brNOtRqnEY6h8Xh1DTACIJiTgM38JQh9GAwATJqJh3A5RwED2ZIPfEgZH+97ANcEYTqbWT"
    "P0kna1NSXswrERLdgERuZFX/Iyonu8pUpqnKt6J1W2jq9ntCHxrh4dMu6bWnG8akTVoxhx"
    "6BebBIMKhDZW0Gcec4tqo3Dfmszyt8/8DbkO6nhc6dygNHGR1PK5z3wWZsYGPM6R2c241w"
    "y2Qd16dfc4XTm2iNNj5HqdA6+waftQ14mQI+mzOdubozU2W8JmSxxTtoS65ID46jvA9GM6"
    "jaGY5tbGXtUb+Ahp8omVwiTy+qApQCKaE6KWsZEzIDb4J2PCOQTCOHJnkCKwwGwGRHtDfw"
    "mg75OFkBAqjpZQeZmCKA7AJCJzcLt22t3+ApJHgwkRRDIpBQZERDOqsZO9PlkztpLLV7bx"
    "lZ5sHoOG+EqEJihSd4prqs6WIzIuprKTZg54ztcq6oT8Q9FsmKqgtL2WFUlKIjZMNkJYQW"
    "kRViCcSqI4r6AvvxmV7cxVI7iasJaoLKyVRiI2mPoY/LfHdbTOsnlDNkfontxt9DUXKW20"
    "rc9ctsGY+u3xON3yNhjzGLlugzHtuGuDMccIsQ3G2GBM7zDdJhizxloGCqpgn6dkb377hP"
    "y6urS5KMuvqRvNEKy/7zpaJfGqiVhlWDZHrZwV5x6OXP0zq3smnEeiajWUMSCAAxn94Rdw"
    "FjMaAJfEAWdgEjh6Wg1GbTuZsub1jPhp23npkLWVrtv5zg5c6VrT7W597ScP+dq13ezWFV"
    "zvYdd2rlswVWAma7OmWVEgsoaFvmGx3hG3VYPTJJgjg7utGlwQtD7VxZHmh0rFS82SBvWO"
    "j2idk5Q/QQ1IlGpjp+AsuSJL3vpowpKT1RGZYB8BLjNLKuvccokRqUQzAmbwHilPbu/oGR"
    "3X2OlvOpHAyLw8IurHUx0uZOONyx7qvniozD6rYltfdWdFsP9qO4eJc+2krs4d/51qiX74"
    "DHxG22dNp5cn4MMIq1IRm2z4FclGqnrPgrn7NORzYdc4EumcWg2U8jQGNo9ts1/Wb5eKhj"
    "MeZkmKodSeNGxRJa1Bst6ZYerFSclGp8aJXYtwldDCW5v9ecAMZsMBPnwCs+EAc02BRJjp"
    "1g3Nk9myoRplQ+PAx3PMVGnNjYAX6CziGojDEDvQdRFVxXCbIC8SWsw1MBd6o+zAqLFgF2"
    "hs/Eu1VhOK1U1z6w3BHInFVKXBUf6NM3yvMrCbFocC3R7XhsyJd7RLg01nrpft40xstenM"
    "j5HrdenMlXhtmxS7UhHmzRPtilWfj0wSalPtSkX2qCoJRjcd0Vh80toP20KUTnN8HoJWKK"
    "Uf3HYYtczIPhZ8dprpkImTKtshJ2oNGQ95uW5XpZ5EojI8ZMqK8YOkOMpCJCZgBsYkns6Y"
    "7O+7yLJXGbxDARAAJCmr6or1O3nKFo2DB+BLrt62gS2FU4zNy5eQkqSZRJenMS5vwlayNy"
    "mOj6kTQmU2/gOOhozKuiD1/AwiRKzhK8tR2AznMpwRuuf6It9I9XFVkVqAywAHiDlwLs4C"
    "KRaIhlSfIp0xuO452ydCXMvyhJ64AQsUxJYPNuuql1lXQvmuglufN5uNt2mzW6TNSiNlI+"
    "93kdIW6umPs7sa47CRrfol7ThjHDay9Ri5XhfZKkZh3Ds4Rbq1egpUBuoqnVfrOUBBpEeG"
    "8AHqIT0ChHtTDqlnWO+oGlKyrnaA6oV0UX1cz2cmvMWNqHf1po4V1Z72/rhGlCY/uRJ7zm"
    "4NmkLPNBmk0x+dS8UTHJyCmxkCjIgAL2YU+ROAKQiEPxhQxoXHGwDC9UNZDun617Mnwxcv"
    "a9qibznhozlJLxZO8yLDkuPODFJFQnk9L4pUxkWHuz9Vf1x1w/eJ/PGartZPZb7HopWfyt"
    "a9NdrQ6xvY21p6By5Ndc2WEtaqxixvNOvLYkjr6lRifk8kTM5DBhiacyuCIVWJqfqBynqh"
    "/Dv2kZtl8MraQuWaoV9OyCJYwc//a0qKpOSAeWrwYQtK9Wr1tiWl9q/p7iQ2nn9NDfBLZJ"
    "YFW7DA5dBMSaRIuqnHP0+zFfj99PXtDXuKYOTOHIa+KayxG361ZmUvkhmxwDcZW6Pfb5qh"
    "X9la764+vM2Gl/lRKlKQnIFyhMOwin1jUnaZ1GZm62RmE6qQ9fq07HS4rd6jTFtNmg47sp"
    "6UWjd8+FCHYpo+ryi9PN2R2GU6a/iaos9g93b5TuBzxPlCEjMnnBFG9OGv0puQ0rBvXtzD"
    "CAskFMdC6lXIApFV4LdQIm1hIFsYyBYGsmGpn48wLGXTpw3jepv06XVsQjMkWSE0QnXedY"
    "5vPsrTFuk8jQkq8Z6Dv8Xo27ZZqYXJjky42waCK592i7RUKaQdAGx2MnX+U96iD2oKTpYJ"
    "WtKJNepGvV1NZA7mO60e9Tn0CSzG44t3Bk3pCLEco5G9C4OAxPx78UBCegouGQXjJUMUzO"
    "ESBISBMRL1niIElogNRMOrJAnXJXP0i6wERRcIhfxKhObknhNiPixphxqJCdRpvnt7sjJj"
    "YrWaYA/NQ8LEoXLnDi0VeRMGlpVKETcuaYI/nnOSJZBqqZpFOhM1zWEb8If14A/Lmqb4VB"
    "2K/63Zr6hAZpI7as/lM8oLl9byUyE1T+3/cfiqTdxn+Ko+8CPuWceV2S6MNo6rg9jUvePv"
    "fo3qPZt7fUN7L/beTu0YKlXtqhWT8qPBhqFpteKWFozrikpcNUZGevNr8DW4TWvS3YpzhB"
    "C40OUGBJlIO8JH3hRFf6GAxvMBELaElxwuzKyGpLYtTAcCHwfoFNyKYnf8VW7BNCILYbxw"
    "IjT4GqSBZjCFIU3L4grDZSkslzlmXAqBO4PBVD5/DH0hwgPANVCRZioKvg6yvsGDpMHw2h"
    "7n74i+YSo2b34zKdHJnziB96JJkyjRCyhflGqTxe1RyH4tgU3mDJpD7OuwYUVg3AHIZ8NW"
    "aA8b4B5WfOUSLod/mJhPqlustUpsMwM1QsCit8GC8F1G96RvhdBA7Wr44kULaeejaqVd3i"
    "tVHYVzLadINt5A03AXtbYjojpS0jIpkyhPl+xQlE8+X48+ae6TvczF9IkL64BXy/WawkDJ"
    "3kUl8yQDXnN7LNDZnVGnoaKEzaE4ULWCb/YylWltFdH+ZMZU/Uopt7iBqlLzW3F6RWs53W"
    "dO11bSb4qUmFhDf89BEsLtMy+CE+ZA3ycLbSNPSW93M43dLHWR6Ul+jshK/maSnzgqHYo4"
    "AEpFogl/BbHlw8bdJlAUQZ+j62mZKRXCTqyVjZ2rAVo4hVfak5e1e4sm+RXIc8ZLzZhelX"
    "JHFuQB/aydJySvhEa0ttogcK6it8pun5XdFcewJ0NaWrkpSuI9LX17+8q6r2hDYxqipDGR"
    "9hdWprVfV5+/riTEvwmfi5SWy33msk00q19KzU00syckTeO64mOvNpixjU/2m1toOxzsuM"
    "PBGmoYYpFivuUpsrMQ/5bkqR/ZqlV7hCz//UNXGRnQwSf2MBsFLGqD0ZHIY1EdmiH3jsTb"
    "4nSRTmOqJPE7AYVuB+c2k+Y4N+v5TIVMJl+ibyGJthUurqDBkZzIVKxEQvKWIL3B/jFqn6"
    "3gOcyh6aOEqnQCbUu8LtezGawmyHxj2edmS7je84luxDzGIpWUbJ3hcFukVhOZCpXIpt52"
    "Tf/I5zAWnzhyZ3B7iNJpDFXP813jNgcp16DORFFatwrZAqKsI4mBQpSrXbI5QOsiKaaI0C"
    "4Paf6TRHfqY5rpnUHTQc2FHKNxVDOMiMu/ccBmkIE5vEM0d7CR/gIwAxQuKaAEwCnHAMDA"
    "S/9azLjhIAb4+B5R9WHPbqff4uzkXk/aVATZwDh3Y8UXN45EQXNFlkFDnfkClUlVSDorik"
    "sRCjZJJliTGRiFOt6oUxJsrARFDlMc4AxF2J2p9p30TuO+A9djHtp26hnb8dH42qVGGaRT"
    "rDDpIt3fhb2T5aV+Ia/NE6/fNuuzxO0Z4JozwOKj0kA4HW4gujs5ApyWkasi3NBba01i2y"
    "JotkU46Gb2/f8BQyYbVg=="
)
