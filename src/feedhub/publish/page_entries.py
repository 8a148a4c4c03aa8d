"""An item as pages show it: its card in lists, its text, its picture, sound and film, its language and direction."""

import re
from dataclasses import dataclass
from datetime import date, tzinfo
from enum import StrEnum
from html import unescape
from typing import Final
from urllib.parse import urlsplit

from markupsafe import Markup

from feedhub.model.item import Enclosure, Sent, StoredItem
from feedhub.model.output import OutputView, Site, page_policy
from feedhub.publish.addresses import item_path
from feedhub.publish.entry import (
    HEADING_ENDS,
    LONGEST_HEADING,
    Entry,
    cut_between_words,
    host_of,
    language_tag,
    plain_text,
    safe_line,
)
from feedhub.publish.page_texts import PageTexts
from feedhub.rules.language import Direction, direction_of, direction_of_language, language_by_letters

EXCERPT: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks(Sent):
    """What the markup of an item says of its language and direction; None for what is that of the page.

    ``title`` is the direction of the title where it is not that of the item. ``lang`` is "" where it is unknown.
    """

    lang: str | None
    dir: Direction | None
    title: Direction | None
    text: Direction | None


NO_MARKS: Final = Marks(lang=None, dir=None, title=None, text=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Card(Sent):
    """One item in a list. ``page`` is its path, ``link`` the original; ``reports`` says how many sources have it."""

    title: str
    page: str
    link: str | None
    marks: Marks
    source: str
    excerpt: str
    machine_time: str
    day: str
    date: str
    clock: str
    reports: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CardsOfDay:
    """The items of one day: as values for a template, or in ``html`` as they were rendered before."""

    title: str
    cards: tuple[Card, ...] = ()
    html: Markup | None = None


def days_of(view: OutputView, words: PageTexts) -> dict[str, list[StoredItem]]:
    """Return the items of a view by the days on which they were published; they come newest first."""
    days: dict[date, list[StoredItem]] = {}
    for stored in view.items:
        days.setdefault(words.local(stored.published_at).date(), []).append(stored)
    return {words.day(some[0].published_at): some for some in days.values()}


def card_of(entry: Entry, stored: StoredItem, site: Site, words: PageTexts, zone: tzinfo) -> Card:
    """Return an item as lists show it."""
    title = shown_title(entry, words)
    excerpt = excerpt_of(entry)
    if excerpt.rstrip("…").startswith(title.rstrip("…")) and not entry.title:
        excerpt = ""
    return Card(
        title=title,
        page=item_path(stored, zone),
        link=entry.link,
        marks=marks_of(entry, stored.item.language, title, excerpt, site),
        source=source_name(entry),
        excerpt=excerpt,
        machine_time=words.machine(entry.published_at),
        day=words.day(entry.published_at),
        date=words.date(entry.published_at),
        clock=words.clock(entry.published_at),
        reports=words.reports(sources_of(stored)),
    )


def sources_of(stored: StoredItem) -> int:
    """Return how many sources report what an item does."""
    return len({stored.source, *(report.source for report in stored.reports)})


def shown_title(entry: Entry, words: PageTexts) -> str:
    """Return the title of an item, or the beginning of its text."""
    return entry.title or cut_between_words(text_of(entry), LONGEST_HEADING, HEADING_ENDS) or words.texts["untitled"]


def excerpt_of(entry: Entry) -> str:
    """Return the beginning of what an item says."""
    return cut_between_words(text_of(entry), EXCERPT, HEADING_ENDS)


def text_of(entry: Entry) -> str:
    """Return what an item says, as text on one line."""
    return plain_text(entry.summary or entry.content or "")


def source_name(entry: Entry) -> str:
    """Return what a source calls itself, else what we call it."""
    return safe_line(entry.source.title) or entry.source.name


def marks_of(entry: Entry, declared: str | None, title: str, text: str, site: Site) -> Marks:
    """Return language and direction of an item; ``declared`` is the language that its source names."""
    language = language_tag(declared)
    around = direction_of_language(site.language)
    said = text if title in text else f"{title} {text}"
    whole = direction_of(said, language) if any(map(str.isalpha, said)) else around
    directions = [direction_of(each, language) if any(map(str.isalpha, each)) else whole for each in (title, text)]
    return Marks(
        lang=language_by_letters(entry.title or text[:LONGEST_HEADING], language, language_tag(site.language) or "en"),
        dir=whole if whole != around else None,
        title=directions[0] if directions[0] != whole else None,
        text=directions[1] if directions[1] != whole else None,
    )


_PICTURE: Final = re.compile(r"<img(?![^>]*\salt=)(?=[\s>])", re.IGNORECASE)
_FRAME: Final = re.compile(r"<iframe(?![^>]*\stitle=)(?=[\s>])", re.IGNORECASE)
_OUTER_HEADING: Final = re.compile(r"<(/?)h1(?=[\s>])", re.IGNORECASE)
_CODE: Final = re.compile(r"<pre(?=[\s>])", re.IGNORECASE)
_TABLE: Final = re.compile(r"<(/?)table(?:\s[^>]*)?>", re.IGNORECASE)
_LINKED_OR_CODE: Final = re.compile(r"<(?:a|code|pre)[\s>]", re.IGNORECASE)
_TAG: Final = re.compile(r"""(<(?:"[^"]*"|'[^']*'|[^>"'])*+>)""")
_ADDRESS: Final = re.compile(
    r"(?<![A-Za-z0-9])https?://(?:[^\s<>\"'&（），。；：！？、》」』”]|&amp;)*[\w/#=+~-]", re.IGNORECASE
)


def content_of(entry: Entry, words: PageTexts) -> Markup | None:
    """Return the sanitised text of an item as it stands on its page.

    Its headings stand below the page's, its pictures and frames have a name, what is wide scrolls in itself, and
    addresses in a text without links are links.
    """
    text = entry.content or entry.summary
    if not text:
        return None
    text = _OUTER_HEADING.sub(r"<\1h2", text)
    text = _PICTURE.sub('<img alt=""', text)
    # What scrolls has to be reached by the keyboard.
    text = _around_tables(_CODE.sub('<pre tabindex="0"', text), words.texts["table"])
    if "://" in text and not _LINKED_OR_CODE.search(text):
        text = _with_links(text)
    return Markup(_FRAME.sub(lambda match: f'{match[0]} title="{_player(text, match.end())}"', text))  # noqa: S704


def _player(text: str, start: int) -> str:
    found = re.match(r'[^>]*\ssrc="https://([a-z0-9.-]+)', text[start : start + 500])
    return found[1] if found else "player"


def _around_tables(text: str, name: str) -> str:
    """Put every table that is in no other one into an element that scrolls."""
    pieces: list[str] = []
    at = depth = begin = 0
    for tag in _TABLE.finditer(text):
        if not tag[1]:
            begin, depth = (begin if depth else tag.start()), depth + 1
        elif depth:
            depth -= 1
            if not depth:
                opening = f'<div class="wide" role="region" tabindex="0" aria-label="{name}">'
                pieces += [text[at:begin], opening, text[begin : tag.end()], "</div>"]
                at = tag.end()
    return "".join((*pieces, text[at:]))


def _with_links(text: str) -> str:
    pieces = _TAG.split(text)
    pieces[::2] = [_ADDRESS.sub(r'<a rel="noopener noreferrer" href="\g<0>">\g<0></a>', piece) for piece in pieces[::2]]
    return "".join(pieces)


_ATTRIBUTE: Final = '="'
# It begins with what can be looked for at once; what is before that is looked up then.
_SHOWN: Final = re.compile(r'="(?:(?<=\ssrc=")|(?<=\sposter="))([^"]*)"', re.IGNORECASE)
_SIZE: Final = re.compile(r"(?:[-_@](?:\d{2,4}x\d{2,4}|[1-4]x|scaled|e\d{9,}))+(?=\.\w{3,4}$)", re.IGNORECASE)
_PICTURE_FILE: Final = re.compile(r"\.(?:avif|gif|jpe?g|png|webp)$", re.IGNORECASE)
_SOUND_FILES: Final = frozenset("aac flac m4a m4b mp3 oga ogg opus wav".split())
_FILM_FILES: Final = frozenset("m4v mov mp4 mpg mpeg ogv webm".split())
_YOUTUBE: Final = re.compile(
    r"https?://(?:(?:www\.|m\.|music\.)?youtube(?:-nocookie)?\.com/(?:watch\?(?:[^#]*&)?v=|(?:embed|v|shorts|live)/)"
    r"|youtu\.be/)([\w-]{11})(?![\w-])"
)
_FILM_HOSTS: Final = frozenset(
    "youtube.com youtube-nocookie.com youtu.be vimeo.com bilibili.com b23.tv dailymotion.com twitch.tv".split()
)


class PlayerKind(StrEnum):
    """With what a file is played. Templates compare it, so that it is no text."""

    AUDIO = "audio"
    VIDEO = "video"


@dataclass(frozen=True, slots=True, kw_only=True)
class Player:
    """A file that the page plays. ``length`` is how long it lasts."""

    kind: PlayerKind
    url: str
    media_type: str | None
    title: str
    length: str
    poster: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Media(Sent):
    """What an item has beside its text. ``picture`` is None where the text or a player shows it already.

    ``is_film`` tells that the original is a page which plays a film; ``files`` are the attachments without a player.
    """

    picture: str | None
    is_film: bool
    players: tuple[Player, ...]
    files: tuple[Enclosure, ...]


def media_of(entry: Entry) -> Media:
    """Return what an item shows and plays beside its text."""
    text = entry.content or entry.summary or ""
    shown = {unescape(address) for address in _SHOWN.findall(text)} if _ATTRIBUTE in text else set()
    films = _YOUTUBE.match(entry.link or "")
    picture = entry.image or (f"https://i.ytimg.com/vi/{films[1]}/hqdefault.jpg" if films else None)
    kinds = {file.url: _kind(file) for file in entry.enclosures if file.url not in shown}
    first_film = next((url for url, kind in kinds.items() if kind is PlayerKind.VIDEO), None)
    players = tuple(
        Player(
            kind=kind,
            url=file.url,
            media_type=file.media_type,
            title=file_name(file),
            length=_length(file.duration),
            poster=picture if file.url == first_film else None,
        )
        for file in entry.enclosures
        if (kind := kinds.get(file.url))
    )
    played = {player.url for player in players}
    is_shown = first_film or (picture and _picture_key(picture) in {_picture_key(address) for address in shown})
    return Media(
        picture=None if is_shown else picture,
        is_film=bool(entry.link) and _is_film_host(host_of(entry.link or "")),
        players=players,
        files=tuple(file for file in entry.enclosures if file.url not in played),
    )


def file_name(file: Enclosure) -> str:
    """Return what an attachment is called."""
    return file.title or urlsplit(file.url).path.rpartition("/")[2] or file.url


def _kind(file: Enclosure) -> PlayerKind | None:
    """Return with what a file is played, by its type, else by its ending; None for what is not played."""
    kind = (file.media_type or "").partition("/")[0]
    if kind in set(PlayerKind):
        return PlayerKind(kind)
    if file.media_type not in {None, "application/octet-stream"}:
        return None
    ending = urlsplit(file.url).path.rpartition(".")[2].lower()
    return PlayerKind.AUDIO if ending in _SOUND_FILES else PlayerKind.VIDEO if ending in _FILM_FILES else None


def _length(seconds: int | None) -> str:
    """Return ``1:02:03`` or ``2:03``."""
    if not seconds:
        return ""
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour}:{minute:02}:{second:02}" if hour else f"{minute}:{second:02}"


def _picture_key(address: str) -> str:
    """Return what two addresses of one picture share: neither scheme nor size, and no query behind a file."""
    parts = urlsplit(address)
    path = _SIZE.sub("", parts.path)
    query = "" if _PICTURE_FILE.search(path) else f"?{parts.query}"
    return f"{(parts.hostname or '').removeprefix('www.')}{path}{query}"


def _is_film_host(host: str) -> bool:
    return any(host == known or host.endswith(f".{known}") for known in _FILM_HOSTS)


_LOADED: Final = re.compile(r"<(img|picture|video|audio|iframe)(?=[\s/>])", re.IGNORECASE)


def policy_of(content: str | None, media: Media) -> Markup:
    """Return the Content-Security-Policy of an item's page."""
    # What has no attribute loads nothing.
    loaded = {name.lower() for name in _LOADED.findall(content)} if content and _ATTRIBUTE in content else set()
    policy = page_policy(
        pictures=bool(media.picture or media.players or loaded - {"iframe", "audio"}),
        media=bool(media.players or loaded & {"video", "audio"}),
        frames="iframe" in loaded,
    )
    return Markup(policy)  # noqa: S704 - is our own
