"""The page of the log: what was dropped, merged or rejected, and why; no words of what is not shown elsewhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from feedhub.model.report import LedgerEntry, LogQuery, log_kind
from feedhub.model.settings import Settings
from feedhub.publish.entry import safe_line, safe_url
from feedhub.publish.page_texts import PageTexts
from feedhub.rules.urls import public_url
from feedhub.runtime.logs import Masker

LOG_ENTRIES: Final = 50
_LAST_PAGE: Final = 100
_LONGEST: Final = 200
_PUBLIC_KINDS: Final = ("dropped", "merged", "rejected")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRequest:
    """What a visitor asks for; ``page`` counts from 1."""

    source: str = ""
    kind: str = ""
    words: str = ""
    page: int = 1

    @property
    def first(self) -> int:
        """The number of the first entry, from 0."""
        return (self.page - 1) * LOG_ENTRIES

    @property
    def query(self) -> LogQuery:
        """What is asked of the store."""
        kinds = (self.kind,) if self.kind else _PUBLIC_KINDS
        return LogQuery(source=self.source, kinds=kinds, words=self.words, is_public=True)

    def address(self, page: int) -> str:
        """Return the address of another page of the same entries."""
        given = {"kind": self.kind, "source": self.source, "q": self.words, "page": str(page) if page > 1 else ""}
        asked = urlencode({name: value for name, value in given.items() if value})
        return f"log?{asked}" if asked else "log"


def parse_log_request(parameters: Mapping[str, str]) -> LogRequest:
    """Return what a request asks for; never raises."""
    number = parameters.get("page", "")
    kind = parameters.get("kind", "")
    return LogRequest(
        source=safe_line(parameters.get("source", "")[:_LONGEST]).strip(),
        kind=kind if kind in _PUBLIC_KINDS else "",
        words=safe_line(parameters.get("q", "")[:_LONGEST]).strip(),
        page=min(max(1, int(number)), _LAST_PAGE) if number.isascii() and number.isdigit() and len(number) < 4 else 1,
    )


def log_values(
    request: LogRequest, entries: Sequence[LedgerEntry], settings: Settings, texts: PageTexts
) -> dict[str, object]:
    """Return what the template of the page shows; ``entries`` are one more than a page holds where there are more."""
    masked = Masker()
    masked.hide(settings.secrets)
    titles = {source.name: source.title for source in settings.sources}
    has_more = len(entries) > LOG_ENTRIES and request.page < _LAST_PAGE
    return {
        "asked": request,
        "kinds": [{"name": name, "word": texts.texts[f"log.{name}"]} for name in _PUBLIC_KINDS],
        "entries": [
            {
                "kind": log_kind(entry.kind),
                "word": texts.texts.get(f"log.{log_kind(entry.kind)}", entry.kind),
                "reason": safe_line(masked(entry.reason)),
                "title": safe_line(masked(entry.title)),
                "link": safe_url(public_url(entry.link, settings.secrets)),
                "source": safe_line(masked(titles.get(entry.source) or entry.source)),
                "machine": entry.at.replace(microsecond=0).isoformat(),
                "moment": texts.moment(entry.at),
            }
            for entry in entries[:LOG_ENTRIES]
        ],
        "newer": request.address(request.page - 1) if request.page > 1 else None,
        "older": request.address(request.page + 1) if has_more else None,
    }
