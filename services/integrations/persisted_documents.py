"""Documents that requests name instead of sending them: trusted ones, and those that clients registered."""

import hashlib
import re
from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from services.integrations.shared_documents import SharedDocuments

log = structlog.get_logger(__name__)

MAX_DOCUMENTS = 5000  # that are registered; those used last
_OVERHEAD = 300  # bytes of memory of a document besides its text
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MAX_LOGGED = 100


class PersistedDocuments:
    """Trusted documents by the ids of their manifests, and registered ones by their SHA-256, within `max_bytes`.

    `refuses_others`: only trusted documents are executed. `warns_of_others`: they would be refused in production.
    """

    def __init__(
        self,
        max_bytes: int,
        shared: "SharedDocuments | None" = None,
        *,
        trusted: Mapping[str, str] | None = None,
        refuses_others: bool = False,
        warns_of_others: bool = False,
    ) -> None:
        self._max_bytes = 0 if refuses_others else max_bytes
        self._shared = shared
        self._trusted = trusted or {}
        self._trusted_texts = frozenset(self._trusted.values())
        self.refuses_others = refuses_others
        self._warns_of_others = warns_of_others
        self._warned: set[str] = set()
        self._known: OrderedDict[str, str] = OrderedDict()
        self._bytes = 0

    @property
    def is_needed(self) -> bool:
        """Whether each document must be passed to `allows`."""
        return self.refuses_others or self._warns_of_others

    @property
    def takes_new(self) -> bool:
        """Whether clients may register documents."""
        return self._max_bytes > 0

    @property
    def has_any(self) -> bool:
        """Whether there are documents that requests can name."""
        return self.takes_new or bool(self._trusted)

    def allows(self, text: str) -> bool:
        """Whether a document that was sent in full may be executed."""
        if text in self._trusted_texts:
            return True
        if self._warns_of_others:
            digest = sha256_of(text)[:12]
            if digest not in self._warned and len(self._warned) < _MAX_LOGGED:
                self._warned.add(digest)
                log.warning("documents.not_trusted", sha256=digest)
        return not self.refuses_others

    def is_trusted(self, id: str, text: str) -> bool:
        """Whether a manifest has this document under this id."""
        return self._trusted.get(id) == text

    async def find(self, id: str) -> str | None:
        """Return a document by the id of a manifest or by its hash."""
        text = self._trusted.get(id) or self._known.get(id)
        if text is not None:
            if id in self._known:
                self._known.move_to_end(id)
            return text
        if self._shared is None or not self.takes_new or not _SHA256.fullmatch(id):
            return None
        text = await self._shared.find(id)
        if text is None or sha256_of(text) != id:
            return None
        self._keep(id, text)
        return text

    def needs(self, id: str, text: str) -> bool:
        """Whether a document that was sent with its hash is one to register."""
        return self.takes_new and id not in self._known and id not in self._trusted and sha256_of(text) == id

    async def register(self, id: str, text: str) -> None:
        """Keep a valid document that `needs` to be."""
        self._keep(id, text)
        if self._shared is not None:
            await self._shared.keep(id, text)

    def _keep(self, id: str, text: str) -> None:
        if _size(text) > self._max_bytes or id in self._known:
            return
        self._known[id] = text
        self._bytes += _size(text)
        while self._bytes > self._max_bytes or len(self._known) > MAX_DOCUMENTS:
            self._bytes -= _size(self._known.popitem(last=False)[1])


def sha256_of(text: str) -> str:
    """Return the hash by which clients name a document."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _size(text: str) -> int:
    return 4 * len(text) + _OVERHEAD  # a text with one emoji takes four bytes for each character
