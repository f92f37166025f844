"""Where a sign-in comes from: the device, by its User-Agent, and the client's address, as far as that is kept."""

import re
from dataclasses import dataclass
from enum import Enum
from ipaddress import ip_network

_MAX_USER_AGENT = 1000  # characters that are searched
_MAX_DEVICE = 100  # characters

# The first that occurs wins: a browser also names those that it is compatible with.
_APPS = {
    "Edg": "Edge", "OPR": "Opera", "SamsungBrowser": "Samsung Internet", "Vivaldi": "Vivaldi", "FxiOS": "Firefox",
    "Firefox": "Firefox", "CriOS": "Chrome", "HeadlessChrome": "Chrome", "Chrome": "Chrome", "Safari": "Safari",
}  # fmt: skip
_SYSTEMS = {
    "iPhone": "iPhone", "iPad": "iPad", "Android": "Android", "CrOS": "ChromeOS", "Windows": "Windows",
    "Macintosh": "macOS", "Linux": "Linux",
}  # fmt: skip
_PRODUCT = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,60}(/[0-9][0-9A-Za-z.]{0,20})?")  # of a program: curl/8.5.0


class KeptPlace(Enum):
    """How much of a client's address is kept with its session."""

    ADDRESS = "address"  # as rate limits count: an IPv4 address, or the /64 network of an IPv6 address
    NETWORK = "network"  # the /24 network of an IPv4 address, the /48 network of an IPv6 address
    NOTHING = "nothing"


@dataclass(frozen=True)
class SignInOrigin:
    """What a request says about its client. `client`: the address that rate limits count by."""

    client: str = ""
    user_agent: str = ""

    @property
    def device(self) -> str | None:
        """A short name that the owner recognizes, such as "Firefox on Windows"; None: unknown."""
        text = self.user_agent[:_MAX_USER_AGENT]
        system = next((name for mark, name in _SYSTEMS.items() if mark in text), None)
        app = next((name for mark, name in _APPS.items() if f"{mark}/" in text), None)
        if app and system:
            return f"{app} on {system}"
        if app or text.startswith("Mozilla/"):
            return app or system
        product = _PRODUCT.match(text)
        name = product.group() if product else None
        return (f"{name} on {system}" if name and system else name or system or "")[:_MAX_DEVICE] or None

    def place(self, kept: KeptPlace) -> str | None:
        """The address or network of the client; None: unknown, or not kept."""
        try:
            network = ip_network(self.client, strict=False)
        except ValueError:  # a Unix socket
            return None
        if kept is KeptPlace.ADDRESS:
            return self.client
        prefix = 24 if network.version == 4 else 48
        return str(ip_network((network.network_address, prefix), strict=False)) if kept is KeptPlace.NETWORK else None


UNKNOWN_ORIGIN = SignInOrigin()
