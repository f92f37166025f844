"""Who may use a developer tool: GraphiQL, and introspection of the schema."""

from enum import Enum


class Audience(Enum):
    """The users that a developer tool is available to."""

    EVERYONE = "everyone"
    ADMINS = "admins"  # signed in with a session; API keys do not count
    NONE = "none"  # switched off
