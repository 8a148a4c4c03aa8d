"""Reads documents in worker processes, so that all cores are used and a hostile document cannot stop the others."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar, cast

from feedhub.errors import ParseError, WorkerError
from feedhub.model.document import Document
from feedhub.model.item import Detail, ParsedFeed
from feedhub.model.kind import SourceKind
from feedhub.model.report import RecordTrace
from feedhub.model.source import Source
from feedhub.runtime.plugins import source_kind
from feedhub.runtime.worker_pool import WorkerPool

if TYPE_CHECKING:
    from feedhub.sources.feed.discover import DiscoveredFeed

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Refusal:
    """A ParseError as a value, because exceptions with keyword arguments cannot be sent between processes."""

    message: str
    offers: tuple[str, ...]


class ParsePool:
    """Implements ``Parser`` over worker processes that start with the first document.

    A document that takes longer than ``timeout`` seconds, or whose worker dies, is a ParseError; see ``WorkerPool``.
    ``kinds`` gives what a kind declares, or raises ParseError.
    """

    def __init__(
        self,
        *,
        workers: int | None = None,
        timeout: float = 20.0,
        kinds: Callable[[str], SourceKind] = source_kind,
    ) -> None:
        self._pool = WorkerPool(workers=workers, timeout=timeout)
        self._kind_of = kinds

    def parse(self, document: Document, source: Source) -> ParsedFeed:
        """Return the items of ``document``; see ``feedhub.ports.world.Parser``."""
        return self._read(_prepared, document, source, self._kind_of(source.kind).reader)

    def detail(self, document: Document, source: Source) -> Detail:
        """Return what a second answer says; see ``feedhub.ports.world.Parser``."""
        return self._read(_detail, document, source)

    def trace(self, document: Document, source: Source, limit: int) -> tuple[RecordTrace, ...]:
        """Return what each path gave; see ``feedhub.runtime.inspection.PreviewParser``."""
        tracer = self._kind_of(source.kind).tracer
        return self._read(_trace, document, source, limit, tracer) if tracer else ()

    def offers(self, document: Document) -> "tuple[DiscoveredFeed, ...]":
        """Return the feeds that a page offers; see ``feedhub.runtime.inspection.PreviewParser``."""
        return self._read(_offers, document)

    def close(self) -> None:
        """Stop the workers at once; documents that are being read fail with ParseError."""
        self._pool.close()

    def _read(self, read: Callable[..., Answer], *given: object) -> Answer:
        try:
            answer = self._pool.run(_refusing, read, *given)
        except WorkerError as error:
            raise ParseError(f"cannot be read: {error}") from error
        if isinstance(answer, _Refusal):
            raise ParseError(answer.message, offers=answer.offers)
        return cast(Answer, answer)


# The readers are imported in the workers: this process needs none of them, and mostly nothing is read.


def _prepared(document: Document, source: Source, reader: str) -> ParsedFeed:
    from feedhub.sources.read import read_and_clean

    return read_and_clean(document, source, reader)


def _detail(document: Document, source: Source) -> Detail:
    from feedhub.sources.mapped.full_text import read_detail

    return read_detail(document, source)


def _trace(document: Document, source: Source, limit: int, tracer: str) -> tuple[RecordTrace, ...]:
    from feedhub.sources.read import trace_document

    return trace_document(document, source, limit, tracer)


def _offers(document: Document) -> "tuple[DiscoveredFeed, ...]":
    from feedhub.sources.feed.discover import discover_feeds

    return discover_feeds(document)


def _refusing(read: Callable[..., Answer], *given: object) -> Answer | _Refusal:
    try:
        return read(*given)
    except ParseError as exc:
        return _Refusal(message=str(exc), offers=exc.offers)
