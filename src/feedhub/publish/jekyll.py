"""Jekyll posts: one Markdown file with YAML front matter per item and category (SPEC §6)."""

import hashlib
import re
from datetime import date, datetime
from importlib.resources import files
from typing import Final
from zoneinfo import ZoneInfo

from markupsafe import Markup

from feedhub.errors import PublishError
from feedhub.model.item import Item
from feedhub.model.output import OutputFile, PostSettings, PostView, Site
from feedhub.publish.front_matter import check_front_matter
from feedhub.publish.paths import checked_parts
from feedhub.publish.post_template import PostTemplate
from feedhub.publish.safe import safe_line, safe_url
from feedhub.rules.text import clean_text

_UNFIT: Final = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST_GUID: Final = 56
_LONGEST_NAME: Final = 135
"""In bytes: the longest file name, less what the pipeline adds (a category or an id) to tell two posts apart."""


class PostRenderer:
    """Renders posts with one template. Pure: same view, same bytes. Safe to call from many threads at once."""

    def __init__(self, settings: PostSettings, site: Site) -> None:
        """Raises PublishError when the template or the file name in ``settings`` cannot be used."""
        if not settings.filename.startswith("{date}-"):
            # Jekyll passes over files in _posts whose name does not begin so.
            raise PublishError(f"filename {settings.filename!r}: a post's name begins with {{date}}-")
        self._settings = settings
        self._site = site
        self._zone = ZoneInfo(site.timezone)
        built_in = files("feedhub.publish").joinpath("post_template.md.j2")
        text = built_in.read_text("utf-8") if settings.template is None else settings.template
        self._template = PostTemplate(text)
        self._name({"date": "2000-01-01", "id": "x", "guid": "x", "slug": "x"})

    def render(self, view: PostView) -> OutputFile:
        """Return the post, in the folder for new posts.

        Raises:
            PublishError: it has no title or no usable date, the template fails on it, or its front matter is not YAML.
        """
        self._need_title(view)
        text = self._template.render(self._context(view))
        check_front_matter(text)
        return OutputFile(path=self._path(self._settings.dir, view), body=text.encode("utf-8", "replace"))

    def path(self, view: PostView, today: date) -> str:
        """Return where the post belongs on ``today`` (a day of the site's time zone): with the posts or in the archive.

        Raises:
            PublishError: it has no title, or no date or name of which a file name can be made.
        """
        self._need_title(view)
        keep_days = self._settings.keep_days
        is_old = keep_days is not None and (today - self._published(view).date()).days > keep_days
        return self._path(self._settings.archive if is_old else self._settings.dir, view)

    def _need_title(self, view: PostView) -> None:
        if not safe_line(view.item.item.title):
            raise PublishError("it has no title")

    def _published(self, view: PostView) -> datetime:
        return self._local(view.item.item.published_at or view.item.published_at)

    def _local(self, instant: datetime) -> datetime:
        try:
            return instant.astimezone(self._zone)
        except OverflowError as exc:
            raise PublishError("it has no date that a calendar knows") from exc

    def _path(self, folder: str, view: PostView) -> str:
        bare_id = _file_part(_bare_id(view.item.id))
        values = {
            "date": self._published(view).date().isoformat(),
            "id": bare_id,
            "guid": _file_part(view.item.item.guid or "") or bare_id,
            "slug": _file_part(view.category.slug),
        }
        path = f"{folder}/{self._name(values)}"
        checked_parts(path)
        return path

    def _name(self, values: dict[str, str]) -> str:
        try:
            name = self._settings.filename.format_map(values)
        except (KeyError, ValueError, IndexError, AttributeError, TypeError) as exc:
            expected = "{date}, {id}, {guid} and {slug}"
            raise PublishError(f"filename {self._settings.filename!r}: not made of {expected}") from exc
        if "/" in name or len(name.encode()) > _LONGEST_NAME:
            raise PublishError(f"{name!r}: not a file name of at most {_LONGEST_NAME} bytes")
        return name

    def _context(self, view: PostView) -> dict[str, object]:
        """Return what a template may use. Markup is HTML or an address; everything else is plain text."""
        stored, item = view.item, view.item.item
        return {
            "title": safe_line(item.title),
            "link": _address(item.link),
            "id": _bare_id(stored.id),
            "guid": safe_line(item.guid),
            "summary": _html(item.summary),
            "content": _html(item.content),
            "author": ", ".join(safe_line(person.name) for person in item.authors),
            "authors": _people(item),
            "tags": [safe_line(tag) for tag in item.tags],
            "date": _written(self._published(view)),
            "updated": _written(self._local(stored.updated_at)),
            "category": {"slug": view.category.slug, "title": safe_line(view.category.title)},
            "source": {
                "name": stored.source,
                "title": safe_line(stored.source_title) or stored.source,
                "link": _address(stored.source_link),
            },
            "site": _site(self._site),
        }


def _site(site: Site) -> dict[str, object]:
    return {
        "title": site.title,
        "url": site.url,
        "base": "//" + site.url.partition("://")[2],
        "language": site.language,
        "author": site.author,
        "description": site.description,
    }


def _people(item: Item) -> list[dict[str, object]]:
    return [
        {"name": safe_line(one.name), "uri": _address(one.uri), "email": safe_line(one.email)} for one in item.authors
    ]


def _html(fragment: str | None) -> Markup:
    """Return a fragment that was sanitised, or trusted, when it was stored. Its line ends stay as they are."""
    return Markup(clean_text(fragment or ""))  # noqa: S704


def _address(url: str | None) -> Markup:
    """Return an http(s) address, without characters that HTML or Markdown could stumble over; "" for none."""
    return Markup(safe_url(url) or "")  # noqa: S704


def _bare_id(item_id: str) -> str:
    return item_id.removeprefix("urn:uuid:")


def _written(local: datetime) -> str:
    """Return ``YYYY-MM-DD HH:MM:SS +HHMM``; an offset of old local time loses its seconds, which no reader knows."""
    return f"{local.date().isoformat()} {local:%H:%M:%S} {f'{local:%z}'[:5]}"


def _file_part(text: str) -> str:
    """Return ``text`` as a part of a file name: safe, bounded, and two long ones with one beginning told apart."""
    part = _UNFIT.sub("-", text).strip("-.")
    if len(part) <= _LONGEST_GUID:
        return part
    return f"{part[: _LONGEST_GUID - 13]}-{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()[:12]}"
