"""The release of this server."""

VERSION = "0.1.0"  # as in pyproject.toml
