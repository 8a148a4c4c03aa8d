"""How much of a document feedparser is given to read: some things cost it quadratic time, and all of them much."""

import xml.sax
from collections.abc import ItemsView
from typing import Any, Final

NOT_READ: Final = "the rest was not read"
MOST_RECORDS_READ: Final = 12_000
# Each is compared with those before it. No more than 100 are kept.
MOST_TAGS_READ: Final = 200
_DEEPEST: Final = 1_000
# A million take feedparser 25 s. Of 12,000 records each may have 16.
_MOST_PARTS: Final = 200_000
# lxml looks through all of an element for each of them: 20,000 take a second.
MOST_ATTRIBUTES_PLAIN: Final = 50
# lxml tells all prefixes for every element anew: so many take a second, over the whole of one document.
MOST_PREFIXES_TOLD: Final = 2_000_000


class EnoughError(xml.sax.SAXException):
    """What was read so far is all that is going to be read."""


class NamedAttributes:
    """The attributes of an element for feedparser, which asks for each by its written name.

    SAX looks through all of them each time: 20,000 took 8 s.
    """

    def __init__(self, attributes: Any) -> None:
        self._values: dict[tuple[str | None, str], str] = dict(attributes.items())
        self._written: dict[str, str] = {attributes.getQNameByName(name): self._values[name] for name in self._values}

    def items(self) -> ItemsView[tuple[str | None, str], str]:
        return self._values.items()

    def getQNames(self) -> list[str]:  # noqa: N802 - named by SAX
        return list(self._written)

    def getValueByQName(self, name: str) -> str:  # noqa: N802 - named by SAX
        return self._written[name]


def check_depth(depth: int) -> None:
    """Bound how deep a document is nested: every level is kept several times over, a million take 300 MB.

    Raises:
        EnoughError: it is too deep.
    """
    if depth > _DEEPEST:
        raise EnoughError(f"{NOT_READ}: it is nested more than {_DEEPEST} levels deep")


def check_parts(parts: int) -> None:
    """Bound how many elements, or tags of a broken document, are read.

    Raises:
        EnoughError: there are too many.
    """
    if parts > _MOST_PARTS:
        raise EnoughError(f"{NOT_READ}: it has more than {_MOST_PARTS} elements")
