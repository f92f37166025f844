"""The address that a mailed link changes an account's address to."""

from tortoise import BaseDBAsyncClient

RUN_IN_TRANSACTION = True

_PURPOSES = "CHECK (\"purpose\" IN ('VERIFY', 'RESET', 'CHANGE'))"

_POSTGRES = f"""
ALTER TABLE "mail_tokens" ADD COLUMN "new_address" VARCHAR(320);
ALTER TABLE "mail_tokens" DROP CONSTRAINT "ck_mail_tokens_purpose";
ALTER TABLE "mail_tokens" ADD CONSTRAINT "ck_mail_tokens_purpose" {_PURPOSES};
"""

# SQLite cannot change a CHECK, so the table is made again.
# executescript commits what was open; with a BEGIN of its own the script stands or falls as a whole.
_SQLITE = f"""
BEGIN IMMEDIATE;
CREATE TABLE "mail_tokens_15" (
    "id" VARCHAR(30) NOT NULL PRIMARY KEY,
    "purpose" VARCHAR(16) NOT NULL,
    "email" VARCHAR(320) NOT NULL,
    "new_address" VARCHAR(320),
    "token_hash" VARCHAR(64) NOT NULL UNIQUE,
    "expires_at" TIMESTAMP NOT NULL,
    "used_at" TIMESTAMP,
    "created_at" TIMESTAMP NOT NULL,
    "user_id" VARCHAR(30) NOT NULL REFERENCES "users" ("id") ON DELETE CASCADE,
    CONSTRAINT "ck_mail_tokens_purpose" {_PURPOSES}
);
INSERT INTO "mail_tokens_15"
    SELECT "id", "purpose", "email", NULL, "token_hash", "expires_at", "used_at", "created_at", "user_id"
    FROM "mail_tokens";
DROP TABLE "mail_tokens";
ALTER TABLE "mail_tokens_15" RENAME TO "mail_tokens";
CREATE INDEX "idx_mail_tokens_expires_782e44" ON "mail_tokens" ("expires_at");
CREATE INDEX "idx_mail_tokens_user_id_4935c5" ON "mail_tokens" ("user_id", "created_at");
COMMIT;
"""


async def upgrade(db: BaseDBAsyncClient) -> str:
    return _POSTGRES if db.capabilities.dialect == "postgres" else _SQLITE


async def downgrade(db: BaseDBAsyncClient) -> str:
    return ""  # forward only: restore a backup instead


MODELS_STATE = (
    "eJztXW1z2za6/SsYf2l3RvFN1TjNbXd2xk6U1Nskzo2d3c4mHRoiIQnXFMESpBXv3vz3C4"
    "Ck+AbSBEXRFIwvrUPiAakDEHheD/5ztCYOcunxqY9/Q3dHP4P/HHlwjdgfpTsTcAR9P7vO"
    "L4Rw7oqm0MfWDboTF+GchgG0Q3Z9AV2K2CUHUTvAfoiJx1tfeAicfjgHTOIYXK0Q/wNgCj"
    "x0iwJAQxIgZwKI57KrIQWXv54+mZ48B9BzAAQr7IVgfgc2K2yvxP2IMqkA2WTp4X8jyq4d"
    "8/dwiM1eBHvL4R4ZefjPCFkhWaJwhQL24M9/sMvYc9BXRNN/+jfWAiPXKYCNHd6BuG6Fd7"
    "649nIFg9eiJf85c8smbrT2stb+Xbgi3rY5+7X86hJ5KIAhcnID4EWum4xVeil+V3YhDCK0"
    "fUknu+CgBYxcPoxHf11Ens1HDyRzAto2ibyQHv/Vheu5A//2t+QVc0KW9f7iyrqcXVnWUW"
    "UO8BcqjVFyySYenz8McioAWsOvlou8Zbhi//zx6bf4ORlQcSv+wH+cfnz56+nH7398+hf+"
    "QMImYTw73yd3puLWN9EFDGHciRiWbBzE/xVGIm3fz1ikF7LByD6hFNgUur2D/cPTNmizVr"
    "Vwi3sc7wxf/i2p4Ju21xDfZy3QfVaL7bMyshS6Ssim7TVE9nkbaJ/XY/u8Ai7bLqwVpCsV"
    "gPMyQy3VBwyxHSAOhQUls/gVuxPiNZIDXZQsQe0kosfpH4c4u9kPdC6YcpIMeQP0V+fvZp"
    "dXp+8+8MetKf3TFfidXs34nam4ele6+v3z0jBtOwH/PL/6FfB/gn9dvJ8JeAkNl4F4Ytbu"
    "6l9H/J1gFBLLIxsLOrnZmV5NUSuMugtpaDF1qsu4l2V7GPnklccy8Acy0CkmjSPNdWZLTc"
    "3NiWi4S/WjzHKLYnEj1WU5fFW4XzNbBy89ZtMJ0M/ZG0LPlimxibL/KenmwMD+ls6m9Gr2"
    "eQdwszXB8pOM/Xb2i1EYT8vTy5enr2ZHAuE5tG82MHCsAtT8DpmS0pVt2+qt9XRdvgI9uB"
    "Tg8F/B3zk1uyMHhzMvDORGeXZ30miY83YWYg0xUrDOobPGHoDC5puATYDDEHmAXWJmLaDs"
    "VRiS0KNxg1/YP/ByiQLKTOIFgxOEBNgr6C0RIAGIEa21yvf3qEdjjaNbpKUtHo+5fCRmXr"
    "SurF+FUcmkx7x3JB/tfyH2e479u/In0mogpm0GYlo/ENOyKh7CgH0zKp9AJtEJ7PvVroez"
    "dPqa5xm8Dgohdqvw/v3y4r0c3kyirONiOwT/B1xMw/HM6T7UW45FQbNNAf3+3envZaxfvr"
    "04K6usvIMzY2IaE5NvBETV8sjL7GlF09nyEPANZ3qMDOy2lkd+khVMj49syn88f3n1ULbH"
    "yxWyb0gUHkksj+29RrvDTlop2BypCICh0P19eLdmei3wA3KLHRTIzYdWUvdbAp/zZmBusf"
    "9DExMhgUVDI4G60VIp7JG0H7NRMBqffPoVKe6eJbFeNtARxT72EhiNAolFcIW+hjWu0UBm"
    "DhykbtKkas5+v2q2Araa5tuL92/S5mXTwFgBxgpAX33Meusw6kVJE2QyQaZxf8MmyDQ+U6"
    "8uyPTglh5xXWQnv7pq62V3J43W3rZdS3vvlNtnTmSHwMXMiCMLQMM7F1GwwWGcYUk2HmuD"
    "bSRyMHmwh/3PJy6276qG4O7dPZpYkc3sKJcsI2QswX4twRHZJ/3bgSEOXUlabH3AYitg4h"
    "U7xCvyr6kAfknMDMEOQzCHFDFoqcRqOPdqbPOCTAn9JJ35wFBn78v+92T6w7Ofnr348fmz"
    "F6yJeNHtlZ8aBub8/VUJ1XgDtuINWL5m3x/gr3QyZvW9hzj/D8/beJ3K1lfO6fS8vKz/GU"
    "EXh0lmUNvVpSBk1pYd1hbKa4dUoN8KGNh3gJ3dx/IttXZFz4uYBV2yoGNq8XyrW4mSeEaI"
    "i6BXYw7l5UrIzpngvqBNlfNhp/PZxcXbwnQ+Oy/7qz+9O5uxVVzMbdYIx26CKuDIwRwRNb"
    "QzoQGh3l45WKxNwKB+HdE3YBD5TsdRL0qaUR/LqEsiCOLtK97tel9sTnkTHkbJApzIvf7t"
    "I3JhjdKQOOMueR8HOP51Xu9ve3VVB3z7+sD6gkJ5qXqrCw0mjQ5r0dTy47atndbMdpujgP"
    "uX4w4ozzqCsWNZ5pW+t/2jcTv7LvSMx9l4nGugllYD8w9GwUbLSRgTTaLFilVHsl/hZb3Z"
    "m4roBOh/T6c//vjT9OmPz1+cPPvpp5MXT7fIVm81QXx2/oajXJjSEuMhCgLk1Xk5a6ZyTm"
    "bMTs2uC3Obdbl+Wa4kKRp/jvHnHLo/x/gY6uf2YVqbxsfwGEe9Vx+DHwX2CtJd3Qwfkm5a"
    "zIJxpqY+hKPhKmMdOKp1NuQbTVo4HHJUBgqVUWlSG69vcpGzRMFulAs79PfF++JdU8Qmh2"
    "ejaxCzAALICRzE399R0XucecfLspbQp5OUzoEETuIOIes1s9WOwTV7HArizjjCTHCVVHLx"
    "fr54c+QSb0n5+3x/7SCe5Pczm8PW8fHx9V9EMh+mIJ6uE0AJk2TiHol/I7uVEkqEmwafy+"
    "dtFmv60+LCr5wf5j9H2ezJZ3OKT60gOBEZ42y1oGKUk9mWTJ9kmqcf6JFozKaA+Mc3TZw9"
    "c+wy+Jca+nvSQa4uxw1WdF5KJ2NjYEM6/dK6pAqlsmM2pkeZIcTwDCOJ+tEO9kx6OOCPXl"
    "68+/B2djV7pbjqjBJ/uOa7qtp6k8mY1abzajOHLlRe6XNCBvrO0CeqpHXL1FGpW69x8leF"
    "zVB0Hoqtdq6ifhaEtAt1TVsVf08bir+n1eLvBA/2YorFixVBQ79Vo9U/YCBsZE6VRxQHGx"
    "vy+wyDrVEIueVaBbg+oTwvs1NO+ciAHjql3ERv6uf8YfrxW0VvDNmAIRsYQTRkciBkA2wl"
    "hLOvPgmkxHK5u5OmUIrwziLRUCGGwqVALHUMzkMKArLJxwfmaMFmkeAKmN+FiIrQQgydA+"
    "AiRAEPSqzlAZU+O2/DVUc2ns5kdfqeLsUdop2d2FvhAZ2pH2bvX52/f6ODK9VFvCybzSsZ"
    "9fI9B40URQ0F1HiSK6paGWRL7tpXSh3OiwznLXy6r0Wt51xAY9zUQ62vcWP48h7DYpnXJN"
    "uqh3kZY8SqG7ECP2PF3mfF5qfZqMzY2VdmsHnQnfFjd44klmyxwaTJmEVJUys+w6e9PbtB"
    "8xUhN9yKxLcouJskhxgDwuYMiDwntikBRfzP7yjATmaGctt0xWxQFzlyg7bX3qUJd5REQT"
    "y5xS/n41xOuWN2bhTaJN4iAmQj9ipa2bkak7JvR7d1aeRWQsMtpX9jdvvRKECcl9EQ5L0E"
    "5uuTDuUYH0KiYddJvA/We9WAZS/ByrHhPHS0MretdvFD5sQH9ER+nL2cnf9Dj6xOPyAMir"
    "XKwpIT0S8T4qTV0nLSsLScVJcW4wfsnbQzU8ErmDa7hEqixhM4FidRG09gYst1GPaipPEE"
    "js0TqFCUuk+Hymssfm7FjyKuT5rcJwvsqhxr7TM1MQriMwB4MD5cReu5B7FLJ4lTg7s52E"
    "uCG3RH41rC2M0R3LKb6eSkcqdJr70/GmaoNXIw1M8DcsNA6Kpgp7JjNiJHqVeb9IqHw549"
    "LuT+JVWPSVluzJO+62rT+wHtPIvM4mzgVaQb69PyYqYsqnMtwwY7bGAr0Nfivm2vE+a92Z"
    "UrhJcrlfM1MgGDpwRPuoLTk+dKwZethIar7x5OQ0oVe0t82EpHOMhkjTN7l9McXGijFXEd"
    "WU5Fgz+1KKbhvH/Wyqn6rMGp+qzqVDW5gPXo6+sBNDR1uo26xCWYvL3JDTS5gQ+tPOw3N7"
    "BQTuhYc0lJugq74pstBcPBBjCq/IqFwnLoIIPS0CyUOcAkoZEinPUBkowfRCFMEnDCOhqC"
    "BQkAyQIb8qhHXWPOFDnjuaMpjySmAHLiRx8G6An0nCcUhXEQBHtMORSZkOA64e25PganYE"
    "OCG84XufGoCJTwqsrNCrsIXOcqsq55zzHB5BdvERVCMNeLmFoSxx14aMNe9Rh8kJ8EDdib"
    "sXaEbtkxuVKS/p380JbRmQJf5ByG9kqkuE66k0PyTzLXJwnwEvPM4X67ZX2wb2fXTjWJTe"
    "W+Hv0iVNtJqTAgeRmj3rXgGhLRza4Rqa3wgBGp83enb2bDx6NetAD+RS3uLzSgrdQoFMjw"
    "W+4Shl0OHYb9n0+zT9pklnIPgGTqv3YJrGU3y4RKqC+41L5wf3q8r9THBlhfXXw6ezsDHz"
    "7OXp5fnicO6a3bRdzkl7KzOj7OTt9WUEa3GG2qIF8xHagO462IDvm7TW6u2e9XzV7+Ldxv"
    "L96/SZuXXf9FxDtxgT4IB+gP+9JUHoa1j7guEjqxpXrYnURUQ5Wx/+iiOFhUGe2ilAG6Nd"
    "AhDl2JslIfwS2JmeDtLsHbgKx9SVCpaR9NJcw2qr6NLthbWOqgl8S0WF0G12BggDkUStki"
    "BSGz0uyw0siTJVuapPKMyVHN+/H5YP6MIDOhavie7wc9J25wV8EdUp+p3ZbwW6tokGU5Hf"
    "bXvQKdBISQY4k5oIK1RFQ/uPdCGMCjh8rMFwUh/YDuP2yBYOBiFCQ6n5LKIhEdXnHJhfLm"
    "EXZD7NFj/ry9Be+GN5wwCaS7a9MZFlsRU9xedXRRlRKEtLkpQJBg6UMsT6tqp/nlxIc8Nu"
    "7j7NX51eXwQaCetRIfUqq8PW5FzOZ4/+Yo4FqRSJKnWb/45mU0OkSoR3IRnohlxYlYXVeO"
    "SieaW479x49jBJFk+TgjxEXQq7NnMrES5nMmty/Qt1eG1ejOLi7eFjS6s/OyA/DTu7MZg1"
    "4gn4WSJWcdGpKifteRhfr5zIvhD2feM5pDl0OLPF0VjSOT0E/h6D9QaU6u0JeCqRQNvcUO"
    "Ciwbut0It+Q9mFE/mFFXUQSqgtpsYP25IhKMlMzhnIx+21P/ZDTK0Q8T81CMeWw/dKmTsj"
    "mztyjZMb13ZJjvPb03QS0J06m60+Ti+k32vTCuoyAgfL46ndM1ij2MGPYePED9r+aYWgt4"
    "yyNFMjO6yQlUkjR+IAU/EGUzu0PSb0Gql5l+f5nkARvSAq8udlVB0JhTYzanKIKBvbJC9F"
    "UpxbUkNubAwWhTXJMTjTt8X0VJ84GN+QMzFGD1+9dhkkEZCrDHOOqSj71C/cMsrKDbqBcl"
    "zYo+nkGWrOhk7XfducuyZqTHPNJ50qDKQDew+hXFRuxSGU2SWMajpIBzQcigfD/KcS2uGs"
    "h5GYPx/RhHVJkFNCeihSE9MAloRA0H6P0coLlJVkMBWlkpegD1Mu3nsBaJtqDmF8cCquwF"
    "wPtPb98eSfWJHoBND/vSE9eSBtViwsa6gAH2HmALKpMyFTC/sy8C13MHrX0SIs++Y4N1JC"
    "FxLbWYNBG54qytxY+PE62V2Fw3OFwB6IFcT/wgup8FuekK0hUnOuWkqdjzo3Ai6FH5Lezw"
    "GxtB1BoCTgbcTATb83MkVKuftzsk8XMsuOwhR3/8sZ2y2xFqTUTalCQs1WYkCVbJHG3aXx"
    "82xDZghnA992hh3FpboXkhHfXK3mP5N6imlEYOcNJcQ2h/mLapsmOt6tOyppVKO7F+WXxF"
    "UwG5KKUh1v2H7Y0vRbJY9G7nGz7oAUA2wdN66A8zjNYqeGpcaMaFNkLjuc6F9vL08uXpq9"
    "lDWc5/J/OPkfTYk+TOpMlS/l8yt4JI5bwTXpf/HQVMiFugzHTlF9w7wHo6BlfMNI3HlVux"
    "gEFExTknyeEktgvxmhmscpu4t56lVjDrhd8TtALG8D0IwzcZsra7QNJcxx2gd2NXzsjRrF"
    "TVMHLooE4diPrULqc3hLJqhPaneQx9oMTHT+/fa3KYR10cop4BLpPYifhtZOb38AxvhOGw"
    "VtktciL6OTxOWhWbnTQUm51Ui81GlN84tv1DY3N8gT1MV52GvSRqsh3HpjZUfAIPY8K+g9"
    "i9IjdIasVmNydNhuyaNWMWH2unYMtyIeSwPda7OQbnoTAmuVmZnHfJT+mE7O4aswkpjrf8"
    "hd1kFimPwF7+evpkevI8jc+KR/OjM2lIAuTILdw9P+/+gzY/570YOSfpH0oW8HjPoIS2TS"
    "L2cep3AKUfBeyL76zX58THbB+PUqlH/LNV+Qq2AmOGurMrotVUnzbM9WlFs/SQ2KrkZ/HV"
    "41wS00+N3wvYYudQjsQXpYZa4Q84Do+++pjNzA5qc1FyGGtpSOQPXWsuBSs7lXlSYxUdxP"
    "iaFIT6BVRfn4dJQTApCCYFQcV/44XIE0Mj9+Bsb0/u8eEUGt7rw+FJATkhQDc4tFeI/gwg"
    "oAxwF4GAbCYAeww47lOZ37E7a7yMU6OrTpo+OrzfC6PkbNk516AfTXzPJzXvyGFa7zfhm5"
    "TFnWhVZO8h6c/JGXY2BXa2lNGRWmSxUAmFVgTNUVi9B0odiN07i/rIcywb+pItt54fVSJr"
    "GFJbMKQaNqD61f8wbQiJ6SjefizxNLSes2V0hX2pOpbdbdbGtu0UImo0mm+vgZBw5Yh44c"
    "q9A74LPa44iWCWSDNif8FQ/NOHd2vkhSDdAYALaQgC5BOuZMljaXt7kmIUjT8gotpE0ObY"
    "dRnK+gXQ8vNFlQSlKqqdA3wvXOzJtyGFul0uYtQ9svOYQ5YmVauLsjdyFaPqpwwY9JsuIa"
    "aCoIlAjHmMmbXVKYiYiZnxHfP4+kwBtRymcHY4wKooasZ5zOMcErfLfpwTM5vxqAfYhIrr"
    "1d3DdPMYqu/HOOp1zr3Cpu1CVSdCTmTM5uwD+29MDobJwTjMHAw5MSX/6nvA9EPSjaaY5t"
    "bGUbFSfoA0/sRKIRRxfdIUPGGmGUUt4yanotTnyZywEQJ+FNgrSFHMDJkwYEDXJRs+Qygv"
    "G6LickyUsQjIGlxnTrvrX0D8aLAgXEhwZECP8EhGNY4y6JMV4yq5LGgTWxnBxjFpiK0EaI"
    "EClKxgbUejIKRdPGUvx33iNVunqOWzj0RO4FGfLFaVHO78632C3vMR2DwoTDohLJE0CEsQ"
    "TmYir4BQn7+plDm7vWbiKsJakjKwVo6aNYHUx+C7PaxiPTPMHYc5QLfkptPXXJQ0kbYxj7"
    "IJxNRvj4fpkjeBmMc46iYQ0250TSDmECE2gRgTiBkdprsEYorkwpKs77NE7PVvH5FbdzZR"
    "LsLya+JG0wTrb/uOVAm8aqJVKZbNEStrO3Ltaq+30SHAPUi85IYkPO6CwV0EhH5JYkYwQE"
    "CQs7GGInb0VF5+3UOfUv73FXGdeD00FPAKnrQHpoBXdMIbz/vRfZ53Zae7cQzX+9uVXe0G"
    "TBmY8dqsaGQUhIyZoW5mZDvirkpxkg5zYHC3VYoLE21MvDvCGJEpfImR0qDssRats5Pydd"
    "VAUBRzHewYnMZXArQmt6kCJmqsA7LALuLkxDfIDwWtMacsTgrKZWlI+3hEzzw8400r4hDp"
    "l1NE3WipMgppe+0yifqnJg1x6EpSteqZebYCwzPyPEzMay/cOzfsd8pn9P218KnsmPWcUV"
    "bC+wGWpSU2WfBbkU6K+sgCu0Oa8bkQbBTw1E6lA7XzMhpSebfZL+u3S8nRuA5TeES6oVCe"
    "FCxRqaxGc703s9SJYlpHq8ahXYtwVdDAW5sJ+oDZzJoD/PDJzJoDzDQFEuBQlVs0L2aoRR"
    "WoRSMvORxJEfCCnEFcAXHoYwvatvRglkbIi4IGcwXMud44h6GtotMVZEz0S7ZWE4rTnIOW"
    "oOZFDKYyDY6ybzzEtzIDu2lxKMgNuDakTryDXRpManP93D7MJFeT2vwYR70utbkSrW2Tbl"
    "ciau6edFdkhj6wmVCbdlci26OyFBjV1ERt8Uk4IHaFKOnm8DwErVBKPrjdMGqZnX0o+Ow1"
    "zyGdTrJch9xUa8h3yM/rdkz2JOD08DW08ZOYJGXDaeVxCJYBFDmo/BBncW0DKQjQLZskdf"
    "T1/Xa/w8nPE/A5x7St4ZnQCbgangkt5pBi1lxeRrtUCUNir1PoHlPLh9L0+3t8C6mU8Tqq"
    "uRZ4VFjBPZaTMCnNZTjT7dlSx1UmagAuA+yh0IJrXvwjWSAasnuKctrgOnCCT4CYmuVwRb"
    "HDEEiEzTiYRKtRJlpx5bsKbn2qbNreZMrukCkrjJRODu+ipOHpGY9/uxrWMMGs+iXtMMMa"
    "Jpj1GEe9LphVDLzYN3CJVKl6ClIa6iq9k/U8AB/SI0P4AeiQHgHCo2FDGhnWeyJDitfVHl"
    "B9KVxUH7L+9IS3uBGNjm7qUFEd6bEfl4jS+CdXws3prUlTtJnGjVSOTY8l4jM2QnKDPF7a"
    "7nFHMKAhmzXOBBCmGIposbj/HQWXv54+mZ48rzkefdceH035PLQFhZSG8WExrNYKUkkmef"
    "14FKW0ixH3X05/WOThQyJ/uAas8Vbp77do5a0y5Ldam3tjA3tXe++BGaku2RhF/hnxIirV"
    "nnO3mzVo0dCa85ZtkzY5eegaYndOvgo+qM0K2ysAPZAoeGBJ4mxL3vmTyAei919iAqnNii"
    "nI/GbamCnLMaqS/M29PmkHvXsMi9WINL39K9jYQV4orf9uMncymV68gSNCvB/dWqEIZq9r"
    "WXgn3q+6iokbzesXb9KaYI/37/Dk7zVbH0K09l02+jKavPqGUspjNulcZKdlCIIgrUx7/P"
    "mIbLztEsD+q0vWt82+WZcsI6SfWf+wzHij0kYNN95+9dDBMn7yr6kAfknMDMEOQ8BWTLQk"
    "gUSZqcc/L7MT+OOMYAyGPUUwsFdWiL5KvEtX7GrNyl4U02KBb3IezX6/aoZ+6zt6e/H+Td"
    "q8PB4ltpW4mNPiwZAq9o2lJmVRU2+iUm9CqGSu1xebJM0NDZk0GT8+Sd0SxHhy3fD+UjVJ"
    "N2NeUUZZsxbbZipreCYxZrBHu3zH8Fm8XppEoeWvSEjU4a/K65CoNfRY3MIAcyQkxW71Km"
    "RByCjwOyiRhuHMMJwdPMMZTydU5vfMhIwKbtjkTEqDKcB5VKPepgAniwUpRogrglqYKfuu"
    "EslH1doinZfRwfwYOHGoGO3cta6h0NmBTe62SUSVT7tFYYOYpD0ArHc5Tv5T3uEg7QSctJ"
    "agpBErkA2+2XakD+Z7pRz85LsEFvMfincmTekfkWijUP/h4IB9iCCWi2s25nchomAN7wAM"
    "AmZIAp7rEfDDEUURxy9xgtkGIZ9djQ9IpACHk/jYbN6MhPLSkH0+TJqHsl0zsIPWPgk5+Y"
    "h1g+4k2Sga8g+umXUK9ctCYY9nAxnGiCrpk0U5HdXJaRvwp/XgT8vqJP8+LYr/rXiSXUFM"
    "J//ewCxL5XVLafWpiOqn2/8wfdEmkDZ9UR9J4/eMd0pvP0Ub79SDGM6jG99hLeeBbbqxoT"
    "2IUbdXY4UKTbtqqiTj0WCo0ITHvp2ZkpSsyM2K9OYX74t3nVCXXvPqFghsaDP7gSyEGeEi"
    "Z4mC7yig0XoC7BX0ltyGELXoidkQ05/DpClwsYeOwTVnRWUvcw2WAdlwm4UJockXL4ndgy"
    "X0acKczo2WO2CT9RqHnDk9fgp/gzl0+SSeAFGF4SJODT5Jz5OfxGfPZ2Y3e0v0FVO+fbOb"
    "MZcze+IC3vID/DiLO6BsWarNwTcV8+NbCJuMGsTLulSGYiugX/XUtBXa0wa4pxW3OEeLKw"
    "OB9EDBepjLcvqp0HuBW8xOi62FmHWqHFSvCJvgukJwPdYW+IkeSBKQaES+LGpwV8CdH/G0"
    "IUylUuU9qQhqaEpMT05arDKsVe0qI+6VmNjhWskDmLbXbxHfy/kjAZEVpLVM6SbS2rQ9Tu"
    "WjT5ezj4rq4CgzuV1iwzrg5fM6k9BwZu/jdJe4fkZxcyzImZ1R5VxpAZtFcbJSqLhUy7KG"
    "WX08uV5VJ2oyWsxGl1mzrUZ6K2tGeswjXXu6UFNYUMdzhQaOCDLTLHACuAgt6Lpko2xcS+"
    "XNbqawmyXeYLWZnxMyM7/bzI998hZFDACpItGEv0TYjEPnE7hQEECXoesomSkVwYFYqBri"
    "CB7aWIXXGiig0L9VE/8K5FjzO8UgdlVyT1bk4ROyST4CfuRnh0wRmbxReMes8G5HrAv3nl"
    "TYkPAVv7IqJxaNqI/iAxuVv7CyrPm6xvx1JUSkHca5KGlGecyjbDIr65dSfTMrTd2vbqMu"
    "+dirB++ZA+GGTaY1Jz/t+eSnDGroY15TsWNt5KmPf4sLMw5s1aotjMx//9CWRgdU8IkcHM"
    "68MGiD0YHMx6I6tEL2DYl2xell0o2uM4nd8Si0e6hGjg8NvMr60xUykWeMvvok2HVyMQUN"
    "zkRHumLF8+93BOk1dg9R+2wFz8NQARwkVKWSyx3xOs9601hNELne4uS/HeF6xzq64v1oi1"
    "RM+rzC/q5IbTvSFSqeUb3rmv4BxhUfWuITBfYK7g5R0o2m6nn+NN3uIOUO7tVxKmUHDu0A"
    "UXqukYaTKMfI0x2gjPpHlym0z6rkf5LgRl6XnNyZNFUmb0QbhdrkWIBX8trsU58kh/LFrm"
    "vOVURBQDZpYfEKwSCcI8iP42NGA7stCpVdfCs5d6v33ncoFB601qYyjTWMcjcSHNlRwA9E"
    "kOQYNJxTUZDSiXSnN1JtipDXJZUgE9MwBnW4Mac41FgJiTwMF8YpCtjKLNt1kjuNuw7M2t"
    "y36dQPbM88ELVLjTREJ1lhkkV6vAt7L8tL/UJemylev23W54mbKuCaKmD+USkgnDTXEN29"
    "FAEnrIlVhBvO5stEzLEqiseqPOhm9u3/Ae2abVs="
)
