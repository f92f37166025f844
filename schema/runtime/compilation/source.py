"""The text of a generated module: its functions, and the values that they refer to by name."""

import keyword
from typing import Any


class Source:
    """Collects functions as text, and values by the names that the text uses for them."""

    def __init__(self, title: str) -> None:
        self.values: dict[str, Any] = {}
        self._functions: list[str] = []
        self._names: dict[int, str] = {}  # by the identity of the value
        self._numbers: dict[str, int] = {}
        self._title = title

    def new_name(self, stem: str) -> str:
        """Return a name that no other part of the module has."""
        number = self._numbers[stem] = self._numbers.get(stem, 0) + 1
        return f"{stem}_{number}"

    def bind(self, value: Any, stem: str) -> str:
        """Return the name of a value; one value has one name."""
        if id(value) not in self._names:
            self._names[id(value)] = name = self.new_name(stem)
            self.values[name] = value
        return self._names[id(value)]

    def let(self, name: str, value: Any) -> str:
        """Give a value a name that is the same in every module."""
        self.values[name] = value
        return name

    def add(self, lines: list[str]) -> None:
        """Add a function."""
        self._functions.append("\n".join(lines))

    @property
    def text(self) -> str:
        """The module's text."""
        return "\n\n\n".join(self._functions) + "\n"

    def execute(self) -> dict[str, Any]:
        """Compile and execute the module, and return its global names."""
        code = compile(self.text, f"<operation {self._title}>", "exec", dont_inherit=True)
        found = dict(self.values)
        exec(code, found)  # noqa: S102 - the text has names and numbers of this package, and quoted names of fields
        return found


def indented(text: str, levels: int = 1) -> str:
    """Return the text with each line but the first indented, for use inside brackets."""
    return text.replace("\n", "\n" + "    " * levels)


def is_attribute_name(name: str) -> bool:
    """Return whether `object.name` reads the attribute."""
    return name.isidentifier() and not keyword.iskeyword(name)
