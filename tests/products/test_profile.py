"""The shipped studio profile, and the report of each problem in a profile as one line."""

import re
from pathlib import Path

import pytest

from models.enum import Quality, ReferenceImage, RefundPolicy, Size
from services.products.collection import ProfileCollection, ProfileStyle
from services.products.profile import Profile, load_profile
from services.products.prompt import check_variables, render_prompt
from services.products.toml_file import ProfileError
from tests.support.model_catalogue import write_models

PROFILES = Path(__file__).parents[2] / "profiles"
STUDIO = PROFILES / "studio.toml"


@pytest.fixture(scope="module")
def studio() -> Profile:
    return load_profile(STUDIO)


def collection_of(profile: Profile, slug: str) -> ProfileCollection:
    return next(collection for collection in profile.collections if collection.slug == slug)


def costs_of(collection: ProfileCollection) -> dict[str, int]:
    return {style.slug: style.cost or collection.base_cost for style in collection.styles}


# ------------------------------------------------------------------ the shipped profile


def test_studio_grants_30_credits_and_batches_of_four(studio: Profile) -> None:
    assert (studio.name, studio.locale, studio.signup_credits, studio.max_batch) == ("studio", "en", 30, 4)
    assert studio.models[0] == "google/gemini-3.1-flash-image"
    assert studio.upload.max_bytes == 10 * 1024 * 1024
    assert studio.upload.formats == ("JPEG", "PNG", "WEBP", "HEIC", "AVIF")
    assert studio.limits.prompt_max_length == 2000


def test_studio_has_four_collections_with_their_own_prices(studio: Profile) -> None:
    assert {collection.slug: costs_of(collection) for collection in studio.collections} == {
        "plushify": {"cute": 1, "realistic": 1, "cartoon": 1},
        "avenger": {"classic": 10, "cinematic": 10, "noir": 10, "anime": 10, "realistic": 10},
        "scenes": {
            "enchanted-forest": 5,
            "future-city": 5,
            "quiet-beach": 5,
            "mountain-sunrise": 5,
            "starry-night": 5,
            "cherry-spring": 5,
            "cyberpunk-street": 10,
            "magic-castle": 10,
            "underwater-world": 10,
        },
        "sandbox": {"free": 1},
    }


def test_only_avenger_keeps_credits_after_the_provider_call(studio: Profile) -> None:
    assert {collection.slug: collection.refund_policy for collection in studio.collections} == {
        "plushify": RefundPolicy.ON_FAILURE,
        "avenger": RefundPolicy.BEFORE_PROVIDER,
        "scenes": RefundPolicy.ON_FAILURE,
        "sandbox": RefundPolicy.ON_FAILURE,
    }


def test_every_collection_offers_three_qualities(studio: Profile) -> None:
    for collection in studio.collections:
        assert collection.qualities == {Quality.STANDARD: 1.0, Quality.HD: 2.0, Quality.ULTRA: 4.0}


def test_only_three_scenes_are_for_members(studio: Profile) -> None:
    members_only = {
        (collection.slug, style.slug)
        for collection in studio.collections
        for style in collection.styles
        if style.members_only
    }
    assert members_only == {
        ("scenes", "cyberpunk-street"),
        ("scenes", "magic-castle"),
        ("scenes", "underwater-world"),
    }


def test_nine_scenes_have_titles_in_both_languages(studio: Profile) -> None:
    assert [(style.title["en"], style.title["zh"]) for style in collection_of(studio, "scenes").styles] == [
        ("Enchanted Forest", "梦幻森林"),
        ("Future City", "未来城市"),
        ("Quiet Beach", "宁静海滩"),
        ("Mountain Sunrise", "山峰日出"),
        ("Starry Night", "星空夜景"),
        ("Cherry Spring", "樱花之春"),
        ("Cyberpunk Street", "赛博朋克街道"),
        ("Magic Castle", "魔法城堡"),
        ("Underwater World", "水下世界"),
    ]


def test_portraits_require_a_photo_and_scenes_and_prompts_do_not(studio: Profile) -> None:
    needs = {
        collection.slug: {style.reference_image for style in collection.styles} for collection in studio.collections
    }
    assert needs == {
        "plushify": {ReferenceImage.REQUIRED},
        "avenger": {ReferenceImage.REQUIRED},
        "scenes": {ReferenceImage.OPTIONAL},
        "sandbox": {ReferenceImage.OPTIONAL},
    }


def test_only_plushify_uses_size_and_only_sandbox_requires_a_prompt(studio: Profile) -> None:
    assert [collection.slug for collection in studio.collections if collection.sizes] == ["plushify"]
    needing = {
        collection.slug
        for collection in studio.collections
        for style in collection.styles
        if collection.prompt_of(style).needs_instruction
    }
    assert needing == {"sandbox"}


def test_every_hero_has_costume_colour_powers_and_background(studio: Profile) -> None:
    avenger = collection_of(studio, "avenger")
    for style in avenger.styles:
        names = {variable.name for variable in avenger.prompt_of(style).variables}
        assert names == {"costume_color", "powers", "background"}


def test_style_may_override_options_of_shared_variable(studio: Profile) -> None:
    avenger = collection_of(studio, "avenger")
    backgrounds = {style.slug: check_variables(avenger.prompt_of(style).variables, {}) for style in avenger.styles}
    assert backgrounds["classic"]["background"] == "a city skyline at dusk"
    assert backgrounds["noir"]["background"] == "a rooftop in the rain at night"


SHIPPED = [
    pytest.param(collection, style, id=f"{collection.slug}/{style.slug}")
    for collection in load_profile(STUDIO).collections
    for style in collection.styles
]


@pytest.mark.parametrize(("collection", "style"), SHIPPED)
@pytest.mark.parametrize("has_photo", [True, False], ids=["photo", "no-photo"])
def test_every_style_renders_in_every_size_without_placeholders(
    collection: ProfileCollection, style: ProfileStyle, has_photo: bool
) -> None:
    template = collection.prompt_of(style)
    values = check_variables(template.variables, None)
    texts = [
        render_prompt(template, has_photo=has_photo, size=size, variables=values, instruction="a red kite")
        for size in Size
    ]
    for text in texts:
        assert not re.search(r"[{}]", text)
        assert all(value in text for value in values.values())
        assert text.count("“a red kite”") == 1
    assert len(set(texts)) == (len(Size) if collection.sizes else 1)


@pytest.mark.parametrize(("collection", "style"), SHIPPED)
def test_every_prompt_is_prose_that_says_what_to_keep(collection: ProfileCollection, style: ProfileStyle) -> None:
    with_photo = style.prompt.lower()
    assert re.search(r"\b(keep|preserve)\b", with_photo)
    assert re.search(r"\b(face|identity)\b", with_photo)
    assert "aspect ratio" in with_photo
    for text in collection.prompt_of(style).texts.values():
        assert "no text" in text.lower()
        assert text.count(". ") >= 3
        assert "\n" not in text
    assert style.prompt_without_photo is None or "given photo" not in style.prompt_without_photo


# ------------------------------------------------------------------ problems

SMALL = """
name = "tiny"
title = { en = "Tiny", zh = "小" }
signup_credits = 3
max_batch = 2
models = ["model/one"]
[upload]
max_bytes = 1000
formats = ["PNG"]
[limits]
prompt_max_length = 100
[[collections]]
slug = "toys"
title = { en = "Toys", zh = "玩具" }
description = { en = "Toys.", zh = "玩具。" }
base_cost = 1
refund_policy = "NEVER"
qualities = { STANDARD = 1, HD = 1.5 }
sizes = { SMALL = "Small.", MEDIUM = "Medium.", LARGE = "Large." }
[[collections.variables]]
name = "mood"
label = { en = "Mood", zh = "心情" }
[[collections.styles]]
slug = "bear"
title = { en = "Bear", zh = "熊" }
description = { en = "A bear.", zh = "一只熊。" }
reference_image = "OPTIONAL"
prompt = "A {mood} bear as in the photo, {color}. {size}"
prompt_without_photo = "A {mood} bear, {color}. {size}"
[[collections.styles.variables]]
name = "color"
label = { en = "Colour", zh = "颜色" }
options = ["brown", { value = "black", label = { en = "Black", zh = "黑" } }]
default = "brown"
[[collections.styles]]
slug = "fox"
title = { en = "Fox", zh = "狐狸" }
description = { en = "A fox.", zh = "一只狐狸。" }
reference_image = "UNUSED"
cost = 2
prompt = "A {mood} fox. {size}"
"""


def write(folder: Path, text: str) -> Path:
    write_models(folder)
    path = folder / "tiny.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_valid_small_profile_loads(tmp_path: Path) -> None:
    profile = load_profile(write(tmp_path, SMALL))
    assert profile.locale == "en"
    assert profile.collections[0].qualities == {Quality.STANDARD: 1.0, Quality.HD: 1.5}
    assert costs_of(profile.collections[0]) == {"bear": 1, "fox": 2}


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        # shape
        ('name = "tiny"', "", "name: is missing"),
        ('name = "tiny"', 'name = "Tiny One"', "name: String should match pattern '^[a-z0-9]+(-[a-z0-9]+)*$'"),
        ('name = "tiny"', 'name = "tiny"\ncolour = 1', "colour: is not a known entry"),
        ('name = "tiny"', 'name = "tiny"\nlocale = "de"', "locale: Input should be 'en' or 'zh'"),
        ("signup_credits = 3", 'signup_credits = "3"', "signup_credits: Input should be a valid integer"),
        ("signup_credits = 3", "signup_credits = true", "signup_credits: Input should be a valid integer"),
        ("signup_credits = 3", "signup_credits = -1", "signup_credits: Input should be greater than or equal to 0"),
        ("max_batch = 2", "max_batch = 0", "max_batch: Input should be greater than or equal to 1"),
        ('models = ["model/one"]', "models = []", "models: must not be empty"),
        (
            'models = ["model/one"]',
            'models = ["model/two"]',
            "models.model/two: is in no file of shared/models (there are: model/one)",
        ),
        (
            'formats = ["PNG"]',
            'formats = ["GIF"]',
            "upload.formats.#1: Input should be 'JPEG', 'PNG', 'WEBP', 'HEIC' or 'AVIF'",
        ),
        ("base_cost = 1", "base_cost = 0", "collections.toys.base_cost: Input should be greater than or equal to 1"),
        ("base_cost = 1", "base_cost = 1.5", "collections.toys.base_cost: Input should be a valid integer"),
        ("HD = 1.5", "HD = 0", "collections.toys.qualities.HD: Input should be greater than 0"),
        ("HD = 1.5", "HD = nan", "collections.toys.qualities.HD: Input should be a finite number"),
        ("HD = 1.5", 'HD = "2"', "collections.toys.qualities.HD: Input should be a valid number"),
        ("HD = 1.5", "BEST = 2", "collections.toys.qualities.BEST: Input should be 'STANDARD', 'HD' or 'ULTRA'"),
        (
            'refund_policy = "NEVER"',
            'refund_policy = "SOMETIMES"',
            "collections.toys.refund_policy: Input should be 'ON_FAILURE', 'BEFORE_PROVIDER' or 'NEVER'",
        ),
        ('reference_image = "UNUSED"', "", "collections.toys.styles.fox.reference_image: is missing"),
        (
            'slug = "fox"',
            'slug = "fox"\nmembers_only = "no"',
            "collections.toys.styles.fox.members_only: Input should be a valid boolean",
        ),
        ("cost = 2", "price = 2", "collections.toys.styles.fox.price: is not a known entry"),
        ('slug = "fox"', "", "collections.toys.styles.#2.slug: is missing"),
        (
            'default = "brown"',
            'defualt = "brown"',
            "collections.toys.styles.bear.variables.color.defualt: is not a known entry",
        ),
        # slugs and lists
        ('slug = "fox"', 'slug = "bear"', "collections.toys.styles.bear: is duplicated"),
        ('models = ["model/one"]', 'models = ["model/one", "model/one"]', "models.model/one: is duplicated"),
        ('formats = ["PNG"]', 'formats = ["PNG", "PNG"]', "upload.formats.PNG: is duplicated"),
        ("STANDARD = 1, ", "", "collections.toys.qualities: STANDARD is missing"),
        # translations
        ('title = { en = "Tiny", zh = "小" }', 'title = { en = "Tiny" }', "title.zh: is missing"),
        ('zh = "玩具" }', 'zh = " " }', "collections.toys.title.zh: is missing"),
        ('en = "Toys.", ', "", "collections.toys.description.en: is missing"),
        ('zh = "熊" }', 'cn = "熊" }', "collections.toys.styles.bear.title.zh: is missing"),
        (
            'zh = "熊" }',
            'zh = "熊", cn = "熊" }',
            "collections.toys.styles.bear.title.cn: is not one of the languages: en, zh",
        ),
        (', zh = "一只熊。"', "", "collections.toys.styles.bear.description.zh: is missing"),
        (
            'slug = "fox"',
            'slug = "fox"\ncategory = { en = "Wild" }',
            "collections.toys.styles.fox.category.zh: is missing",
        ),
        (', zh = "颜色"', "", "collections.toys.styles.bear.variables.color.label.zh: is missing"),
        (', zh = "心情"', "", "collections.toys.variables.mood.label.zh: is missing"),
        (', zh = "黑"', "", "collections.toys.styles.bear.variables.color.options.black.label.zh: is missing"),
        # photo or none
        (
            'prompt_without_photo = "A {mood} bear, {color}. {size}"',
            "",
            "collections.toys.styles.bear.prompt_without_photo: is missing, and the reference image is optional",
        ),
        (
            'reference_image = "OPTIONAL"',
            'reference_image = "REQUIRED"',
            "collections.toys.styles.bear.prompt_without_photo: is never used: the reference image is REQUIRED",
        ),
        # templates and variables
        ("A {mood} fox", "A {mod} fox", "collections.toys.styles.fox.prompt: There is no variable called “mod”."),
        ("A {mood} fox", "A fox", "collections.toys.styles.fox.prompt: The variable “mood” is never used."),
        (
            "bear, {color}. {size}",
            "bear. {size}",
            "collections.toys.styles.bear.prompt_without_photo: The variable “color” is never used.",
        ),
        (
            "A {mood} fox. {size}",
            "A {mood} fox.",
            "collections.toys.styles.fox.prompt: The sizes are never used.",
        ),
        (
            'sizes = { SMALL = "Small.", MEDIUM = "Medium.", LARGE = "Large." }',
            "",
            "collections.toys.styles.fox.prompt: There are no sizes to put into the prompt.",
        ),
        (', LARGE = "Large."', "", "collections.toys.sizes: The size LARGE has no text."),
        (
            'default = "brown"',
            'default = "green"',
            "collections.toys.styles.bear.variables.color.default: The default is none of the options.",
        ),
        (
            'default = "brown"',
            'default = "brown"\nmax_length = 4',
            "collections.toys.styles.bear.variables.color.default: At most 4 characters are allowed.",
        ),
        (
            'label = { en = "Mood", zh = "心情" }',
            'label = { en = "Mood", zh = "心情" }\nmax_length = 201',
            "collections.toys.variables.mood.max_length: This must be from 1 to 200.",
        ),
        (
            '[[collections.styles]]\nslug = "fox"',
            '[[collections.styles.variables]]\nname = "color"\nlabel = { en = "C", zh = "色" }\n'
            '[[collections.styles]]\nslug = "fox"',
            "collections.toys.styles.bear.variables.color.name: This name is used twice.",
        ),
    ],
)
def test_problem_is_reported_with_file_and_place(tmp_path: Path, old: str, new: str, line: str) -> None:
    assert SMALL.count(old) == 1
    path = write(tmp_path, SMALL.replace(old, new))
    with pytest.raises(ProfileError) as error:
        load_profile(path)
    assert f"{path}: {line}" in error.value.problems
    assert str(error.value).splitlines() == error.value.problems


def test_all_problems_are_reported_together_without_duplicates(tmp_path: Path) -> None:
    text = (
        SMALL.replace(', zh = "心情"', "").replace(', zh = "狐狸"', "").replace('default = "brown"', 'default = "red"')
    )
    path = write(tmp_path, text)
    with pytest.raises(ProfileError) as error:
        load_profile(path)
    assert error.value.problems == [
        f"{path}: collections.toys.variables.mood.label.zh: is missing",
        f"{path}: collections.toys.styles.bear.variables.color.default: The default is none of the options.",
        f"{path}: collections.toys.styles.fox.title.zh: is missing",
    ]


def test_missing_profile_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match=r"missing\.toml: cannot be read: No such file or directory"):
        load_profile(tmp_path / "missing.toml")


def test_invalid_toml_is_reported_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match=r"tiny\.toml: is not TOML: .* \(at line 2, column 9\)"):
        load_profile(write(tmp_path, 'name = "tiny"\ntitle = \n'))


def test_invalid_utf_8_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "tiny.toml"
    path.write_bytes(b'name = "\xff"')
    with pytest.raises(ProfileError, match=r"tiny\.toml: byte 8: is not UTF-8"):
        load_profile(path)
