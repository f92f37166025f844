"""The command that refreshes the catalogue of OpenRouter's models, with a local OpenRouter that lists them."""

from pathlib import Path
from typing import Any

import pytest

from main import parse_arguments, refresh_models
from models.enum import Quality
from services.products.model import load_models
from settings import PROFILES
from tests.support.fakes.openrouter_discovery import endpoints, listed, listed_video, serving

CATALOGUE = """# Written by hand.

[[models]]
id = "acme/one" # the first
name = "One"
medium = "IMAGE"
api = "chat"
qualities = ["STANDARD"] # for now
max_references = 1
refines = true
price_factor = 1.5 # dear
cost_usd = 0.1

[[models]]
id = "acme/film"
name = "Film"
medium = "VIDEO"
qualities = ["STANDARD"]
durations = [4]
"""
ONE = listed(
    "acme/one",
    resolution={"type": "enum", "values": ["512", "1K", "2K", "4K"]},
    aspect_ratio={"type": "enum", "values": ["1:1", "3:2", "19.5:9", "auto"]},
    input_references={"type": "range", "min": 0, "max": 16},
)
PRICES = (
    {"billable": "output_image", "unit": "image", "cost_usd": 0.05},
    {"billable": "input_image", "unit": "image", "cost_usd": 0.01},
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "openrouter.toml").write_text(CATALOGUE, encoding="utf-8")
    return tmp_path


def answers(*models: dict[str, Any]) -> dict[str, Any]:
    return {
        "/images/models": {"data": list(models)},
        "/images/models/acme/one/endpoints": endpoints("acme/one", *PRICES),
    }


async def test_what_openrouter_says_is_written_and_the_rest_is_kept(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(answers(ONE, listed("acme/unknown"))) as base_url:
        assert await refresh_models(base_url, folder) == 0
        assert len(capsys.readouterr().out.splitlines()) == 4
        written = (folder / "openrouter.toml").read_text(encoding="utf-8")
        assert await refresh_models(base_url, folder) == 0
        assert capsys.readouterr().out == "The catalogue is up to date.\n"
    assert (folder / "openrouter.toml").read_text(encoding="utf-8") == written
    models = load_models(folder)
    one = models["acme/one"]
    assert (one.qualities, one.aspect_ratios) == (tuple(Quality), ("1:1", "3:2"))
    assert (one.max_references, one.cost_usd) == (16, 0.05)
    assert (one.name, one.price_factor, one.refines, one.api) == ("One", 1.5, True, "chat")
    assert list(models) == ["acme/one", "acme/film"]
    for comment in ("# Written by hand.", "# the first", "# dear"):
        assert comment in written


async def test_model_that_is_no_longer_listed_is_reported(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nothing: dict[str, Any] = {"data": []}
    with serving({"/images/models": nothing, "/videos/models": nothing}) as base_url:
        assert await refresh_models(base_url, folder) == 0
    assert capsys.readouterr().out == "acme/one: is no longer listed\nacme/film: is no longer listed\n"
    assert (folder / "openrouter.toml").read_text(encoding="utf-8") == CATALOGUE


FILM = {"qualities = [\"STANDARD\"]\ndurations = [4]": "qualities = [\"STANDARD\"]\nresolutions = [\"480p\"]\n"
        "durations = [6] # seconds\nduration_factors = [1.5]"}  # fmt: skip


async def test_what_openrouter_says_about_videos_is_written(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ((plain, detailed),) = FILM.items()
    for catalogue, film in (
        (CATALOGUE, (("720p", "1080p"), (4, 6, 8), (), 0.4)),
        (CATALOGUE.replace(plain, detailed), (("480p", "1080p"), (6, 4, 8), (1.5, 1.0, 2.0), 0.0)),
    ):
        (folder / "openrouter.toml").write_text(catalogue, encoding="utf-8")
        found = {**answers(ONE), "/videos/models": {"data": [listed_video("acme/film"), listed_video("acme/other")]}}
        with serving(found) as base_url:
            assert await refresh_models(base_url, folder, "sk-or-v1-key") == 0
            assert "acme/film: max_references: None -> 1" in capsys.readouterr().out
            assert await refresh_models(base_url, folder) == 0
            assert capsys.readouterr().out == "The catalogue is up to date.\n"
        made = load_models(folder)["acme/film"]
        assert (made.resolutions, made.durations, made.duration_factors, made.cost_usd) == film
        assert (made.qualities, made.aspect_ratios) == ((Quality.STANDARD, Quality.HD), ("16:9", "9:16"))
        assert (made.name, made.max_references) == ("Film", 1)


@pytest.mark.parametrize(
    ("prices", "cost"),
    [
        ({"per-video-second": "0.50", "per-video-second-1080p": "0.75"}, 2.0),
        ({"duration_seconds": "0.08"}, 0.32),
        ({"cents_per_video_output_second_720p": "3", "cents_per_image_input": "1"}, 0.12),
        ({"duration_seconds": "free"}, 0.0),
        (None, 0.0),
    ],
)
async def test_price_of_a_video_is_that_of_its_first_seconds(
    folder: Path, prices: dict[str, str] | None, cost: float
) -> None:
    film = listed_video("acme/film", pricing_skus=prices, supported_durations=None, supported_resolutions=["720p"])
    with serving({**answers(ONE), "/videos/models": {"data": [film]}}) as base_url:
        assert await refresh_models(base_url, folder) == 0
    made = load_models(folder)["acme/film"]
    assert made.cost_usd == pytest.approx(cost)
    assert made.durations == (4,)


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"/images/models": {"models": []}},
        {"/images/models": {"data": [{"id": "acme/one"}]}},
        {"/images/models": {"data": [ONE]}},  # without its endpoints
        {**answers(ONE), "/videos/models": {"data": [{"id": "acme/film", "supported_durations": ["long"]}]}},
    ],
)
async def test_catalogue_is_unchanged_without_a_usable_answer(
    folder: Path, wrong: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(wrong) as base_url:
        assert await refresh_models(base_url, folder) == 1
    assert "The models were not refreshed" in capsys.readouterr().err
    assert (folder / "openrouter.toml").read_text(encoding="utf-8") == CATALOGUE


@pytest.mark.parametrize(
    "listed_now",
    [
        listed("acme/one", inputs=("text",)),  # takes no picture any more, and `refines` needs one
        listed("acme/one", aspect_ratio={"type": "enum", "values": ["1:1", "1:1"]}),
        listed("acme/one", input_references={"type": "range", "min": 0, "max": 10_000}),
    ],
)
async def test_catalogue_that_would_not_load_is_not_kept(
    folder: Path, listed_now: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(answers(listed_now)) as base_url:
        assert await refresh_models(base_url, folder) == 1
    assert "models.acme/one" in capsys.readouterr().err
    assert (folder / "openrouter.toml").read_text(encoding="utf-8") == CATALOGUE


def test_command_is_known_and_the_shipped_catalogue_is_what_it_edits() -> None:
    assert parse_arguments(["refresh-models"]).command == "refresh-models"
    assert (PROFILES / "shared" / "models" / "openrouter.toml").is_file()
