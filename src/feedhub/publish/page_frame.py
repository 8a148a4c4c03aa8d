"""What every page is framed by: its own facts, its feeds, and what it may load."""

from dataclasses import dataclass
from typing import Final

_PLAYERS: Final = (
    "https://www.youtube.com https://youtube.com https://www.youtube-nocookie.com https://youtube-nocookie.com "
    "https://player.vimeo.com https://player.bilibili.com https://open.spotify.com https://w.soundcloud.com"
)
PAGE_POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self' http: https: data:; media-src http: https:; "
    f"frame-src {_PLAYERS}; base-uri 'none'; form-action 'self'"
)
"""What pages may load: nothing that runs. Players are those that the sanitiser lets through."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """A feed of ours on a page: ``path`` from the root of the site, ``url`` to be copied."""

    name: str
    title: str
    path: str
    url: str
    media_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What the frame of every page is made of. ``root`` leads from the page to the root of the site."""

    title: str
    description: str
    root: str
    canonical: str
    kind: str = "website"
    image: str | None = None
    feeds: tuple[Feed, ...] = ()
