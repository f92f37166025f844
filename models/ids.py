"""Identifiers: TypeIDs, which sort by creation time and say what they name (gen_01h455vb4pex5vsknk084sn02q)."""

import re
from datetime import datetime

from typeid import TypeID, base32

USER = "usr"
SESSION = "ses"
TRANSACTION = "txn"
COLLECTION = "col"
STYLE = "sty"
GENERATION = "gen"
BATCH = "bat"
FILE = "fil"
UPLOAD = "upl"
API_KEY = "key"
MAIL_TOKEN = "mtk"  # noqa: S105 - what such ids begin with
DATA_EXPORT = "exp"
PLAN = "pln"
CREDIT_PACKAGE = "pkg"
MEMBERSHIP = "mem"
PASS = "pas"  # noqa: S105 - what such ids begin with
CHECKOUT = "chk"
PURCHASE = "ord"
EXTERNAL_EVENT = "evt"
AUDIT_ENTRY = "aud"
ACTIVITY = "act"

LENGTH = 30  # three letters, an underscore, 26 characters of base32
_TYPE_ID = re.compile(r"[a-z]{3}_[0-7][0-9a-hjkmnp-tv-z]{25}")


def new_id(prefix: str) -> str:
    """A fresh id. Within one process, later ids sort after earlier ones."""
    return str(TypeID(prefix=prefix))


def first_of(prefix: str, moment: datetime) -> str:
    """The id before all that are made from `moment` on; of the moments before 1970, the first of all."""
    milliseconds = max(int(moment.timestamp() * 1000), 0)
    return f"{prefix}_{base32.encode((milliseconds << 80).to_bytes(16))}"


def is_id(value: str, prefix: str | None = None) -> bool:
    """Whether `value` is a well-formed id (of that kind); anything else never reaches the database."""
    return _TYPE_ID.fullmatch(value) is not None and (prefix is None or value.startswith(prefix + "_"))
