"""Benchmark: where the CPU time of a cold gallery page goes, by layer."""

import argparse
import asyncio
import json
import os
import signal
import tempfile
import time
from pathlib import Path

from benchmarks.http_load import measure_http
from benchmarks.measure import backends, darkroom
from benchmarks.pages import FLAT, REAL, prepare, requests


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--connections", type=int, default=32)
    options = parser.parse_args()
    found: dict[str, dict[str, float]] = {}
    with backends() as servers, tempfile.TemporaryDirectory() as folder:
        tokens = asyncio.run(prepare(servers, options.accounts, 100))
        for name, query in (("flat page", FLAT), ("real page", REAL)):
            samples = Path(folder) / "samples.json"
            program = ("-m", "benchmarks.sampled_server", str(samples))
            with darkroom(servers, program=program, settings={"kept_answers_mib": "0"}) as server:
                sent = requests(query, tokens)
                measure_http(server, sent, connections=8, seconds=1.0, clients=1)  # warms it up
                os.kill(server.pid, signal.SIGUSR1)
                load = measure_http(server, sent, connections=options.connections, seconds=options.seconds, clients=1)
                os.kill(server.pid, signal.SIGUSR2)
                while not samples.exists():
                    time.sleep(0.01)
                counts: dict[str, int] = json.loads(samples.read_text())
                samples.unlink()
            microseconds = load.cpu_per_1000("server") * 1000 / sum(counts.values())
            found[name] = {layer: count * microseconds for layer, count in counts.items()}
    print_layers(found)


def print_layers(found: dict[str, dict[str, float]]) -> None:
    """Print microseconds of CPU per request and shares, by layer."""
    first = next(iter(found.values()))
    print("| layer | " + " | ".join(f"{name}, us | %" for name in found) + " |")
    print("| --- |" + " ---: | ---: |" * len(found))
    for layer in sorted(first, key=lambda each: -first[each]):
        cells = [
            f"{times.get(layer, 0):.0f} | {100 * times.get(layer, 0) / sum(times.values()):.0f}"
            for times in found.values()
        ]
        print(f"| {layer} | " + " | ".join(cells) + " |")
    print("| together | " + " | ".join(f"{sum(times.values()):.0f} | 100" for times in found.values()) + " |")


if __name__ == "__main__":
    main()
