"""What ``preview`` and ``discover`` read beyond a poll; in a worker process, as everything that strangers wrote."""

from feedhub.model.document import Document
from feedhub.model.report import RecordTrace
from feedhub.model.source import Source


def trace(document: Document, source: Source, limit: int) -> tuple[RecordTrace, ...]:
    """Return what each path gave on the first ``limit`` records of a mapped source; nothing for other kinds.

    Raises:
        ParseError: what reading the document fails with before any record is read.
    """
    if source.kind == "json":
        from feedhub.sources.json_api import traced

        return traced(document, source, limit)
    if source.kind == "html":
        from feedhub.sources.html_page import trace_html_page

        return trace_html_page(document, source, limit)
    return ()
