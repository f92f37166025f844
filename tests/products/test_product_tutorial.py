"""docs/tutorials/product.md: what it says, done to a copy of profiles/, loads."""

import re
import shutil
from pathlib import Path

from models.enum import Quality
from services.products.profile import load_profile
from settings import PROFILES, ROOT

PAGE = (ROOT / "docs" / "tutorials" / "product.md").read_text(encoding="utf-8")


def test_profile_of_the_tutorial_has_its_prices_and_its_style(tmp_path: Path) -> None:
    profiles = tmp_path / "profiles"
    shutil.copytree(PROFILES, profiles)
    prices, style = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    copied = (profiles / "plushify.toml").read_text(encoding="utf-8").replace('name = "plushify"', 'name = "toy-shop"')
    bonus, collection = prices.split("[[collections]]")
    copied = re.sub(r"^signup_credits = .*\n", bonus, copied, flags=re.MULTILINE)
    copied = re.sub(r"^\[\[collections\]\].*?(?=^\[|\Z)", "", copied, flags=re.MULTILINE | re.DOTALL)
    (profiles / "toy-shop.toml").write_text(f"{copied}\n[[collections]]{collection}", encoding="utf-8")
    with (profiles / "shared" / "collections" / "plushify.toml").open("a", encoding="utf-8") as file:
        file.write(f"\n{style}")
    assert "`profiles/shared/collections/plushify.toml`" in PAGE
    loaded = load_profile(profiles / "toy-shop.toml")
    (offered,) = loaded.collections
    assert (loaded.signup_credits, offered.base_cost) == (5, 2)
    assert offered.qualities.keys() == {Quality.STANDARD, Quality.HD}
    felt = next(style for style in offered.styles if style.slug == "felt")
    assert [variable.name for variable in felt.variables] == ["colour"]
