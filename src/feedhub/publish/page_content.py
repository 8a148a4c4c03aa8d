"""The sanitised text of an item, made fit for the page around it."""

import re
from typing import Final

from markupsafe import Markup

from feedhub.publish.entry import Entry

_PICTURE: Final = re.compile(r"<img(?![^>]*\salt=)(?=[\s>])", re.IGNORECASE)
_FRAME: Final = re.compile(r"<iframe(?![^>]*\stitle=)(?=[\s>])", re.IGNORECASE)
_OUTER_HEADING: Final = re.compile(r"<(/?)h1(?=[\s>])", re.IGNORECASE)


def content_of(entry: Entry) -> Markup | None:
    """Return the sanitised text of an item, its headings below the page's, its pictures and frames with a name."""
    text = entry.content or entry.summary
    if not text:
        return None
    text = _OUTER_HEADING.sub(r"<\1h2", text)
    text = _PICTURE.sub('<img alt=""', text)
    return Markup(_FRAME.sub(lambda match: f'{match[0]} title="{_player(text, match.end())}"', text))  # noqa: S704


def _player(text: str, start: int) -> str:
    found = re.match(r'[^>]*\ssrc="https://([a-z0-9.-]+)', text[start : start + 500])
    return found[1] if found else "player"
