"""A catalogue of models for profiles of tests."""

from pathlib import Path

ACME = """
[[models]]
id = "model/one"
name = "One"
medium = "IMAGE"
qualities = ["STANDARD", "HD"]
"""


def write_models(folder: Path) -> None:
    """Write the catalogue of the provider acme for profiles in `folder`."""
    models = folder / "shared" / "models"
    models.mkdir(parents=True)
    (models / "acme.toml").write_text(ACME, encoding="utf-8")
