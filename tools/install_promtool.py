"""Put promtool into the virtual environment: the one of PATH, or that of Debian's package prometheus.

make runs it before the tests, which evaluate the alert rules with it. It is one file, so nothing is installed; apt
verifies the package's signature. Where neither is to be had, those tests are skipped, which
the summary of the tests says.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PACKAGE = "prometheus"
TIMEOUT = 300  # seconds for one program


class InstallError(Exception):
    """promtool cannot be had."""


def run(*command: str, folder: Path) -> None:
    """Run a program. Raises InstallError with the end of its output."""
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT)  # noqa: S603 - constant
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InstallError(str(error)) from error
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise InstallError(lines[-1] if lines else f"{command[0]} failed")


def download(folder: Path) -> Path:
    """Fetch Debian's package, and return the program in it. Raises InstallError."""
    folder.chmod(0o755)  # apt fetches as a user of its own
    try:
        run("apt-get", "download", "-q", PACKAGE, folder=folder)
    except InstallError:
        if os.getuid() != 0:
            raise
        run("apt-get", "update", "-q", folder=folder)  # a machine that has never listed its packages
        run("apt-get", "download", "-q", PACKAGE, folder=folder)
    (package,) = folder.glob("*.deb")
    run("dpkg-deb", "--extract", package.name, "content", folder=folder)
    return folder / "content" / "usr" / "bin" / "promtool"


def main() -> int:
    target = Path(sys.prefix) / "bin" / "promtool"
    try:
        if found := shutil.which("promtool"):
            if Path(found).resolve() == target.resolve():
                target.touch()
            else:
                shutil.copy(found, target)
            return 0
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(download(Path(folder)), target)
    except InstallError as error:
        print(f"The alert rules are not tested: promtool is neither in PATH nor in a package of this system ({error}).")
    return 0


if __name__ == "__main__":
    sys.exit(main())
