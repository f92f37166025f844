"""deploy/: the files for machines without containers agree with the code, with each other and with the guide."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from composition import SWEEP_GRACE_SECONDS
from main import parse_arguments
from services.products.profile import load_profile
from settings import PROFILES, ROOT, Settings
from web.documentation import BUILD as DOCUMENTATION_BUILD
from web.graphiql import BUILD
from web.multipart import MAX_FILES, MULTIPART_OVERHEAD_BYTES
from web.studio import BUILD as STUDIO_BUILD

DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
COMMON = DEPLOY / "systemd" / "darkroom-.service.d" / "common.conf"
GUIDE = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")


def value(path: Path, name: str) -> str:
    """Return the last value of a directive of a unit, or ""."""
    values: list[str] = re.findall(rf"^{name}=(.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return values[-1] if values else ""


def seconds(text: str) -> int:
    number, unit = re.fullmatch(r"(\d+)(s|h)?", text).groups()  # type: ignore[union-attr]  # or it fails
    return int(number) * (3600 if unit == "h" else 1)


def default(name: str) -> float:
    return float(Settings.model_fields[name].default)


def test_proxies_pass_the_largest_request_and_close_idle_connections_before_servers_do() -> None:
    profiles = [load_profile(path) for path in sorted(PROFILES.glob("*.toml"))]
    largest = max(profile.upload.max_bytes for profile in profiles) * MAX_FILES + MULTIPART_OVERHEAD_BYTES
    for name, size, idle in (
        ("nginx-site.conf", r"client_max_body_size (\d+)m;", r"keepalive_timeout (\d+)s;  # shorter"),
        ("Caddyfile", r"max_size (\d+)MiB", r"\bkeepalive (\d+)s"),
    ):
        text = (DEPLOY / name).read_text(encoding="utf-8")
        assert int(re.findall(size, text)[0]) * 2**20 >= largest
        assert int(re.findall(idle, text)[0]) < default("keep_alive_seconds")
        assert f"deploy/{name}" in GUIDE


def test_proxies_wait_longer_than_an_order_does() -> None:
    directives = r"(?:proxy_read_timeout|response_header_timeout) (\d+)s"
    for name in ("nginx.conf", "nginx-site.conf", "Caddyfile"):
        (patience,) = re.findall(directives, (DEPLOY / name).read_text(encoding="utf-8"))
        assert default("order_seconds") + 20 <= int(patience), name  # until the pictures are read and sent
    assert f"`ORDER_SECONDS` ({default('order_seconds'):g}) and 20 s more" in GUIDE


def test_units_run_commands_that_exist_from_one_place() -> None:
    place = value(COMMON, "WorkingDirectory")
    for unit in UNITS:
        command = re.findall(rf"{place}/\.venv/bin/python main\.py ([a-z]+)", value(unit, "ExecStart"))
        assert parse_arguments([*command, *(["DIR"] if command == ["backup"] else [])]).command == command[0]
        assert unit.stem.rstrip("@") == f"darkroom-{command[0].replace('serve', 'server')}"
    timers = {path.stem for path in (DEPLOY / "systemd").glob("*.timer")}
    assert timers == {"darkroom-backup", "darkroom-verify"}


def test_packed_release_has_the_pages_and_is_unpacked_into_a_folder_that_exists(tmp_path: Path) -> None:
    section = GUIDE[GUIDE.index("\n## systemd") : GUIDE.index("\n## Proxies")]
    pack, install = re.findall(r"^```sh\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    build, _, archive = pack.partition("\n")
    assert build == "make studio graphiql docs"
    pages = {f"{folder.relative_to(ROOT)}/index.html" for folder in (STUDIO_BUILD, BUILD, DOCUMENTATION_BUILD)}
    for name in {"main.py", "web/studio/node_modules/x.js", ".env", *pages}:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    commands = ("git init -q . && git add main.py", archive, "tar -tf darkroom.tar")
    packed = [run_in(tmp_path, command) for command in commands][-1]
    assert set(packed.split()) == {"main.py", *pages}
    place = value(COMMON, "WorkingDirectory")
    assert re.search(rf"^install -d {place}\ntar -xf darkroom.tar .*-C {place} ", install, re.MULTILINE)


def run_in(folder: Path, command: str) -> str:
    """Run a shell command, and return its output."""
    done = subprocess.run(["sh", "-ec", command], cwd=folder, capture_output=True, text=True, check=True, timeout=60)  # noqa: S603, S607 - a test
    return done.stdout


def test_upgrade_makes_its_backup_with_the_release_that_runs_and_before_the_migrations() -> None:
    assert value(DEPLOY / "systemd" / "darkroom-migrate.service", "After") == "darkroom-backup.service"
    (upgrade,) = re.findall(r"^- \*\*Upgrade\*\*(?:.*\n)(?:  .*\n)*", GUIDE, re.MULTILINE)
    steps = ("start darkroom-backup`", "unpack", "start darkroom-migrate`", "restart workers")
    assert sorted(steps, key=upgrade.index) == list(steps)


def test_units_stop_later_than_the_processes_do_and_children_after_their_parents() -> None:
    assert value(COMMON, "KillMode") == "mixed"
    worker, server = (DEPLOY / "systemd" / f"darkroom-{name}@.service" for name in ("worker", "server"))
    assert seconds(value(worker, "TimeoutStopSec")) >= default("stop_grace_seconds") + SWEEP_GRACE_SECONDS + 5
    assert seconds(value(server, "TimeoutStopSec")) >= SWEEP_GRACE_SECONDS + 5


def test_units_are_hardened_and_the_owner_of_the_tables_is_named_after_the_common_settings() -> None:
    hardened = {
        "NoNewPrivileges": "yes", "CapabilityBoundingSet": "", "ProtectSystem": "strict", "PrivateDevices": "yes",
        "RestrictNamespaces": "yes", "SystemCallFilter": "@system-service", "User": "darkroom",
    }  # fmt: skip
    assert {name: value(COMMON, name) for name in hardened} == hardened
    # Files of settings replace each other in the order of the drop-ins' names.
    owner = DEPLOY / "systemd" / "darkroom-migrate.service.d" / "owner.conf"
    assert owner.name > COMMON.name
    assert value(owner, "EnvironmentFile") != value(COMMON, "EnvironmentFile")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not in PATH")
def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    folder = tmp_path / "units"
    shutil.copytree(DEPLOY / "systemd", folder)
    for unit in folder.glob("*.service"):
        # The release is not installed here; what is run does not matter.
        unit.write_text(re.sub(r"/opt/darkroom/\.venv/bin/python", "/bin/true", unit.read_text()))
    names = [str(path).replace("@.", "@8000.") for path in sorted(folder.iterdir()) if path.is_file()]
    done = subprocess.run(  # noqa: S603 - a test
        ["systemd-analyze", "verify", *names],  # noqa: S607 - a program of the system
        env={"SYSTEMD_UNIT_PATH": f"{folder}:", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    own = [line for line in done.stderr.splitlines() if "darkroom" in line]
    assert (done.returncode, own) == (0, []), done.stderr
