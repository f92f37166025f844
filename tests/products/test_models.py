"""Catalogues of models: what the shipped ones say, what a deployment offers of them, and the report of each problem."""

from pathlib import Path
from typing import Any

import pytest

from models.enum import MediaKind, Quality
from provider_adapters import load_product
from services.products.model import Model, load_models
from services.products.profile import load_profile
from services.products.toml_file import ProfileError
from setting_types import Provider
from settings import PROFILES, Settings, SettingsError

FOLDER = PROFILES / "shared" / "models"
ALL = tuple(Quality)
SMALL = """
[[models]]
id = "acme/one"
name = "One"
medium = "IMAGE"
qualities = ["STANDARD", "HD"]
"""


def deployed(provider: Provider, **settings: Any) -> Settings:
    return Settings(_env_file=None, image_provider=provider, openrouter_api_key="sk-or-v1-0123456789abcdef", **settings)


# ------------------------------------------------------------------ the shipped catalogues


def test_shipped_models_of_openrouter_have_their_documented_capabilities() -> None:
    models = load_models(FOLDER)
    images = {id: model for id, model in models.items() if model.provider == "openrouter" and model.durations == ()}
    assert {id: model.qualities for id, model in images.items()} == {
        "google/gemini-3.1-flash-image": ALL,
        "google/gemini-2.5-flash-image": (Quality.STANDARD,),
        "google/gemini-3-pro-image": ALL,
        "black-forest-labs/flux.2-pro": (Quality.STANDARD,),
        "openai/gpt-image-2": (Quality.STANDARD,),
        "bytedance-seed/seedream-4.5": ALL,
    }
    of_images_api = {"openai/gpt-image-2", "bytedance-seed/seedream-4.5"}
    assert {id for id, model in images.items() if model.api == "images"} == of_images_api
    assert [id for id, model in images.items() if model.streams_previews] == ["openai/gpt-image-2"]
    assert [id for id, model in images.items() if model.image_only] == ["black-forest-labs/flux.2-pro"]
    assert {model.reference_max_bytes for model in images.values()} == {7_000_000}
    assert "8:1" in images["google/gemini-3.1-flash-image"].aspect_ratios
    assert "8:1" not in images["google/gemini-3-pro-image"].aspect_ratios


def test_catalogue_is_named_like_a_provider() -> None:
    assert {path.stem for path in FOLDER.glob("*.toml")} >= {provider.value for provider in Provider}


@pytest.mark.parametrize("path", sorted(PROFILES.glob("*.toml")), ids=lambda path: path.stem)
def test_every_profile_has_one_price_per_image_by_default(path: Path) -> None:
    profile = load_profile(path)
    for provider in (Provider.OPENROUTER, Provider.DEMO):
        default = profile.offered_by([provider]).models_of(MediaKind.IMAGE)[0]
        assert (default.price_factor, default.needs_reference) == (1.0, False)


# ------------------------------------------------------------------ what a deployment offers


def test_deployment_offers_the_models_of_its_provider() -> None:
    with_key = load_product(deployed(Provider.OPENROUTER, profile="plushify"))
    assert with_key.models == ("google/gemini-3.1-flash-image", "google/gemini-2.5-flash-image")
    assert with_key.model("demo") is None
    demo = load_product(deployed(Provider.DEMO, profile="plushify"))
    assert [model.id for model in demo.models_of(MediaKind.IMAGE)] == ["demo"]


def test_openrouter_model_is_the_default_of_the_deployment() -> None:
    chosen = deployed(Provider.OPENROUTER, openrouter_model="google/gemini-3-pro-image")
    found = load_product(chosen).models_of(MediaKind.IMAGE)
    assert [model.id for model in found] == [
        "google/gemini-3-pro-image",
        "google/gemini-3.1-flash-image",
        "google/gemini-2.5-flash-image",
        "black-forest-labs/flux.2-pro",
        "openai/gpt-image-2",
        "bytedance-seed/seedream-4.5",
    ]


def test_openrouter_model_that_the_profile_does_not_allow_is_refused_with_the_alternatives() -> None:
    chosen = deployed(Provider.OPENROUTER, profile="plushify", openrouter_model="google/gemini-3-pro-image")
    with pytest.raises(SettingsError) as error:
        load_product(chosen)
    assert error.value.problems == [
        "OPENROUTER_MODEL: must be a model that the profile plushify allows:"
        " google/gemini-3.1-flash-image, google/gemini-2.5-flash-image"
    ]


def test_quality_that_no_model_of_the_deployment_makes_is_not_offered() -> None:
    profile = load_profile(PROFILES / "plushify-quality.toml")
    assert tuple(profile.offered_by(["openrouter"]).collections[0].qualities) == ALL
    one_model = profile.model_copy(update={"models": ("google/gemini-2.5-flash-image",)})
    assert tuple(one_model.offered_by(["openrouter"]).collections[0].qualities) == (Quality.STANDARD,)


def test_deployment_without_a_model_is_refused() -> None:
    with pytest.raises(ProfileError, match="none of them is a model of acme"):
        load_profile(PROFILES / "plushify.toml").offered_by(["acme"])


# ------------------------------------------------------------------ problems


def load(folder: Path, **files: str) -> dict[str, Model]:
    for name, text in files.items():
        (folder / f"{name}.toml").write_text(text, encoding="utf-8")
    return dict(load_models(folder))


def test_model_knows_its_provider(tmp_path: Path) -> None:
    assert [(id, model.provider) for id, model in load(tmp_path, acme=SMALL).items()] == [("acme/one", "acme")]


@pytest.mark.parametrize(
    ("added", "line"),
    [
        ("colour = 1", "colour: is not a known entry"),
        ('provider = "other"', "provider: is not a known entry"),
        ('aspect_ratios = ["wide"]', "aspect_ratios.#1: String should match pattern '^[1-9][0-9]?:[1-9][0-9]?$'"),
        ('aspect_ratios = ["1:1", "1:1"]', "aspect_ratios.1:1: is duplicated"),
        ("refines = true", "refines: needs max_references"),
        ("needs_reference = true", "needs_reference: needs max_references"),
        ("durations = [4]", "durations: is never used: the medium is IMAGE"),
        ("price_factor = 0.0", "price_factor: Input should be greater than 0"),
    ],
)
def test_problem_of_a_model_is_reported_with_file_and_place(tmp_path: Path, added: str, line: str) -> None:
    with pytest.raises(ProfileError) as error:
        load(tmp_path, acme=f"{SMALL}{added}\n")
    assert error.value.problems == [f"{tmp_path}/acme.toml: models.acme/one.{line}"]


def test_qualities_are_listed_from_the_lowest(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="qualities: must be some of STANDARD, HD, ULTRA, each once, in this order"):
        load(tmp_path, acme=SMALL.replace('"STANDARD", "HD"', '"HD", "STANDARD"'))


def test_video_model_needs_durations(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="durations: is missing, and the medium is VIDEO"):
        load(tmp_path, acme=SMALL.replace("IMAGE", "VIDEO"))


def test_two_providers_with_the_same_model_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match=r"other\.toml: models\.acme/one: is also a model of acme"):
        load(tmp_path, acme=SMALL, other=SMALL)


def test_product_without_credits_offers_only_what_its_passes_count() -> None:
    flash = load_profile(PROFILES / "flash.toml")
    film = flash.model_copy(update={"models": ("google/gemini-3.1-flash-image", "google/veo-3.1")})
    assert film.offered_by(["openrouter"]).models_of(MediaKind.VIDEO)
    passes = tuple(plan.model_copy(update={"videos_per_hour": 0}) for plan in film.plans)
    assert film.model_copy(update={"plans": passes}).offered_by(["openrouter"]).models_of(MediaKind.VIDEO) == ()
