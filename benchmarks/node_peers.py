"""The servers in Node that are measured beside Darkroom, if npm can install their packages."""

import contextlib
from collections.abc import Iterator

from benchmarks import node_packages
from benchmarks.measure import Server, serving
from tests.support.server_process import free_port

_NAME = "peers"


def install() -> str | None:
    """Install the peers' packages; see `node_packages.install`."""
    return node_packages.install(_NAME)


@contextlib.contextmanager
def serving_peer(script: str, *arguments: str) -> Iterator[Server]:
    """Run one of the peers, whose first argument is the port; see `serving`."""
    port = free_port()
    command = [str(node_packages.node()), script, str(port), *arguments]
    with serving(command, port, cwd=node_packages.folder_of(_NAME)) as server:
        yield server
