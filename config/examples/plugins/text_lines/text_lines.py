"""``kind: text``: one item for each line of a text file. A blank line is none; the same line again is the same item."""

from feedhub.model.document import Document
from feedhub.model.item import ParsedFeed, ParsedItem
from feedhub.model.kind import KeyForm, KindKey, SourceKind
from feedhub.model.source import Source

KIND = SourceKind(
    name="text",
    meaning="a text file with one item on each line",
    reader="text_lines:read_text",
    keys=(
        KindKey(
            name="comment",
            form=KeyForm.LINE,
            meaning="Lines that begin with this are left out.",
            example="#",
        ),
    ),
)


def read_text(document: Document, source: Source) -> ParsedFeed:
    """Return the lines of a text file as items."""
    # Imported here, because every command that looks at the configuration imports this file for KIND.
    from feedhub.sources import records
    from feedhub.sources.document import document_text

    def item(position: int, line: str) -> ParsedItem:
        return records.make_item(
            ParsedItem(position=position, title=records.title_of(line), guid=records.guid_of(line), text_digest="")
        )

    decoded = document_text(document, source)
    comment = source.option("comment")
    lines = dict.fromkeys(line.strip() for line in decoded.text.splitlines())
    kept = [line for line in lines if line and not (comment and line.startswith(str(comment)))]
    reading = records.read_records(kept, item, lambda line: (records.title_of(line), None, None), source.limit)
    return records.with_records(ParsedFeed(title="", items=(), notes=decoded.notes), reading)
