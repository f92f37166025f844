"""For whom a tool of the API is there."""

from enum import Enum


class Audience(Enum):
    """Who may use it."""

    EVERYBODY = "everybody"
    ADMINS = "admins"  # who signed in as such; an API key is nobody's sign-in
    NOBODY = "nobody"
