"""XML of strangers: bounded in bytes, elements and depth, without a document type, and read by local names.

Cameras disagree on prefixes and at times on namespaces, and no two elements that camgate reads share a local name, so
namespaces are dropped while parsing.
"""

from collections.abc import Iterator
from typing import TypeAlias
from xml.etree import ElementTree

from camgate.wire.onvif.errors import MalformedReply

MAX_BYTES = 1 << 20
"""1 MiB. The profiles of a recorder with 64 channels take about 300 kB."""

MAX_ELEMENTS = 50_000
MAX_DEPTH = 64
"""ONVIF's own answers are about 12 deep."""

MAX_TEXT_CHARS = 8192
"""Of any text that is kept; lists of scopes are the longest."""

Element: TypeAlias = ElementTree.Element


class _Bounded(ElementTree.TreeBuilder):
    """Builds the tree as long as it stays within bounds."""

    def __init__(self) -> None:
        super().__init__()
        self._elements = 0
        self._depth = 0

    def start(self, tag: str, attrs: dict[str, str]) -> Element:
        self._elements += 1
        self._depth += 1
        if self._elements > MAX_ELEMENTS or self._depth > MAX_DEPTH:
            raise MalformedReply("it has too many elements, or too deep ones")
        return super().start(_local(tag), {_local(name): value for name, value in attrs.items()})

    def end(self, tag: str) -> Element:
        self._depth -= 1
        return super().end(_local(tag))

    def doctype(self, *_names: object) -> None:
        raise MalformedReply("it has a document type, which no ONVIF answer has")


def parse_xml_untrusted(data: bytes) -> Element:
    """Return the root of a document, with local names as tags. Raises MalformedReply."""
    if len(data) > MAX_BYTES:
        raise MalformedReply(f"it is longer than {MAX_BYTES >> 20} MiB")
    # Without UTF-16, whatever declares entities has these bytes in it; expat would expand them before we could object.
    if b"\0" in data:
        raise MalformedReply("it is no UTF-8 text")
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise MalformedReply("it has a document type, which no ONVIF answer has")
    # Line breaks before the declaration are no XML, and are seen.
    parser = ElementTree.XMLParser(target=_Bounded())  # noqa: S314 (no entities, see above)
    try:
        parser.feed(data.strip())
        root: Element = parser.close()
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        # LookupError: an encoding that Python does not know.
        raise MalformedReply("it is no XML") from error
    return root


def find(parent: Element | None, *path: str) -> Element | None:
    """Return the first element on a path of local names; None where there is none."""
    for name in path:
        if parent is None:
            return None
        parent = next(children(parent, name), None)
    return parent


def children(parent: Element, name: str) -> Iterator[Element]:
    """Yield the children of a local name."""
    return (child for child in parent if child.tag == name)


def text_of(parent: Element | None, *path: str) -> str:
    """Return the text at a path, without surrounding blanks, cut to MAX_TEXT_CHARS; empty where there is none."""
    element = find(parent, *path)
    return (element.text or "").strip()[:MAX_TEXT_CHARS] if element is not None else ""


def number_of(parent: Element | None, *path: str) -> float | None:
    """Return the number at a path; None where there is none, or one that nothing can have."""
    try:
        value = float(text_of(parent, *path))
    except ValueError:
        return None
    return value if 0 <= value < 1e9 else None


def _local(name: str) -> str:
    return name.rpartition("}")[2]
