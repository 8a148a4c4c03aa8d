"""Addresses in the configuration: what is accepted, and what becomes of them."""

import base64
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from pydantic import AfterValidator

from feedhub.config.forms import Form, Line
from feedhub.rules.mapping import check_template

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):")
_BARE_HOST: Final = re.compile(r"(?:www\.|[a-z0-9-]+(?:\.[a-z0-9-]+)+(?::\d+)?/)", re.IGNORECASE)
_BLANK: Final = re.compile(r"\s")
_WEB: Final = frozenset({"http", "https"})
_SQLITE: Final = "sqlite:///"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceAddress:
    """An address without credentials, and the header that carries them instead."""

    url: str
    authorization: str | None = None
    secrets: tuple[str, ...] = ()


def source_address(text: str, root: str) -> SourceAddress:
    """Return the address of a source that was accepted by ``SourceUrl``; paths are relative to ``root``."""
    if not is_web(text):
        path = urlsplit(text).path if _scheme(text) == "file" else text
        return SourceAddress(url=Path(absolute(unquote(path) if path != text else path, root)).as_uri())
    parts = urlsplit(text)
    if parts.username is None:
        return SourceAddress(url=text)
    user, password = unquote(parts.username), unquote(parts.password or "")
    token = base64.b64encode(f"{user}:{password}".encode()).decode()
    bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    return SourceAddress(
        url=bare, authorization=f"Basic {token}", secrets=(f"{user}:{password}", password, token, _userinfo(parts))
    )


def has_credentials(text: str) -> bool:
    """Return whether a web address carries a user name."""
    return is_web(text) and urlsplit(text).username is not None


def url_secrets(text: str) -> tuple[str, ...]:
    """Return the user:password part of an address and the password, as they are written in it."""
    parts = urlsplit(text)
    return (_userinfo(parts), parts.password or "", unquote(parts.password or "")) if "@" in parts.netloc else ()


def store_url(text: str, root: str) -> str:
    """Return a store URL that was accepted by ``StoreUrl`` with an absolute path."""
    path, mark, query = text.removeprefix(_SQLITE).partition("?")
    return f"{_SQLITE}{absolute(path, root)}{mark}{query}"


def absolute(path: str, root: str) -> str:
    """Return ``path`` absolute and tidy; a relative one is relative to ``root``."""
    inside_home = path.startswith("~/")
    return os.path.normpath(Path(root, Path(path).expanduser() if inside_home else path))


def _scheme(text: str) -> str:
    match = _SCHEME.match(text)
    return match[1].lower() if match else ""


def is_web(text: str) -> bool:
    """Return whether an accepted address is one of http or https."""
    return _scheme(text) in _WEB


def _userinfo(parts: SplitResult) -> str:
    return parts.netloc.rpartition("@")[0]


def _web_parts(text: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        usable = is_web(text) and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or _BLANK.search(text):
        raise ValueError("expected an address that begins with http:// or https://")
    return parts


def _source_url(text: str) -> str:
    scheme = _scheme(text)
    if scheme in _WEB:
        _web_parts(text)
    elif scheme == "file":
        if urlsplit(text).netloc not in ("", "localhost") or not urlsplit(text).path:
            raise ValueError("expected a file: URL of this machine, such as file:///home/me/feed.xml")
    elif scheme:
        raise ValueError("expected http://, https://, file: or the path of a local file")
    elif _BARE_HOST.match(text):
        raise ValueError("has no scheme: write https://… in front or, for a local file, ./…")
    return text


def _site_url(text: str) -> str:
    parts = _web_parts(text)
    if parts.query or parts.fragment or parts.username:
        raise ValueError("expected a plain address without user, query or fragment")
    return text.rstrip("/")


def _web(text: str) -> str:
    _web_parts(text)
    return text


def _template(text: str) -> str:
    # The address may be a field itself: {link}?print=1
    if not text.startswith("{"):
        _web_parts(text)
    check_template(text)
    return text


def _store(text: str) -> str:
    path = text.removeprefix(_SQLITE).partition("?")[0]
    if not text.startswith(_SQLITE) or not path:
        raise ValueError("expected sqlite:///PATH, relative, or sqlite:////PATH, absolute")
    if path.startswith(":memory:"):
        raise ValueError("must be a file: a store in memory forgets every item it has shown")
    return text


SourceUrl = Annotated[Line, AfterValidator(_source_url), Form("address or path")]
SiteUrl = Annotated[Line, AfterValidator(_site_url), Form("http(s) address")]
WebUrl = Annotated[Line, AfterValidator(_web), Form("http(s) address")]
UrlTemplate = Annotated[Line, AfterValidator(_template), Form("template of an http(s) address")]
StoreUrl = Annotated[Line, AfterValidator(_store), Form("`sqlite:///PATH`")]
