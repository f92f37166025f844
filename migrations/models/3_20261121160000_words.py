"""A search index of character pairs on PostgreSQL, over text that is case-folded like the server does."""

from tortoise import BaseDBAsyncClient

RUN_IN_TRANSACTION = True

# All pairs of adjacent characters, and all single characters except ASCII letters and digits (every id contains those),
# as numbers: smaller than text, and compared in the same way under every collation. models/database/search_index.py
# computes the same numbers. Uses names of pg_catalog only: a restore runs it with an empty search_path. Its COST was
# measured, in comparisons. Only ended generations are indexed: during processing, each progress update would write all
# pairs again.
_POSTGRES = """
CREATE FUNCTION "character_pairs"(text) RETURNS bigint[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 20000 AS $$
    SELECT coalesce(array_agg(DISTINCT "pair"), '{}') FROM (
        SELECT unnest(ARRAY[
            CASE WHEN "second" NOT IN (10, 32) THEN "first" << 21 | "second" END,
            CASE WHEN NOT ("first" BETWEEN 48 AND 57 OR "first" BETWEEN 65 AND 90 OR "first" BETWEEN 97 AND 122)
                THEN "first" END
        ]) AS "pair"
        FROM (
            SELECT ascii("one")::bigint AS "first", ascii("next")::bigint AS "second"
            FROM (SELECT string_to_array($1, NULL) AS "characters") AS "split",
                unnest("characters", "characters"[2:]) AS "neighbours"("one", "next")
        ) AS "numbers"
        WHERE "first" NOT IN (10, 32)
    ) AS "pairs" WHERE "pair" IS NOT NULL
$$;
CREATE INDEX "ix_generations_words" ON "generations" USING gin (character_pairs("search_text"))
    WHERE "deleted_at" IS NULL AND "completed_at" IS NOT NULL;
"""

_BATCH = 1000  # rows


async def _fold(db: BaseDBAsyncClient) -> None:
    """Fold the case of what migration 2 filled with the database's lower(), which folds less (on SQLite: ASCII only)."""
    postgres = db.capabilities.dialect == "postgres"
    first, second = ("$1", "$2") if postgres else ("?1", "?2")
    last = ""
    while found := await db.execute_query_dict(
        f"SELECT id, search_text FROM generations WHERE id > {first} ORDER BY id LIMIT {_BATCH}", [last]
    ):
        for row in found:
            folded = row["search_text"].casefold()
            if folded != row["search_text"]:
                sql = f"UPDATE generations SET search_text = {second} WHERE id = {first}"
                await db.execute_query(sql, [row["id"], folded])
        last = found[-1]["id"]


async def upgrade(db: BaseDBAsyncClient) -> str:
    await _fold(db)
    return _POSTGRES if db.capabilities.dialect == "postgres" else "SELECT 1;"


async def downgrade(db: BaseDBAsyncClient) -> str:
    return ""  # forward only: restore a backup instead


MODELS_STATE = (
    "eJztXW1z27gR/isYfel1RnETxXHSu05nFEfJuZfYqa20nSY3NERCEsYUwSMgK7pr/nsBkJ"
    "T4AtIERckUg09xSCxIPbsE9g27f/QWxEEuPRn6+Be07v0I/uh5cIH4H5k7fdCDvr+9Li4w"
    "OHHlUOhj6w6t5UU4oSyANuPXp9CliF9yELUD7DNMPDH6ykOAjz4B47n8A2BGkTsFmAIP3a"
    "MAUEYC5PQB8Vx5E9z8PHwyeHEGoOeA1RwyAIGPAko8ECCbzDxMEeUDwWR9Il7BITZ/B+zN"
    "DvK0pYd/WyKLkRlicxTwZ37+lV/GnoO+Ihr/17+zphi5Tgpi7IgJ5HWLrX157XwOg7dypP"
    "glE8sm7nLhbUf7azYn3mY4/6Hi6gx5KIAMOQnYvaXrRhyKL4Xvyi+wYIk2L+lsLzhoCpeu"
    "YF7vb9OlZwuegUgSIi6f/M2Fi4kD//736A0TNJZ1eTW2bkZjy+rlGC/eJ8Od6JJNPCE02G"
    "NU4rOAXy0XeTM25/99/vRb+JwtTuEo8cB/Da/Pfx5e//D86Z/FAwmXvFAkL6M7A3nrm5wC"
    "MhhOIrmyZYP8V4MR8fhmWBFf2PJi+93EwMbQ7R3sZ0+roM1HFcIt7wm8t/jO+bN08I3Hdx"
    "Df0wronhZie5pFlkJXC9l4fAeRPasC7Vkxtmc5cPlaZ80hnesAnKQ51Ep9xBDbARJQWFAh"
    "xW/4HYYXSA10mjIDtRORnsR/HKN08x/oXHGdJGJ5CfTjiw+jm/Hww0fxuAWlv7kSv+F4JO"
    "4M5NV15uoPZxk2bSYB/74Y/wzEf8F/ry5HEl5C2SyQT9yOG/+3J94JLhmxPLKyoJOQzvhq"
    "jFqK6y6kzFrSWnzP0jbA+eiV28L4I2F0jEkppzmjAktPy02QdHCXakaZFQbF9E6pywr48n"
    "C/5SYOnnnckJOgX/A3hJ6tUmIjXf9TNM2Rgf0tlqb46vbzDuBqY4ElhYz/dv6LEQvFcnhz"
    "Pnwz6kmEJ9C+W8HAsVJQiztkQDJXNmPztxaDRfYK9OBMgiN+hXjnCPVz4rrIjn50zhJP3O"
    "2XWeP2ZlxFg3wI/IA4S5sBF3NrmUy5Tbx2uZG7wmwuTWKy8vgYbCNpFAeIm4YO8ImLbYXF"
    "vft0341JLYHpnkFN3eVMyyyJxhuN+UGNmWHmKpwV/7i5ulRjuyHIakqYf6D/458oZce70K"
    "tgFVCk9KMYzh8+DP+TRfr8/dXrrOIjJnidgT35mhrgZ8gMC3ZgwQRSxKGlCpPhwmNq/FM0"
    "GfQjJ9ORoc7fl//zZPDs9OXpq+dnp6/4EPmimysvSxhzcTnOoBpuvla4+arX7JG3XOTUxh"
    "TMuUnarLlHKtNfEP9ZJ/46q75U8pKeVXGSZg2vhI/0LLus/7aELmYYUZ3VJUVk1pYd1haK"
    "f9eDfkNgYN8Bdn4fq7fUwhU9SWIWdMWCjqnFjT18r1ASXxPiIugVmEJJugyyE064L2hj5f"
    "yw4vz66up9SpxfX4wzQvzpw+sRX8WlbPNBOPQQ5AE3Puxi2e6uD3vpOzW5nqY0XG8L1xUO"
    "bfn2OWdrsW8woVBIj5diCY7o3v5yjVxYsJFFzqEbMccR8r/ICfttr67TADmYjQPoUVjsQc"
    "0N6pc6UuVwi23Ha2Q4xb5PNud/I2eGgp84CnjG/6DS5UkRYATYc+jN+MAAhF5ogJk6h2mH"
    "+b54X7xbirhwcOPtFthkyTkFoAegLf/+E5Wzhw5asmRgBn3aB9iTDyOBgwLxZJssFpjRE3"
    "DLH4eCcDIK1zTMkpIvxqf54k2QS7wZFa/zw62DhCv4Ry7D1snJye2fpcsXUxBKax9Qwik5"
    "uUfYnP9ccWsVYMYQf/oK26jIIfx5E+qIf1nv14yT+I/eVniSLn/5naUI+X/QV5+vE1QyOR"
    "K2SHoiKY+/zp4czCVA/udbRzzRoax30BUd8zi/FONZoZWRpOqSlfHXweD585eDp8/PXr04"
    "ffnyxaunG3Mjf6vM7nh98U5owim25FXj+EOr41OKaY0rSdOVxPFkS4XqUQ32LfXhgO+dX3"
    "34+H40Hr3RXHVaiT9ciD1Vb73Z0pjVpvZqM4Eu1F7pE0QG+trQR4qkdc+VUaU/r1T488SG"
    "FbVZsdHNdbTPFFHnovCDSkntg5Kk9kE+qT3Cg7+YZoJbjrAW3g8nLT4e3k1p9Qn7HTEoVH"
    "ydEE2SZqcozfHkh+4lSGP828Vif5yezkr+bZO5azJ3W+A07lfM3L3mAn99cT5+rNRdvhLC"
    "0VefBKyncDwn7vbLPM7SjYXkQA1Xc0gQnnANyEq4UIWXFIEJmnLxkSm3kzVDFMCATyEcsF"
    "yK1sIHy7Arxq7FHTAjHlI7nxt/wsMZvp97ZOVteJ3YSn7tiMc1wrR7HlfGgdvF/XRgt1/v"
    "4+jyzcXluy74nlwkEh7lR6errGVIzbmq9oSh89oZZAwtfKbw8hZ7WRIkh3OvPN3XotZw1p"
    "Qxcoqh7q6Rw7dgzGerwfU0pVks27xYJvXIqsphksYYs/rGrMTPWLMPWbNJMWuVOfsWS1xz"
    "hqy83i8zYac4SnyrZrv62GbLIDwIKqxINl8uJh7ELuVmpOtyA1JkH4niUiIFiSwDeXh0Ae"
    "84/GpbdecZv5vTp4JV3bM/OR8LuPCw+RnTtnnJb6XhaYz+x8OeP44hj1nF2VYFlkuGrs1C"
    "X3e1GVRZbQbFq80gC7bwclri9Fce6dI0kySZyW6ond2wwg5TFOQqxH0zvkuYN+b1mHNlfK"
    "5znnpLYPBU4EnncPDiTGcN3lJ0cPXdQ/WLWJe35IetdWRXRWtO7+5yeteFNpoT11FZ+sUi"
    "nyHroNyfVso3Oy3JNzvN55sZD3Ux+t31UJtjpl3jusJlHb298Vgbj/VjKw/79Vinkt0ca6"
    "IoOKRzQPrdJpP6aANs+UPSqbRn6CCD0qGPkicAU0RA0nAWx0G2af4a0ZBAnDulDExJAMg2"
    "lqEOdBQNFse9R/coWMeHwTEFUJze9mGAnkDPeUIRCw9dL8g9ouA2OnlzewKGYEWCOyRjIj"
    "LHT6b7rebYReA2kSJ0y40kke0353uwiLR88USo5XYaHgoP0wOBh1b8/U7AR3WpT5kRyCWW"
    "bs61O1B04AArSAHlBkLFaEzqmPcEMnsu1qddznSLbzAxJwnwDHvQbXhaPgf/WHadtCOxqO"
    "3n0r2I1EYmNfiRpDHqXKUjQg5WnA+qFoHaEB8wAnXxYfhudPj406sKwL8qxP1VB06bdyj0"
    "x/Gb7RJ2nR067PrPT6NP3Tjm7wdEWPwK0X/rElhUvTBBlEF9Kqj2hfvTk30l4pbA+ubq0+"
    "v3I/DxenR+cXMROaA3bhZ5U1za1ta7Hg3f51BG9xit8iCPuQpUhPGGZE8na9vi1R+P/jMu"
    "9+pv4H5/dfkuHp519acRr3WE/1GO7j/bl6byKJHtbdcGS7d8voK0gypj89FEWaRPG+00lQ"
    "G6MtDarQsyZCZYu0uwNiALXxFEKttHYwqzjepvo1P+FpY+6BmyTqwuB9dgYIAFFFrZISki"
    "s9LsWEu/tkmqzpBsldy3zwcT9oGo3b0jQW5w18EdUp+r3ZZ0W+tokFm6LuyvewU6inQhx5"
    "IyoIO1grR7cO+la7eIFnpMM2yRIuoe0M2HLRAMXIyCSOfTUlkUpEZx2clEwiRQ7qPF3WgS"
    "JKaoQt6lpdWszfRpK8HSh1idMFVNx0uQH7Ku8/XozcX45vDhnsb1D9MkrwUhtxBBpFBISj"
    "tbJckO2Nhqc+VoO1uZKkMNL+JT/U4U08O3odgzmoc+MSrzGXVsmC1F9wyY5mM7puTc91FF"
    "iVuZ99jh5qYNXbfWiST1DIbrR8N1HUUgT9iZDaw5my7CSMvBlqDp3vbUfL0ObYexcRNruo"
    "k3H7rS21OeDJmmrJkR2TLM954RGaEWRTZ0HfRq8u4J+16avqAgIEJendoR7vQMLYa9AQ9Q"
    "86s5ptYU3guXe4325klK4wfS8ANRLtk18iRTVI1Ieot6Su0hSVLgVceuShEac6rN5hRFML"
    "DnFkNftbICM2RtDhy0NiswrFRQ5/tKU5oPrM0fmKmSVLx/HWe9HFMl6XvkuuJjz1VH4RZW"
    "UI/raUqzoreHyYoVnSz8ujt3ltZwus2cTpZZyTG6pPBZmqzFLpXWJJ1uK89o4JwiMig/jH"
    "J4fFEP5CSNwfhhjE2bWtOm9hH22wba1OZWigZAvYnnOa5FoiqoycUxhSp/AXD56f37nlKf"
    "aADYuO1RN3HNaFAVBDbUBQywDwCbUpla1d/rwkELnzDk2WvOrJ6izmVmRL+s1iXejrVEYy"
    "05+sGCl6KZ9AItSLCWjbg8JJpyISeua/kjWIkSlaIYJKR3yAnbSq/m2J6LopRUVIoUBVLz"
    "xTGbnFhRfvLzZg8kfqIUKH9G2Ju6bqOwsjRgpb6iSKGKpLBsB33cINoBc4CLCzKm+FbZzk"
    "wSdVFzbDxaf4cKDsuoAY6GdxDaZ4MqB5L4qOLEq0HuUBL2/CWz5pAq+iGV1HlNUXUQ6+YD"
    "86Z86wEMeRO4K4b+OEM4lQJ3xn1j3DctNNyK3Dfnw5vz4ZvRY1ltHyB2x+QOKRsTbG/2y2"
    "y1heiAxsQ4jb4ELvbuwo4BwmoSUyDnBFww2S2AchMrqu/vkbAdgUu82U/8sruWLZhvfh4+"
    "Gbw4E30B7pDP1O0M9vCMh3sHfE6yOrGT/KplubW3rL6AsXsF9f1lwDei2jnYCfI2byGtPI"
    "OPhETpfAEbgjZDXdtkriTqgxJZH+Q0Ybk2a9t1aapDLThHbNWhrz7mimwNgyNNeRiD45DI"
    "H4l9USmnRPYZq5EWSE3O0FHw17gNihdQ4zYwboOUHmLcBt+n2+Am7CvXUzgN4lv9MpcBjf"
    "vS9av6CyiXiifYOwEiFCtVU2GjI3cqzHMP3aMAUMaFx+nnDHi1c2DXCR/2BHTE4Bci2D2D"
    "39hExiYyNpHRmY3ObHTmdu1aRmfuqM4sU6lVGnOcY12iL4shFbXlIRDzOyAs4g5E9VSXMz"
    "mvBZcNVCYpbrvCiSGyDkc2PfFzj6y8DfyiEXVHtGDJge6pwdolWEyTuurKr3Z7OtOYromu"
    "C8nX1AA/Q2ZYsAMLbA7NjASKZN1i/JM0O4F/PMGR/XRLMxWBHqsi0AItJiiglnAY5rEvrS"
    "aXJTXl5DTKyR2yLUzLVpemKwgHaIoC0SHAwgtux6h1w0qtSbLTtHlFaWVi1MEb7H7vy3cI"
    "n7XCHLsls/w5YYoujA/Bn6fvQtmFQ/PCtNx93M51hGK1AVVcnz9BYhquKbZWTC1oM3xfo9"
    "Dwlu6AemHsFTtetdCEpb7HsJQp3dgxriti0LnSjdvYhGZIMkfYCdV534drk1Geqkgnabqg"
    "Eh84+JuOvu0YAj5PTXZkwl01EJz7tCvUIZJC2gDAFWPsLRPpyvWdEp+ydhWiLdgROHEmaE"
    "Ynjojf/nKN3KIyKRHa7zYTdQfzb/tMRvjkuwSm4/HpO/2ydISlHKORvQs9jyz59+KAkFSc"
    "wqVgsmZInMtdyxO4EwREqgECa8T6gARREq5NFugncQfQFUI+vxKgBblHoqhSH4hjNXIsKT"
    "gDfLAnKzMmNqtJpp6VIm+ig0eFI8Q7lzTBH885yUJItVTNNF0XNc3GSz6JT9Wi+HfNLscp"
    "si65ow7c7Di7cGktPznS7qn9eynEZRxXxegfpwujiuPqUWzq1vH3sEb1gc29tqF9EHtvr3"
    "YMlap23oqJ+FFiw/AROhaMbXM7osjIiG5+8b54t3wJdjCjt+IcIQQ2tLkBQabSjnCRM0PB"
    "nyigy0UfCFvCCQ8XxlYDELFjThUOFAWM0Am45caIOC15C2aymOxkLSvQiqFfpKWyFqbKAj"
    "MudsCeQ28mHziBrpDZPuAqp8grXfB/+yLZe4pdJM0cCLYGOH8p9BVTsVvzm1zc2ZL2Qdzg"
    "UoyWTQH7IIpuf/Fm0KfmJORxrIBl1sxj199p0fnHvVTfkXBZ/DPFfFJVkeay2G+e2CQGak"
    "SAfUjpivBNRvegb46wg8rV4MWLCtLORxX3sxb30ojLfzWAjsd30DKs1C78WUm78Gf5duEB"
    "UZ0oqZiTSZSHS/Yoyr1PN6NrzX2ylamYLrFhEfBqud5SdFCyG8cXUytMgNfcHlN0ZmfUy4"
    "0SVoqeUzVBdDiX6tN9yfSj+FO5zRc4AZwyC7ouWWkrhEp6I/kakh9Z03qSnyAykl9P8kOf"
    "hkVFy5xIPamOv4LY8KEeH0zbelOSx4SQuhlCMrnPXeN6Ue5zLqZVJd8O+njTTa9+st3Qx1"
    "H/viMTgcJMu1TRjgB6FNoNJCWeS2tpvJ2vq5DJ0AL66pNAaVBqQMbXKDiSE3UVKxF82xGk"
    "ih1OjxKex8kIPkqoVC1S6+OVb87aRcwyrYrqw5VqjdRFpJIVmuvDlCgG3UmQNmX5doCoWx"
    "3WM+bI5pxAfYC2BxK6IkL7TIj6Nwnu1ClR0Z1+WVLUSo7RSIvyA2LzbzzssraAd4gmcoro"
    "T6LxNYVrCigBcMYxkP3Wwr9Wc67HiAEuvkdUnVjV7PQ7JCodNKzd5hSZpqoklp6usJeBKB"
    "6kyDYvqemUoupSxn9jBSgoQl4N11CCrIN+oeP1A4XuPw1H0D73nSEKsD1X7TvRndJ9B27H"
    "PLTtFDO24TzUwqVGmYaqWGGiRbq9C3sjy0vxQl4YaC3eNovDrCbhriDhTnxUGghHwzuI7l"
    "7y7aIjm3mES+rYbklMCTLNEmSPupl9+z+SBEbY"
)
