"""E-mail addresses as typed, and a key of each that no two mailboxes share."""

import contextlib

from email_validator import EmailNotValidError, validate_email
from tortoise import BaseDBAsyncClient

RUN_IN_TRANSACTION = True

_COLUMN = 'ALTER TABLE "users" ADD COLUMN "mail_address" VARCHAR(320);'

# `email` stays the key by which servers of the release before find an account. It is the same for addresses in ASCII; the
# domains of the others become ASCII, and their address is kept as it was.
_KEY = """
UPDATE "users" SET "email" = {key}, "mail_address" = {email} WHERE "email" = {email}
    AND NOT EXISTS (SELECT 1 FROM "users" AS "other" WHERE "other"."email" = {key});
UPDATE "mail_tokens" SET "email" = {key} WHERE "email" = {email} AND "used_at" IS NULL;
"""


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


async def _keys(db: BaseDBAsyncClient) -> str:
    """Return the statements that convert the addresses whose domain is not ASCII: no database encodes it by IDNA."""
    other = "\"email\" ~ '[^ -~]'" if db.capabilities.dialect == "postgres" else "\"email\" GLOB '*[^ -~]*'"
    statements = []
    for row in await db.execute_query_dict(f'SELECT "email" FROM "users" WHERE {other} ORDER BY "id"'):  # noqa: S608 - constants
        email, (local, _, domain) = row["email"], row["email"].rpartition("@")
        if not domain.isascii():
            with contextlib.suppress(EmailNotValidError):  # stays as it is: no mail can be sent to it
                valid = validate_email(email, check_deliverability=False, globally_deliverable=False, strict=True)
                key = f"{local}@{valid.ascii_domain.lower()}"
                statements.append(_KEY.format(key=_literal(key), email=_literal(email)))
    return "".join(statements)


async def upgrade(db: BaseDBAsyncClient) -> str:
    script = f"{_COLUMN}\n{await _keys(db)}"
    # executescript commits what was open; with a BEGIN of its own the script stands or falls as a whole.
    return script if db.capabilities.dialect == "postgres" else f"BEGIN IMMEDIATE;\n{script}COMMIT;\n"


async def downgrade(db: BaseDBAsyncClient) -> str:
    return ""  # forward only: restore a backup instead


MODELS_STATE = (
    "eJztXW1z2za6/SsYf2l3RvFNlTjNbXZ2xnaU1NvEzrWd3c4mHRoiIQnXFMESpBXv3vz3C4"
    "Ck+AbSBEXJFIwvrUPiAakDEHheD/5zsCQOcunhsY9/Q/cHv4D/HHhwidgfpTsjcAB9P7vO"
    "L4Rw6oqm0MfWLboXF+GUhgG0Q3Z9Bl2K2CUHUTvAfoiJx1tfeAgcfzoDTOIQXC8Q/wNgCj"
    "x0hwJAQxIgZwSI57KrIQVXvx4/Gx+9AtBzAAQL7IVgeg9WC2wvxP2IMqkA2WTu4X8jyq4d"
    "8vdwiM1eBHvz3T0y8vCfEbJCMkfhAgXswV/+YJex56BviKb/9G+tGUauUwAbO7wDcd0K73"
    "1x7XQBg3eiJf85U8smbrT0stb+fbgg3ro5+7X86hx5KIAhcnID4EWum4xVeil+V3YhDCK0"
    "fkknu+CgGYxcPowHf51Fns1HDyRzAto2ibyQHv7VhcupA//2t+QVc0KWdX5xbV1Nri3roD"
    "IH+AuVxii5ZBOPzx8GORUALeE3y0XePFywf754/j1+TgZU3Io/8B/Hl6e/Hl/++OL5X/gD"
    "CZuE8ew8T+6Mxa3vogsYwrgTMSzZOIj/K4xE2r6fsUgvZIORfUIpsCl0Wwf7p+dt0Gatau"
    "EW9zjeGb78W1LBN22vIb4vW6D7shbbl2VkKXSVkE3ba4jsqzbQvqrH9lUFXLZdWAtIFyoA"
    "52V2tVTvMcR2gDgUFpTM4rfsToiXSA50UbIEtZOIHqZ/7OPsZj/QuWDKSTLkDdBfn32cXF"
    "0ff/zEH7ek9E9X4Hd8PeF3xuLqfenqj69Kw7TuBPzz7PpXwP8J/nVxPhHwEhrOA/HErN31"
    "vw74O8EoJJZHVhZ0crMzvZqiVhh1F9LQYupUl3Evy/Yw8skrD2Xg92SgU0waR5rrzJaamp"
    "sT0XCX6keZ5RbF7Faqy3L4qnC/Y7YOnnvMphOgn7E3hJ4tU2ITZf9z0s2egf09nU3p1ezz"
    "DuBqbYLlJxn77ewXozCelsdXp8dvJwcC4Sm0b1cwcKwC1PwOGZPSlXXb6q3leFm+Aj04F+"
    "DwX8HfOTW7IweHEy8M5EZ5dnfUaJjzdhZiDTFSsM6hs8QegMLmG4FVgMMQeYBdYmYtoOxV"
    "GJLQo3GDN+wfeD5HAWUm8YzBCUIC7AX05giQAMSI1lrl23vUk7HG0R3S0haPx1w+EhMvWl"
    "bWr8KoZNJD3juSj/a/EPs9h/59+RNpNRDjNgMxrh+IcVkVD2HAvhmVTyCT6AT2w2rX41k6"
    "fc3zDF4HhRC7VXj/fnVxLoc3kyjruNgOwf8BF9NwOHO6D/WWY1HQbFNAf/x4/HsZ69MPFy"
    "dllZV3cGJMTGNi8o2AqFoeeZktrWg6Wx4Cvt2ZHgMDu63lkZ9kBdPjkk35y7PT68eyPU4X"
    "yL4lUXggsTzW9xrtDjtppWBzpCIAhkL39+H9kum1wA/IHXZQIDcfWkk9bAl8yZuBucX+D0"
    "1MhAQWDY0E6kZzpbBH0n7IRsFgfPLpV6S4e5bEetlABxT72EpgNAokFsE1+hbWuEYDmTmw"
    "l7pJk6o5+f262QpYa5ofLs7fp83LpoGxAowVgL75mPXWYdSLkibIZIJMw/6GTZBpeKZeXZ"
    "Dp0S094rrITn511dbL7o4arb11u5b23jG3z5zIDoGLmRFHZoCG9y6iYIXDOMOSrDzWBttI"
    "5GDyYA/7n09cbN9XDcHNu3sysSKb2VEumUfIWIL9WoIDsk/6twNDHLqStNj6gMVawMQrNo"
    "hX5F9TAfySmBmCDYZgCili0FKJ1XDm1djmBZkS+kk6856hzt6X/e/Z+KeXP798/eLVy9es"
    "iXjR9ZWfGwbm7Py6hGq8AVvxBixfsx8O8Fc6GbL63kOc/6dXbbxOZesr53R6VV7W/4ygi8"
    "MkM6jt6lIQMmvLBmsL5bVDKtCvBQzsG8DO7mP5llq7oudFzIIuWdAxtXi+1Z1ESTwhxEXQ"
    "qzGH8nIlZKdMcFvQpsr5bqfzycXFh8J0Pjkr+6s/fzyZsFVczG3WCMdugirgyMEcETW0M6"
    "EdQr2+srdYm4BB/Tqib8Ag8p2Oo16UNKM+lFGXRBDE21e82/W+2JzyJjyMkgU4kXv32yVy"
    "YY3SkDjjrngfezj+dV7v71t1VQd8+/rE+oJCeal6qwsNRo0Oa9HU8uO2rZ3WzHabooD7l+"
    "MOKM86grFjWeaVfrD9k3E7+y70jMfZeJxroJZWA/MPRsFGy0kYE02ixYpVR7Jf4Xm92ZuK"
    "6ATof4/HL178PH7+4tXro5c//3z0+vka2eqtJohPzt5zlAtTWmI8REGAvDovZ81UzskM2a"
    "nZdWFusy7XL8uVJEXjzzH+nH335xgfQ/3c3k9r0/gYnuKo9+pj8KPAXkC6qZvhU9JNi1kw"
    "zNTUx3A0XGesAwe1zoZ8o1ELh0OOykChMipNauP1TS5y5ijYjHJhg/6+el+9G4rY5PBsdA"
    "NiFkAAOYGD+PsHKnqPM+94WdYc+nSU0jmQwEncIWS5ZLbaIbhhj0NB3BlHmAkukkou3s9X"
    "b4pc4s0pf58fbxzEk/x+YXPYOjw8vPmLSObDFMTTdQQoYZJM3CPxb2S3UkKJcNXgc/myzm"
    "JNf1pc+JXzw/znIJs9+WxO8akVBEciY5ytFlSMcjLbkumTTPP0Az0QjdkUEP/4romzZ4pd"
    "Bv9cQ39POsjV5bjBis5L6WRs7NiQTr+0LqlCqeyQjelBZggxPMNIon60gz2T3h3wB6cXHz"
    "99mFxP3iquOoPEHy75rqq23mQyZrXpvNpMoQuVV/qckIG+M/SJKmndMXVU6tZrnPxVYTMU"
    "nYdirZ2rqJ8FIe1CXeNWxd/jhuLvcbX4O8GDvZhi8WJF0NBv1Wj1jxgIG5hT5QnFwYaG/D"
    "bDYEsUQm65VgGuTyjPy2yUUz4woHedUm6iN/Vzfj/9+K2iN4ZswJANDCAaMtoTsgG2EsLJ"
    "N58EUmK53N1RUyhFeGeRaKgQQ+FSIJY6BGchBQFZ5eMDUzRjs0hwBUzvQ0RFaCGGzgFwFq"
    "KAByWW8oBKn5234aojK09nsjp9T5fiDtHOTuy18A6dqZ8m52/Pzt/r4Ep1ES/LZvNKRr38"
    "wEEjRVFDATWc5IqqVgbZkrv0lVKH8yK78xY+39ai1nMuoDFu6qHW17gxfHlPYbHMa5Jt1c"
    "O8jDFi1Y1YgZ+xYh+yYvPTbFBm7OQbM9g86E74sTsHEku22GDUZMyipKkVn+HT3p5doemC"
    "kFtuReI7FNyPkkOMAWFzBkSeE9uUgCL+5w8UYCczQ7ltumA2qIscuUHba+/ShDtKoiCe3O"
    "KX83Eup9wxOzcKbRJvEQGyEXsVrexcjUnZ16PbujRyLaHhltK/Mbv+aBQgzstoCPJWAvP1"
    "SYdyjPch0bDrJN4G671qwLKXYOXQcN51tDK3rXbxQ+bEd+iJvJycTs7+oUdWpx8QBsVSZW"
    "HJieiXCXHUamk5alhajqpLi/ED9k7amangFUybXUIlUeMJHIqTqI0nMLHlOgx7UdJ4Aofm"
    "CVQoSt2mQ+UdFj+34kcR10dN7pMZdlWOtfaZmhgF8RkAPBgfLqLl1IPYpaPEqcHdHOwlwS"
    "26p3EtYezmCO7YzXRyUrnTpNfenwwz1BI5GOrnAbllIHRVsFPZIRuRg9SrTXrF42HPHhdy"
    "/5Kqx6QsN+RJ33W16f2Adp5FZnE28CrSjfVpeTFTFtW5lmGFHTawFehrcV+31wnz3uzKBc"
    "Lzhcr5GpmAwVOCJ13A8dErpeDLWkLD1XcLpyGlir0lPmylIxxkssaZvclpDi600YK4jiyn"
    "osGfWhTTcN6/bOVUfdngVH1ZdaqaXMB69PX1ABqaOt1GXeISTN7e5Aaa3MDHVh62mxtYKC"
    "d0rKmkJF2FXfH9moJhbwMYVX7FQmE5dJBBadcslDnAJKGRIpz1AZKMH0QhTBJwwjoaghkJ"
    "AMkCG/KoR11jzhQ54bmjKY8kpgBy4kcfBugZ9JxnFIVxEAR7TDkUmZDgJuHtuTkEx2BFgl"
    "vOF7nyqAiU8KrK1QK7CNzkKrJueM8xweRXbxYVQjA3s5haEscdeGjFXvUQfJKfBA3Ym7F2"
    "hK7ZMblSkv6d/NCW0ZkCX+QUhvZCpLiOupND8k8y1ycJ8BzzzOF+u2V9sG9n0041iU3lvh"
    "79IlTrSakwIHkZo9614BoS0c2uEam18A4jUmcfj99Pdh+Pet0C+Ne1uL/WgLZSo1Agw2++"
    "SRh2vusw7P98nnzWJrOUewAkU/+dS2Atu1kmVEJ9xqW2hfvzw22lPjbA+vbi88mHCfh0OT"
    "k9uzpLHNJrt4u4yS9lZ3VcTo4/VFBGdxitqiBfMx2oDuO1iA75u01ursnv181e/jXcHy7O"
    "36fNy67/IuKduEAfhQP0p21pKo/D2kdcFwmd2FI97E4iqqHK2H90URwsqox2UcoA3RroEI"
    "euRFmpj+CWxEzwdpPgbUCWviSo1LSPphJmG1XfRmfsLSx10EtiWqwuO9dgYIA5FErZIgUh"
    "s9JssNLIkyVbmqTyjMlBzfvh+WD+jCAzoWr4nh8GPSducFfBHVKfqd2W8FuraJBlOR3216"
    "0CnQSEkGOJOaCCtURUP7i3QhjAo4fKzBcFIf2A7j9sgWDgYhQkOp+SyiIR3b3ikgvlTSPs"
    "htijh/x5Wwve7d5wwiSQ7q5NZ1isRUxxe9XRRVVKENLmpgBBgqUPsTytqp3mlxPf5bFxl5"
    "O3Z9dXuw8C9ayV+JBS5e1xLWI2x4c3RwHXgkSSPM36xTcvo9EhQj2Si/BELCtOxOq6clQ6"
    "0dxy7D9+HCOIJMvHCSEugl6dPZOJlTCfMrltgb6+sluN7uTi4kNBozs5KzsAP388mTDoBf"
    "JZKFly1qEhKep3HZmpn8882/3hzFtGc9fl0CJPV0XjyCT0Uzj6D1Sakyv0pWAqRUPvsIMC"
    "y4ZuN8IteQ9m1Pdm1FUUgaqgNhtYf66IBCMlczgno9/21D8ZjXL0w8Q8FGMe6w9d6qRszu"
    "wtSnZM7x0Y5ltP701QS8J0qu40ubh+k30rjOsoCAifr07ndI1iDwOGvQcPUP+rOabWDN7x"
    "SJHMjG5yApUkjR9IwQ9E2czukPRbkOplpj9cJrnHhrTAq4tdVRA05tSQzSmKYGAvrBB9U0"
    "pxLYkNOXAw2BTX5ETjDt9XUdJ8YEP+wAwFWP3+tZ9kUIYC7CmOuuRjr1D/MAsr6DbqRUmz"
    "og9nkCUrOln6XXfusqwZ6SGPdJ40qDLQDax+RbEBu1QGkySW8Sgp4FwQMig/jHJci6sGcl"
    "7GYPwwxhFVZgHNiWhhSO+YBDSihgP0YQ7Q3CSroQCtrBQ9gHqV9rNfi0RbUPOLYwFV9gLg"
    "/POHDwdSfaIHYNPDvvTEtaRBtZiwsS5ggH0A2ILKpEwFzO9si8D1zEFLn4TIs+/ZYB1ISF"
    "xLLUZNRK44a2vx4+NEayU21xUOFwB6INcTP4juF0FuuoB0wYlOOWkq9vwoHAl6VH4LO/zG"
    "ShC1hoCTATcTwfb8HAnV6pf1Dkn8HAsue8jBH3+sp+x6hFoTkTYlCUu1GUmCVTJHm/bXxw"
    "2x7TBDuJ57tDBura3QvJCOemXvsfxbVFNKIwc4aa4htD+N21TZsVb1aVnjSqWdWL8svqKp"
    "gFyU0hDr/sP2xpciWSx6t/MNH/QOQDbB03ro9zOM1ip4alxoxoU2QOO5zoV2enx1evx28l"
    "iW89/J9DKSHnuS3Bk1Wcr/S6ZWEKmcd8Lr8n+ggAlxC5SZrvyCew9YT4fgmpmm8bhyKxYw"
    "iKg45yQ5nMR2IV4yg1VuE/fWs9QKZr3we4JWwBi+e2H4JkPWdhdImuu4A/Ru7MoZOZqVqh"
    "pGDh3UqT1Rn9rl9IZQVo3Q/jSPXR8ocfn5/FyTwzzq4hD1DHCZxEbEbwMzv3fP8EYYDkuV"
    "3SInop/D46hVsdlRQ7HZUbXYbED5jUPbPzQ2x2fYw3TRadhLoibbcWhqQ8Un8Dgm7EeI3W"
    "tyi6RWbHZz1GTILlkzZvGxdgq2LBdCDttjvdtDcBYKY5Kblcl5l/yUTsjuLjGbkOJ4yzfs"
    "JrNIeQT26tfjZ+OjV2l8VjyaH51JQxIgR27hbvl5Dx+0+SXvxcg5Sf9QsoCHewYltG0SsY"
    "9TvwMo/ShgX3xnvT4nPmT7eJBKPeKfrcpXsBYYMtSdXRGtpvq4Ya6PK5qlWMyUg8NFqV0t"
    "OnscGkbffMw0hg6aXFFyNwr8LpHfd0WuFD/rVHlIjaK+F+NrouL1C6i+ZriJipuouImKq7"
    "gUvBB5YmjkToX17dEDboVCwwfdCjxOnRMCdIVDe4HoL8yypwxwF4GArEYAeww4buZP79md"
    "JZ7H2bpVv0EfHT7sGFCy/zcOf/ejiW/58OANaTXrTXm+SVncr1NF9gHe+JycIQxTIAxLSQ"
    "apRWYzlehcRdCcztR77M6B2L23qI88x7KhL9ly6yk7JbKGtLMFaachqKlf/ffThpCYjuLt"
    "hxLiQcspW0YX2JeqY9ndZm1s3U4hyEOj6foaCAlXjogXLtx74LvQ44qTiK+IzBf2FwzFP3"
    "14v0ReCNIdALiQhiBAPuFKljy8s7UnKQZ2+AMiqk1QZ4pdl6GsX0wnP19UeTmqoto5wLdC"
    "D558G1Ko26XHRbLTAwblURlkFM1kD3VR9gauYlT9lAGDftUlxFQQNBGIIY8xs7Y6BREzMT"
    "O+Qx5fnymglsMUzg5nKhVFzTgPeZxD4nbZj3NiZjMe9ACbUHG9urufbh7DPv0UR73OuVfY"
    "tF2o6kTIiQzZnH1k/43JwTA5GPuZgyHnSuRffQ+Yfkq60RTT3No4KKLET5DGn1gphCKuj5"
    "qCJ8w0o6hl3ORYVJ88mxI2QsCPAnsBKYrJChNSBui6ZMVnCOWVLFRcjrkbZgFZgpvMaXfz"
    "BsSPBjPChQRtA/QIj2RU4yg7fbJiXCWXBW1iKwPYOEYNsZUAzVAgP96+iQYtJ6RdPGUrJ1"
    "DiJVunqOWzj0TOKVGfLFaV3N2RzNsEvedTmXlQmHRCWCJpEJYgnMxEXgGhPn9TKXOceM3E"
    "VYS1JGVgrZx+agKpT8F3u1/FemaYOw5zgO7IbaevuShpIm1DHmUTiKnfHvfTJW8CMU9x1E"
    "0gpt3omkDMPkJsAjEmEDM4TDcJxBT5biVZ3yeJ2LvfLpFbd1xOLsLya+JG0wTr79uOVAm8"
    "aqJVKZbNEStrPXLtaq/X0SHAPUi85IYk1OKCVFwEhN4kMSMYICD4wlhDETt6Li+/7qFPKS"
    "X5grhOvB4aVnIFT9ojs5IrOuGN5/3gIc+7stPdOIbr/e3KrnYDpgzMeG1WNDIKQsbMUDcz"
    "sh1xU6U4SYfZM7jbKsWFiTYk3h1hjMgUvsRIaVD2WIvW2Un5umogWHO5DnYIjuMrAVqSu1"
    "QBEzXWAZlhF3G+3Fvkh4Jpl7PoJgXlsjSkbTyiZx6e4aYVcYj0yymibjRXGYW0vXaZRP1T"
    "k4Y4dCWpWvXMPGuB3TPyPE7MayvcO7fsd8pn9MO18KnskPWcQVbC+wGWpSU2WfBrkU6K+s"
    "ACu7s043Mh2CjgqZ1KZzznZfQ7JOZFm/2yfruUnNbqMIVHpBsK5UnBEpXKajTXezNLnSim"
    "dbRqHNq1CFcFDby1maCPmM2sOcCPn8ysOcBMUyABDlW5RfNihlpUgVo08pLzehQBL8gZxB"
    "UQhz62oG0jKovnNkFeFDSYK2DO9cYpDG0Vna4gY6JfsrWaUJzmHLQENS9iMJVpcJR94yG+"
    "kxnYTYtDQW6Ha0PqxNvbpcGkNtfP7f1McjWpzU9x1OtSmyvR2jbpdiWi5u5Jd0Vm6D2bCb"
    "VpdyWyPSpLgVFNTdQWn4QDYlOIkm72z0PQCqXkg9sMo5bZ2fuCz1bzHNLpJMt1yE21hnyH"
    "/Lxux2RPAk4PX0MbP4pJUlacVh6HYB5AkYPKzxUW11aQggDdsUlSR1/fb/cbHEY8Al9yTN"
    "saHlOcgKvhMcViDilmzeVltEuVMCT2OoXuMbV8KE2/f8C3kEoZr6Oaa4FHhRXcYzkJk9Jc"
    "hjPdni11XGWiBuAywB4KLbjkxT+SBaIhu6copw2uO07wCRBTsxyuKHYYAomwGQeTaDXIRC"
    "uufFfBrU+VTdubTNkNMmWFkdLJ4V2UNDw9w/FvV8MaJphVv6TtZ1jDBLOe4qjXBbOKgRf7"
    "Fs6RKlVPQUpDXaV3sp5H4EN6Ygg/Ah3SE0B4MGxIA8N6S2RI8braA6qnwkX1KetPT3iLG9"
    "Hg6Kb2FdWBHvtxhSiNf3Il3JzeGjVFm2ncSOXY9FgiPmMjJLfI46XtHncEAxqyWeOMAGGK"
    "oYgWi/s/UHD16/Gz8dGrmuPRN+3xyZTPQ1tQSGkYHxbDai0glWSS149HUUq7GHH/5fT7RR"
    "6+S+T314A13ir9/RatvFWG/FZrc29oYG9q7z0yI9UVG6PIPyFeRKXac+52swYtGlpT3rJt"
    "0iYnD11C7E7JN8EHtVpgewGgBxIFD8xJnG3JO38W+UD0/iYmkFotmILMb6aNmbIcoyrJ39"
    "zqkzbQu4ewWA1I09u+go0d5IXS+u8mcyeT6cUbOCDE+9GtFYpgtrqWhffi/aqrmLjRvH7x"
    "Jq0J9nj/Dk/+XrL1IURL32WjL6PJq28opTxmk85FdlqGIAjSyrTHXw7IylsvAey/umR92+"
    "ybdck8QvqZ9Y/LjDcobdRw421XD91Zxk/+NRXAL4mZIdhgCNiKieYkkCgz9fjnZTYCf5gR"
    "jJ1hTxEM7IUVom8S79I1u1qzshfFtFjgm5xHk9+vm6Ff+44+XJy/T5uXx6PEthIXc1o8GF"
    "LFvrHUpCxq6k1U6k0Ilcz1+mKTpLmhIZMm48cnqVuCGE+uGz5cqibpZsgryiBr1mLbTGUN"
    "zySGDPZgl+8YPovXS5MotPwFCYk6/FV5HRK1dj0WdzDAHAlJsVu9ClkQMgr8BkqkYTgzDG"
    "d7z3DG0wmV+T0zIaOCGzY5k9JgCnCe1Ki3KcDJYkGKEeKKoBZmyrarRPJRtbZI52V0MD92"
    "nDhUjHZuWtdQ6GzPJnfbJKLKp92isEFM0h4A1rscJ/8pb3CQdgJOWktQ0ogVyAbfrzvSB/"
    "OtUg5+9l0Ci/kPxTujpvSPSLRRqP9wcMA+RBDLxTUb0/sQUbCE9wAGATMkAc/1CPjhiKKI"
    "402cYLZCyGdX4wMSKcDhKD42mzcjobw0ZJsPk+ahrNcM7KClT0JOPmLdontJNoqG/INLZp"
    "1C/bJQ2OPZQIYxokr6ZFFOR3Vy3Ab8cT3447I6yb9Pi+J/K55kVxDTyb+3Y5al8rqltPpU"
    "RPXT7X8av24TSBu/ro+k8XvGO6W3n6KNd+pRDOfBje9uLecd23RDQ3snRt1WjRUqNO2qqZ"
    "KMR4OhQhMe+3ZmSlKyIjcr0ptfva/eTUJdesOrWyCwoc3sBzITZoSLnDkKfqCARssRsBfQ"
    "m3MbQtSiJ2ZDTH8Ok6bAxR46BDecFZW9zA2YB2TFbRYmhEZfvSR2D+bQpwlzOjda7oFNlk"
    "sccub0+Cn8DabQ5ZN4BEQVhos4NfgoPU9+FJ89n5nd7C3RN0z59s1uxlzO7IkzeMcP8OMs"
    "7oCyZak2B99UzA9vIWwyahAv61IZirWAftVT41ZojxvgHlfc4hwtrgwE0gMF62Euy+mnQm"
    "8FbjE7LbYWYtapclC9ImyC6wrB9Vhb4Cd6IElAohH5sqjBXQF3fsTTijCVSpX3pCKooSkx"
    "PjpqscqwVrWrjLhXYmKHSyUPYNpev0V8K+ePBERWkNYypZtIa9O2OJUPPl9NLhXVwUFmcr"
    "vEhnXAy+d1JqHhzN7G6S5x/Yzi5liQMzujyrnSAjaL4mSlUHGplmUNs/pwcr2qTtRktJiN"
    "LrNmW430WtaM9JBHuvZ0oaawoI7nCu04IshMs8AJ4Cy0oOuSlbJxLZU3u5nCbpZ4g9Vmfk"
    "7IzPxuMz/2yVsUMQCkikQT/hJhMw6dT+BCQQBdhq6jZKZUBHfEQtUQR/DQyiq81o4CCv1b"
    "NfGvQI41vVcMYlclt2RF7j8hm+Qj4Ed+dsgUkckbhXfICu96xLpw70mFDQlf8SurcmLRiP"
    "ooPrBR+Qsry5qva8hfV0JE2mGci5JmlIc8yiazsn4p1Tez0tT96jbqko+9evCeORBut8m0"
    "5uSnLZ/8lEENfcxrKjasjTz28W9xYcaerVq1hZH57x/a0uiACj6Rg8OJFwZtMNqT+VhUhx"
    "bIviXRpjidJt3oOpPYHY9Cu4dq5PjQwOusP10hE3nG6JtPgk0nF1PQ4ER0pCtWPP9+Q5De"
    "YXcftc9W8DwOFcBeQlUqudwQr7OsN43VBJHrLU7+2xCuj6yja96PtkjFpM8L7G+K1LojXa"
    "HiGdWbrumfYFzxoSU+UWAv4OYQJd1oqp7nT9PtDlLu4F4dp1J24NAGEKXnGmk4iXKMPN0B"
    "yqh/dJlC26xK/icJbuV1ycmdUVNl8kq0UahNjgV4Ja/NPvVRcihf7LrmXEUUBGSVFhYvEA"
    "zCKYL8OD5mNLDbolDZxXeSc7d6732DQuGd1tpUprGGUe5GgiM7CviBCJIcg4ZzKgpSOpHu"
    "9EaqTRHyuqQSZGIaxqD2N+YUhxorIZHH4cI4RgFbmWW7TnKncdeBWZuHNp36ge2ZB6J2qZ"
    "GG6CQrTLJID3dh72V5qV/IazPF67fN+jxxUwVcUwXMPyoFhJPmGqK7lSLghDWxinDD2XyZ"
    "iDlWRfFYlUfdzL7/P13s+OA="
)
