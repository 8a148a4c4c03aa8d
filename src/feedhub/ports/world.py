"""What a poll asks of the outside: fetching, reading and cleaning."""

from typing import Protocol

from feedhub.model.document import Document, NotModified, Request
from feedhub.model.item import Detail, Item, ParsedFeed, ParsedItem
from feedhub.model.source import Source


class Fetcher(Protocol):
    """Gets one document. Safe to call from many threads at once."""

    def fetch(self, request: Request) -> Document | NotModified:
        """Return a complete, size-checked answer within ``request.timeout`` seconds in all.

        Raises:
            FetchError: or one of its children; never a foreign exception.
        """
        ...

    def close(self) -> None:
        """End fetches under way and give connections back; no fetch may follow."""
        ...


class Parser(Protocol):
    """Reads documents. Safe to call from many threads at once; pure: no I/O, no clock."""

    def parse(self, document: Document, source: Source) -> ParsedFeed:
        """Return the items of ``document`` in document order; a bad record is in ``rejected``, not an error.

        Raises:
            ParseError: the document is no feed, or no record of it can be read.
        """
        ...

    def detail(self, document: Document, source: Source) -> Detail:
        """Return what the answer to a second request says, as ``source.detail`` asks.

        Raises:
            ParseError: nothing was found where the content should be.
        """
        ...

    def close(self) -> None:
        """Stop workers, if there are any."""
        ...


class Cleaner(Protocol):
    """Turns a parsed item into a normalised one, and lets no rule put anything harmful into it."""

    def clean(self, parsed: ParsedItem, source: Source) -> Item:
        """Return the item with markup sanitised as ``source.content`` says and addresses absolute. Never raises."""
        ...

    def clean_again(self, markup: str, item: Item, source: Source) -> str | None:
        """Return markup that rules made of a text of ``item``, sanitised unless the source is trusted. Never raises."""
        ...
