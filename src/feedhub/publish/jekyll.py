"""Jekyll posts: a template that strangers' texts cannot break out of, and front matter that is checked to be YAML."""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from importlib.resources import files
from typing import Any, Final, Protocol
from zoneinfo import ZoneInfo

import yaml
from jinja2 import TemplateSyntaxError
from markupsafe import Markup, escape

from feedhub.errors import PublishError
from feedhub.model.item import Item
from feedhub.model.output import OutputFile, PostSettings, PostView, Site
from feedhub.publish.entry import safe_line, safe_url
from feedhub.publish.files import checked_parts
from feedhub.publish.templating import line_of, sandbox
from feedhub.rules.text import clean_text

# YAML 1.2 §5.1: what a reader may refuse, fold or drop when it is not escaped; and the two signs of our own quoting.
_ESCAPED = re.compile('["\\\\\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff\ufffe\uffff]')
_SHORT = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
# Text that every reader, of YAML 1.1 too, takes for text: no sign with a meaning, no date or time, and no number, with
# an exponent (1e5) or of another base (0x1f, 0b1, 0o7) either.
_PLAIN = re.compile(r"(?=[\W\d_]*[^\W\d_])[^\W_](?:[\w.·/&+()（）“”《》-]| (?! |\Z))*")
_NUMBER = re.compile(r"0[xob][\da-f_]*|[\d_.]+e[+-]?[\d_.]*", re.IGNORECASE)
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_DEEPEST: Final = 20
_FRONT_MATTER = re.compile(r"---\n(?P<yaml>.*?)^---$", re.DOTALL | re.MULTILINE)


class Scalar(Markup):
    """Text that is YAML already: nothing more is escaped in it."""

    __slots__ = ()


def quoted(value: object) -> Scalar:
    """Return ``value`` in double quotes, which every YAML reader reads as the same text; a list as ``["…", "…"]``.

    Printable characters stay as they are, so that an ordinary title is ``"title"`` and nothing else.
    """
    if isinstance(value, list | tuple):
        return Scalar("[{}]".format(", ".join(quoted(part) for part in value)))
    return Scalar(f'"{_ESCAPED.sub(_escape, str(value))}"')


def scalar(value: object) -> Scalar:
    """Return ``value`` without quotes where every reader takes it for text, in quotes otherwise.

    A list of one label without white space is that label. Jekyll cuts a longer text at its blanks, so any other list
    is written as a list.
    """
    if isinstance(value, list | tuple):
        return scalar(value[0]) if _is_one_word(value) else quoted(value)
    text = str(value)
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS and not _NUMBER.fullmatch(text):
        return Scalar(text)
    return quoted(text)


def check_front_matter(post: str) -> None:
    """Accept a post whose front matter is a YAML mapping, or that has none.

    Raises:
        PublishError: Jekyll could not read it, because a value went into it without the ``yaml`` filter.
    """
    if not post.startswith("---\n"):
        return
    match = _FRONT_MATTER.match(post)
    if match is None:
        raise PublishError("its front matter has no end")
    try:
        _check_mapping(match["yaml"])
    except yaml.MarkedYAMLError as exc:
        line = exc.problem_mark.line + 2 if exc.problem_mark else 2
        raise PublishError(f"its front matter is not YAML: line {line}: {exc.problem}") from exc
    except yaml.YAMLError as exc:
        raise PublishError("its front matter is not YAML") from exc


def _check_mapping(text: str) -> None:
    """Accept one mapping; raise yaml.YAMLError, or PublishError for anything else.

    The text is read as events, so that no value becomes a date, a number or an object (guarantee 14). Deep nesting ends
    the check at once, because the time that it takes grows with the square of the depth.
    """
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    documents, depth = 0, 0
    is_mapping = False
    anchors = {""}
    for event in yaml.parse(text, Loader=loader):
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
        elif isinstance(event, yaml.CollectionStartEvent):
            is_mapping = is_mapping or (depth == 0 and isinstance(event, yaml.MappingStartEvent))
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.AliasEvent) and event.anchor not in anchors:
            raise PublishError(f"its front matter is not YAML: no &{event.anchor} goes before *{event.anchor}")
        anchors.add(getattr(event, "anchor", None) or "")
        if depth > _DEEPEST:
            raise PublishError(f"its front matter is nested more than {_DEEPEST} levels deep")
    if documents != 1 or not is_mapping:
        raise PublishError("its front matter is no mapping")


def _is_one_word(values: Sequence[object]) -> bool:
    return len(values) == 1 and len(str(values[0]).split()) == 1


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    code = ord(character)
    if 0xD800 <= code <= 0xDFFF:
        return "\ufffd"  # half of a character, for which no encoding and so no YAML has a form
    return _SHORT.get(character) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")


# What begins a command of Liquid or a link of Markdown; at the end of a value too, since the template or the next value
# may bring the other half.
_ACTIVE = re.compile(r"\{(?=[{%:]|\Z)|\](?=[(\[:]|\Z)")
_ENTITIES: Final = {"{": "&#123;", "]": "&#93;"}


class PostTemplate:
    """A compiled template. ``{% … %}`` on a line of its own leaves no line; the last line end is dropped."""

    def __init__(self, text: str) -> None:
        """Raises PublishError, with the line, when ``text`` is no template."""
        environment = sandbox(finalize=_inert)
        environment.filters.update(yaml=quoted, scalar=scalar)
        try:
            self._template = environment.from_string(text)
        except TemplateSyntaxError as exc:
            raise PublishError(f"template line {exc.lineno}: {exc.message}") from exc
        except Exception as exc:  # the compiler works out constants, which can raise whatever Python can
            raise PublishError(f"template: {exc}") from exc

    def render(self, values: Mapping[str, object]) -> str:
        """Return the text of a post; raises PublishError, with the line, when the template fails on these values."""
        try:
            return self._template.render(values)
        except Exception as exc:  # a template can raise whatever Python can
            raise PublishError(f"template{line_of(exc)}: {str(exc) or type(exc).__name__}") from exc


def _inert(value: object) -> Markup:
    """Return a value as it may be in the post: text escaped, nothing in it a command of Liquid or a link."""
    if isinstance(value, Scalar):
        return value
    return Markup(_ACTIVE.sub(lambda match: _ENTITIES[match[0]], str(escape(value))))  # noqa: S704 - just escaped


_UNFIT: Final = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST_GUID: Final = 56
_LONGEST_NAME: Final = 135
"""In bytes: the longest file name, less the category or the id that the pipeline adds to tell two posts apart."""


class RendersPosts(Protocol):
    """A compiled template, as ``PostTemplate`` is."""

    def render(self, values: Mapping[str, object], /) -> str:
        """See ``PostTemplate.render``."""
        ...


class JekyllRenderer:
    """Renders posts with one template. Pure: same view, same bytes. Safe to call from many threads at once.

    ``compiled`` makes it of the text in ``settings``, if there is one.
    """

    def __init__(
        self, settings: PostSettings, site: Site, compiled: Callable[[str], RendersPosts] = PostTemplate
    ) -> None:
        """Raises PublishError when the template or the file name in ``settings`` cannot be used."""
        if not settings.filename.startswith("{date}-"):
            # Jekyll passes over files in _posts whose names do not begin with a date.
            raise PublishError(f"filename {settings.filename!r}: a post's name begins with {{date}}-")
        self._settings = settings
        self._site = site
        self._zone = ZoneInfo(site.timezone)
        built_in = files("feedhub.publish").joinpath("post_template.md.j2")
        own = settings.template
        self._template = PostTemplate(built_in.read_text("utf-8")) if own is None else compiled(own)
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
    """Return a fragment that was sanitised, or was trusted, when it was stored. Its line ends stay as they are."""
    return Markup(clean_text(fragment or ""))  # noqa: S704


def _address(url: str | None) -> Markup:
    """Return an http(s) address without characters that mean something in HTML or Markdown; "" for none."""
    return Markup(safe_url(url) or "")  # noqa: S704


def _bare_id(item_id: str) -> str:
    return item_id.removeprefix("urn:uuid:")


def _written(local: datetime) -> str:
    """Return ``YYYY-MM-DD HH:MM:SS +HHMM``; the seconds of an offset of old local time are left out."""
    return f"{local.date().isoformat()} {local:%H:%M:%S} {f'{local:%z}'[:5]}"


def _file_part(text: str) -> str:
    """Return ``text`` as a safe part of a file name of bounded length; a long text ends with a digest of all of it."""
    part = _UNFIT.sub("-", text).strip("-.")
    if len(part) <= _LONGEST_GUID:
        return part
    return f"{part[: _LONGEST_GUID - 13]}-{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()[:12]}"
