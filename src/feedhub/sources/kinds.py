"""The built-in kinds of sources: what they are, the keys they have, and where their readers stand.

A new kind is one file that declares a ``SourceKind`` and reads, and one line in ``KINDS``. Kinds of other packages come
through the entry points ``feedhub.sources`` instead. Nothing here imports a reader: the configuration asks for the
keys of all kinds, and most commands read no document.
"""

from dataclasses import replace
from typing import Final

from feedhub.model.kind import KeyForm, KindKey, KindTable, SourceKind

ITEMS: Final = KindKey(
    name="items",
    form=KeyForm.PATH,
    meaning="Where the records are: JMESPath (default: the document itself), or CSS selector in a page.",
    example="data.list",
)
FIELDS: Final = KindKey(
    name="fields",
    form=KeyForm.FIELDS,
    meaning="Which part of a record is which field.",
    required="which part of a record is which field, such as {title: …, link: …}",
)
WHERE: Final = KindKey(
    name="where",
    form=KeyForm.PATH,
    meaning="Keeps the records for which this holds: JMESPath, or CSS selector in a page.",
    example="ad == `false`",
)
ERROR: Final = KindKey(
    name="error",
    form=KeyForm.PATH,
    meaning="The poll fails when this holds for the answer: JMESPath, or CSS selector that finds something.",
    example="errno != `0`",
)
PAGES: Final = KindKey(name="pages", form=KeyForm.PAGES, meaning="Further pages of the list.")

FEED: Final = SourceKind(
    name="feed",
    meaning="RSS, Atom, RDF, CDF or JSON Feed",
    reader="feedhub.sources.feed.web_feed:read_feed",
)
JSON: Final = SourceKind(
    name="json",
    meaning="an API that answers in JSON or JSONP",
    reader="feedhub.sources.mapped.json_api:read_json_api",
    tracer="feedhub.sources.mapped.json_api:trace_json_api",
    keys=(ITEMS, FIELDS, WHERE, ERROR, PAGES),
    paths="jmespath",
)
HTML: Final = SourceKind(
    name="html",
    meaning="a page",
    reader="feedhub.sources.mapped.html_page:read_html_page",
    tracer="feedhub.sources.mapped.html_page:trace_html_page",
    keys=(
        replace(ITEMS, required="the CSS selector that finds the records of the page"),
        FIELDS,
        WHERE,
        ERROR,
        PAGES,
    ),
    paths="css",
)
KINDS: Final = KindTable(kinds=(FEED, JSON, HTML))
