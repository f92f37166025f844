"""Identifiers: TypeIDs, which sort by creation time and have a prefix by type (gen_01h455vb4pex5vsknk084sn02q)."""

import re
from datetime import datetime

from typeid import TypeID, base32

USER = "usr"
SESSION = "ses"
IDENTITY = "idn"
TRANSACTION = "txn"
COLLECTION = "col"
STYLE = "sty"
STYLE_PICTURE = "stp"
GENERATION = "gen"
BATCH = "bat"
ALBUM = "alb"
TAG = "tag"
ARCHIVE = "arc"
FILE = "fil"
UPLOAD = "upl"
API_KEY = "key"
MAIL_TOKEN = "mtk"  # noqa: S105 - a prefix, not a password
DATA_EXPORT = "exp"
PLAN = "pln"
CREDIT_PACKAGE = "pkg"
MEMBERSHIP = "mem"
PASS = "pas"  # noqa: S105 - a prefix, not a password
CHECKOUT = "chk"
PURCHASE = "ord"
EXTERNAL_EVENT = "evt"
AUDIT_ENTRY = "aud"
ACTIVITY = "act"
WEBHOOK_ENDPOINT = "whk"
WEBHOOK_DELIVERY = "whd"
WEBHOOK_MESSAGE = "msg"  # the header webhook-id

LENGTH = 30  # three letters, an underscore, 26 characters of base32
_TYPE_ID = re.compile(r"[a-z]{3}_[0-7][0-9a-hjkmnp-tv-z]{25}")


def new_id(prefix: str) -> str:
    """Return a new id. Within one process, later ids sort after earlier ones."""
    return str(TypeID(prefix=prefix))


def first_of(prefix: str, moment: datetime) -> str:
    """Return the lower bound of ids generated at or after `moment`; before 1970, the lowest of all."""
    milliseconds = max(int(moment.timestamp() * 1000), 0)
    return f"{prefix}_{base32.encode((milliseconds << 80).to_bytes(16))}"


def is_id(value: str, prefix: str | None = None) -> bool:
    """Whether `value` is a well-formed id, with this prefix if given; other values never reach the database."""
    return _TYPE_ID.fullmatch(value) is not None and (prefix is None or value.startswith(prefix + "_"))
