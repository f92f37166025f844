"""`main.py backup`, `restore` and `orphans`: copies of the database and the files, and what a restore leaves behind."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from adapters import open_storage
from commands.whole_number import whole_number
from models.database.connection import is_lost_database, open_database
from models.database.migrate import DatabaseUnreachableError, all_migrations, applied_migrations, by_number
from models.database.postgres import MIGRATION_LIMITS
from services.operations.backup.backup import Backup
from services.operations.backup.manifest import BackupError
from services.operations.backup.orphans import find_orphans, remove_orphans
from services.operations.backup.restore import Restore
from services.operations.storage_comparison import final_key
from settings import Settings

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

NAMES = ("backup", "restore", "orphans")
_SHOWN = 20  # keys
_MOST = 1_000_000_000  # objects that --remove may name


def add_arguments(commands: "Subparsers") -> None:
    """Add the commands to those of main.py."""
    backup = commands.add_parser("backup", help="copy the database and the files, while servers run")
    backup.add_argument("folder", metavar="DIR", type=Path, help="where to; it must be empty or not exist")
    backup.add_argument(
        "--no-files", action="store_true", help="only the files' keys, for a bucket that keeps its versions"
    )
    restore = commands.add_parser("restore", help="replace the database by a backup's, and store its files")
    restore.add_argument("folder", metavar="DIR", type=Path)
    restore.add_argument("--force", action="store_true", help="also if the database is not empty")
    orphans = commands.add_parser("orphans", help="list stored objects that no row refers to")
    orphans.add_argument(
        "--remove",
        metavar="N",
        type=whole_number(0, _MOST),
        help="remove them, if they are not more than N, as they were listed",
    )


async def execute(settings: Settings, arguments: argparse.Namespace) -> int:
    """Do what the command says; return 1 if it failed, or if what was copied violates an invariant."""
    try:
        if arguments.command == "backup":
            return await _back_up(settings, arguments.folder, with_files=not arguments.no_files)
        if arguments.command == "restore":
            return await _restore(settings, arguments.folder, force=arguments.force)
        return await _handle_orphans(settings, arguments.remove)
    except BackupError as error:
        problem = str(error)
    except DatabaseUnreachableError:
        raise
    except Exception as error:
        if not is_lost_database(error):
            raise
        problem = f"the database does not respond: {type(error).__name__}: {error}"
    print(f"{arguments.command}: {problem}.", file=sys.stderr)
    return 1


async def _back_up(settings: Settings, folder: Path, *, with_files: bool) -> int:
    applied, known = await applied_migrations(settings.database), set(all_migrations())
    if different := by_number(applied ^ known):
        whose = "has not" if different[-1] in known else "only has"
        raise BackupError(f"the database {whose} {different[-1]}: use the release that runs on it")
    async with open_storage(settings) as storage:
        made = await Backup(settings.database, storage if with_files else None, folder).make()
    size = f"{made.object_bytes / 2**20:.1f} MiB" if made.object_bytes is not None else "keys only"
    print(f"{folder}: {sum(made.rows.values())} rows, {made.objects} objects ({size}), as of {made.made_at}.")
    return _print_violations(made.violations)


async def _restore(settings: Settings, folder: Path, *, force: bool) -> int:
    async with open_storage(settings) as storage:
        restored = await Restore(settings.database, storage, folder).run(force=force)
    print(f"The database is as in {folder}; {restored.stored} objects were stored.")
    for name in restored.migrations:
        print(f"Applied migration {name}.")
    if restored.orphans:
        print(f"{restored.orphans} objects are newer than the backup: `main.py orphans` lists and removes them.")
    if restored.missing:
        print(f"FAIL  B2  {len(restored.missing)} files have no bytes: {', '.join(restored.missing[:10])}")
    return _print_violations(restored.violations) or int(bool(restored.missing))


async def _handle_orphans(settings: Settings, most: int | None) -> int:
    async with open_storage(settings) as storage, open_database(settings.database, limits=MIGRATION_LIMITS):
        found = await find_orphans(storage)
        for key in found.keys[:_SHOWN]:
            print(key)
        if len(found.keys) > _SHOWN:
            print(f"... and {len(found.keys) - _SHOWN} more")
        for key in found.leftovers:
            print(
                f"{final_key(key)}: an unfinished copy of an interrupted write, which stays until its file is removed"
            )
        number = len(found.keys)
        if not number:
            print("No object is without a row.")
        elif most is None:
            print(f"{number} objects have no row. `main.py orphans --remove {number}` removes them.")
        elif number > most:
            raise BackupError(f"there are {number} by now, more than {most}: nothing was removed")
        else:
            print(f"{await remove_orphans(storage, found.keys)} objects were removed.")
    return 0


def _print_violations(violations: dict[str, int]) -> int:
    for name, number in violations.items():
        print(f"FAIL  {name}  {number} violations: `main.py verify` names the rows")
    return int(bool(violations))
