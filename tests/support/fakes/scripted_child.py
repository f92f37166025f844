"""A child of the image sanitizer that holds some pictures; a program, see held_pictures.py."""

import importlib.util
import os
import sys
import time
from pathlib import Path
from typing import Any

REAL = Path(__file__).parents[3] / "services/integrations/images/sanitizer_process.py"


def main() -> None:
    """Serve jobs like the real child, without its limits."""
    spec = importlib.util.spec_from_file_location("sanitizer_process", REAL)
    assert spec is not None
    assert spec.loader is not None
    real: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(real)
    run_job = real.run_job

    def run_or_hold(job: dict[str, Any], data: bytes, limits: Any) -> Any:
        if not data.startswith(b"HOLD"):
            return run_job(job, data, limits)
        gate = Path(data[4:].decode())
        mark = gate.with_name(f"{gate.name}.{os.getpid()}")
        mark.touch()
        parent = os.getppid()
        while not gate.exists() and os.getppid() == parent:  # a killed test run leaves no child behind
            time.sleep(0.002)
        mark.unlink()
        return {"reason": gate.read_text() if gate.exists() else "DAMAGED"}, []

    real.run_job, real.restrict, real.allow_cpu = run_or_hold, lambda _: None, lambda _: None
    real.main(*map(int, sys.argv[1:]))


if __name__ == "__main__":
    main()
