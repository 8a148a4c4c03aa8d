"""``formats: [csv]``: a category as a table for a spreadsheet, one item on each line (RFC 4180)."""

import csv
import io

from feedhub.model.output import OutputFormat, OutputView

COLUMNS = ("published", "title", "link", "source", "categories", "id")
# A spreadsheet takes a cell that begins with one of these for a formula, and a formula can send the table to strangers.
FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")


def render(view: OutputView) -> bytes:
    """Return the table: UTF-8 with a byte order mark, by which spreadsheets know it."""
    # Imported here, because every command that looks at the configuration imports this file for FORMAT.
    from feedhub.publish.entry import entries_of

    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow(COLUMNS)
    for entry in entries_of(view):
        published = entry.published_at.isoformat()
        cells = (published, entry.title, entry.link or "", entry.source.title, ", ".join(entry.categories), entry.id)
        writer.writerow([as_text(cell) for cell in cells])
    return table.getvalue().encode("utf-8-sig")


def as_text(cell: str) -> str:
    """Return a cell that every spreadsheet shows as it is: an apostrophe before what would be a formula."""
    # Some spreadsheets drop blanks before a sign, and take its full-width form for it.
    begin = cell.lstrip(" ").translate(FULL_WIDTH)
    return f"'{cell}" if begin.startswith(FORMULA_SIGNS) else cell


FULL_WIDTH = str.maketrans("＝＋－＠", "=+-@")
FORMAT = OutputFormat(name="csv", title="CSV", media_type="text/csv; charset=utf-8", render=render)
