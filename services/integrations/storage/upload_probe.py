"""Tries an upload target as a client would, to find out whether the store takes uploads in that way."""

import contextlib
import secrets

import httpx2

from services.integrations.storage.protocol import Storage, StorageError, Target

_BODY = b"darkroom check"
_SECONDS = 4.0


async def find_upload_problem(storage: Storage) -> str:
    """Upload an object, read it back and remove it; return what went wrong, empty if nothing did."""
    key = f"uploads/check/{secrets.token_hex(8)}"
    try:
        target = await storage.upload_target(key, "image/png", byte_size=len(_BODY), seconds=60)
        try:
            status = await _send(target)
            if not 200 <= status < 300:
                return f"HTTP {status}"
            return "" if await storage.get(key) == _BODY else "other bytes were stored"
        finally:
            with contextlib.suppress(StorageError):
                await storage.delete(key)
    except (httpx2.HTTPError, StorageError) as error:
        return str(error) if isinstance(error, StorageError) else type(error).__name__


async def _send(target: Target) -> int:
    """Send the bytes to the target and return the status of the response."""
    async with httpx2.AsyncClient(timeout=_SECONDS, trust_env=False) as http:
        if target.fields is None:
            response = await http.request(target.method, target.url, headers=target.headers, content=_BODY)
        else:
            files = {"file": ("check", _BODY, "image/png")}
            response = await http.request(
                target.method, target.url, headers=target.headers, data=target.fields, files=files
            )
        return response.status_code
