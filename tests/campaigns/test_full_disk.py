"""The drill of a full disk where files are kept locally, on a small file system of its own."""

from pathlib import Path

import pytest

from services.operations import part_check
from tests.campaigns.drill_stand import Drill, Stand, fill, open_stand, run, small_disk
from tests.campaigns.test_drills import is_zero, says, sync

pytestmark = [pytest.mark.any_database, pytest.mark.timeout(300)]

DISK = Drill(
    "the disk of local files is full",
    sync(lambda stand: fill(stand.disk or Path())),
    sync(lambda stand: ((stand.disk or Path()) / "filler").unlink()),
    says("storage", "full"),
    is_zero('part_up{part="storage"}'),
    frozenset({"DarkroomPartDown", "DarkroomStorageFailing"}),
    "storage",
    "full (",
    Stand.sends_photo,
    "UPLOAD_FAILED",
)


async def run_on_a_small_disk(folder: Path, *, with_check: bool) -> None:
    with small_disk(folder / "disk") as disk:
        async with open_stand(folder, disk) as stand:
            await run(stand, DISK, with_check=with_check)
            kept = {path for path in (disk / "files").rglob("*") if path.is_file()}
            assert {path.name for path in kept if path.name.startswith(".")} == set(), (
                "a write that failed left nothing"
            )
            print("\n" + "\n".join(stand.rows))  # noqa: T201 - the campaign's report


async def test_full_disk_shows_everywhere_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part_check, "_SECONDS", 0.2)
    monkeypatch.setattr(part_check, "_FAILED_SECONDS", 0.1)
    await run_on_a_small_disk(tmp_path, with_check=False)


@pytest.mark.chaos
async def test_full_disk_shows_within_ten_seconds_with_default_settings(tmp_path: Path) -> None:
    await run_on_a_small_disk(tmp_path, with_check=True)
