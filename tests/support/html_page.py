"""A parsed HTML page, for assertions about its elements and texts."""

from html.parser import HTMLParser

import httpx

VOID = {"meta", "link", "img"}


class Page(HTMLParser):
    """A parsed HTML page: elements, meta tags by name, text by element."""

    def __init__(self, response: httpx.Response) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.meta: dict[str, str] = {}
        self.text: dict[str, str] = {}  # by element
        self._open: list[str] = []
        self.feed(response.text)
        assert self._open == [], "elements are closed in order"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.elements.append((tag, given))
        if tag == "meta" and "content" in given:
            self.meta[given.get("property") or given["name"]] = given["content"]
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.text[self._open[-1]] = self.text.get(self._open[-1], "") + data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [given for name, given in self.elements if name == tag]

    def one(self, tag: str) -> dict[str, str]:
        (found,) = self.all(tag)
        return found
