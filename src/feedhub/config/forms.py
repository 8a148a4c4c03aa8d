"""How single values are written: durations, sizes, names, patterns, addresses. Each form checks and converts."""

import base64
import codecs
import ipaddress
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit, urlunsplit
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, WithJsonSchema

from feedhub.config.reading import SQLITE, absolute
from feedhub.rules.categorize import MAX_SLUG_LENGTH, RESERVED_SLUGS
from feedhub.rules.mapping import check_template
from feedhub.rules.pacing import parse_cron
from feedhub.rules.patterns import compile_pattern

_DURATION: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)([smhd]?)")
_SECONDS: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_SIZE: Final = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,3})?) ?(b|kb|mb|gb|kib|mib|gib)?", re.IGNORECASE)
_BYTES: Final = {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}
_WHOLE: Final = re.compile(r"[-+]?[0-9]{1,18}")
_SOURCE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_KEY_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}")
_KEY_NAMES_TAKEN: Final = frozenset({"url", "guid", "text", "signature"})
_SLUG: Final = re.compile(rf"[a-z0-9][a-z0-9-]{{0,{MAX_SLUG_LENGTH - 1}}}")
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*")
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_HOST: Final = re.compile(r"(?=.{1,253}$)[\w-]+(?:\.[\w-]+)*\.?")


@dataclass(frozen=True, slots=True)
class Form:
    """How the reference names a form, and how it writes a value of it."""

    words: str
    show: Callable[[Any], str] = str


def parse_duration(value: object) -> float:
    """Return seconds from ``90s``, ``15m``, ``2h``, ``7d`` or a plain number of seconds."""
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("expected a duration such as 90s, 15m, 2h or 7d")
    return float(match[1]) * _SECONDS[match[2]]


def show_duration(seconds: float) -> str:
    """Return the shortest way to write a duration."""
    for unit in "dhm":
        if seconds and seconds % _SECONDS[unit] == 0:
            return f"{seconds / _SECONDS[unit]:g}{unit}"
    return f"{seconds:g}s"


def parse_size(value: object) -> int:
    """Return bytes from ``10MB``, ``500KB`` (decimal), ``2MiB`` (binary) or a plain number of bytes."""
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("expected a size such as 10MB, 500KB or 2MiB")
    size = int(float(match[1]) * _BYTES[(match[2] or "b").lower()])
    if size < 1:
        raise ValueError("expected a size of at least one byte")
    return size


def show_size(size: int) -> str:
    """Return the shortest decimal way to write a size."""
    for unit in ("gb", "mb", "kb"):
        if size and size % _BYTES[unit] == 0:
            return f"{size // _BYTES[unit]}{unit.upper()}"
    return str(size)


def _parse_every(value: object) -> float | str:
    if value == "auto":
        return "auto"
    try:
        return _positive(parse_duration(value))
    except ValueError as error:
        raise ValueError(f"{error}, or auto") from error


def _positive(seconds: float) -> float:
    if seconds < 1:
        raise ValueError("expected a duration of at least 1s")
    return seconds


def parse_whole(value: object) -> int:
    """Return the whole number that is written, with or without a sign."""
    if not isinstance(value, str) or not _WHOLE.fullmatch(value):
        raise ValueError("expected a whole number")
    return int(value)


def parse_flag(value: object) -> bool:
    """Return true or false; no other word is a flag."""
    # In YAML 1.2 the words yes, no, on and off are text.
    if not isinstance(value, str) or value.lower() not in {"true", "false"}:
        raise ValueError("expected true or false")
    return value.lower() == "true"


def one_or_many(value: object) -> object:
    """Return a single value as a list of one."""
    return [value] if isinstance(value, str | dict) else value


def _line(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty")
    return _no_controls(text).strip()


def _no_controls(text: str) -> str:
    if _CONTROL.search(text):
        raise ValueError("must not contain control characters")
    return text


def _matching(pattern: re.Pattern[str], message: str) -> AfterValidator:
    def check(text: str) -> str:
        if not pattern.fullmatch(text):
            raise ValueError(message)
        return text

    return AfterValidator(check)


def checked(check: Callable[[str], object]) -> AfterValidator:
    """Return a validator that accepts what ``check`` does not raise ValueError for."""

    def accept(text: str) -> str:
        check(text)
        return text

    return AfterValidator(accept)


def _category_slug(text: str) -> str:
    if text in RESERVED_SLUGS:
        raise ValueError("is a reserved name; choose another slug")
    return text


def _key_name(text: str) -> str:
    if text in _KEY_NAMES_TAKEN:
        raise ValueError(f"is the name of a built-in key ({', '.join(sorted(_KEY_NAMES_TAKEN))}); choose another")
    return text


@lru_cache(maxsize=64)
def _encoding(text: str) -> str:
    try:
        codecs.lookup(text)
        b"a".decode(text)
    except UnicodeError:
        return text
    except (LookupError, ValueError) as error:
        raise ValueError("expected an encoding such as utf-8, gb18030 or big5") from error
    return text


@lru_cache(maxsize=64)
def _timezone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (KeyError, ValueError, OSError) as error:
        near = get_close_matches(text, available_timezones(), 1, 0.6)
        raise ValueError(f"expected a time zone such as {near[0] if near else 'Asia/Shanghai'}") from error
    return text


def _pattern(text: str) -> str:
    if not text:
        raise ValueError("must not be empty: an empty pattern is found everywhere")
    compile_pattern(text)
    return text


def _header_value(text: str) -> str:
    if not text.isascii() or not text.isprintable():
        raise ValueError("must be printable ASCII on one line")
    return text


def _private_address(text: str) -> str:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        host, _, port = text.removeprefix("[").replace("]", "").rpartition(":")
        if not host:
            host, port = text, "1"
        if not (_is_host(host) and port.isascii() and port.isdigit() and 0 < int(port) < 65_536):
            raise ValueError("expected a host, a network or host:port") from None
    return text


def _is_host(text: str) -> bool:
    if ":" not in text:
        return bool(_HOST.fullmatch(text))
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


DURATION_FORMS: Final = [
    {"type": "string", "pattern": r"^\d{1,9}(\.\d{1,3})?[smhd]?$"},
    {"type": "number", "minimum": 0},
]
_DURATION_SCHEMA: Final = {
    "anyOf": DURATION_FORMS,
    "examples": ["90s", "15m", "2h", "7d"],
}
_SIZE_SCHEMA: Final = {
    "anyOf": [
        {"type": "string", "pattern": r"^\d{1,12}(\.\d{1,3})? ?([Bb]|[KkMmGg]i?[Bb])?$"},
        {"type": "integer", "minimum": 0},
    ],
    "examples": ["500KB", "10MB", "2MiB"],
}
_EVERY_SCHEMA: Final = {"anyOf": [{"const": "auto"}, *DURATION_FORMS], "examples": ["5m", "auto"]}
NAMES_SCHEMA: Final = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}


def _text_schema(pattern: re.Pattern[str]) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^{pattern.pattern}$"})


Duration = Annotated[
    float, BeforeValidator(parse_duration), WithJsonSchema(_DURATION_SCHEMA), Form("duration", show_duration)
]
Interval = Annotated[
    float,
    BeforeValidator(parse_duration),
    AfterValidator(_positive),
    WithJsonSchema(_DURATION_SCHEMA),
    Form("duration, at least 1s", show_duration),
]
Every = Annotated[
    float | str, PlainValidator(_parse_every), WithJsonSchema(_EVERY_SCHEMA), Form("duration, or `auto`", show_duration)
]
Size = Annotated[int, BeforeValidator(parse_size), WithJsonSchema(_SIZE_SCHEMA), Form("size", show_size)]
Count = Annotated[int, Field(ge=1, le=1_000_000), BeforeValidator(parse_whole), Form("whole number from 1")]
Entries = Annotated[int, Field(ge=1, le=10_000), BeforeValidator(parse_whole), Form("whole number, 1 to 10,000")]
Port = Annotated[int, Field(ge=1, le=65_535), BeforeValidator(parse_whole), Form("whole number, 1 to 65,535")]
Flag = Annotated[bool, BeforeValidator(parse_flag), Form("true or false", lambda flag: str(flag).lower())]
Text = Annotated[str, AfterValidator(_no_controls), Form("text")]
Line = Annotated[str, AfterValidator(_line), Form("text")]
Names = Annotated[list[Line], BeforeValidator(one_or_many), WithJsonSchema(NAMES_SCHEMA), Form("text, or a list")]
CategoryNames = Annotated[
    list[Annotated[str, AfterValidator(str.strip)]],
    BeforeValidator(one_or_many),
    WithJsonSchema(NAMES_SCHEMA),
    Form("text, or a list"),
]
"""Not checked here: a name that cannot be used costs one source, not the configuration (``settle.py``)."""
SourceName = Annotated[
    str,
    _matching(_SOURCE_NAME, "expected letters, digits, dots, hyphens and underscores, a letter or digit first"),
    _text_schema(_SOURCE_NAME),
    Form("letters, digits and `. _ -`"),
]
KeyName = Annotated[
    str,
    _matching(_KEY_NAME, "expected letters, digits, hyphens and underscores, a letter first"),
    AfterValidator(_key_name),
    Form("name"),
]
CategorySlug = Annotated[
    str,
    _matching(_SLUG, f"expected lower-case letters, digits and hyphens, at most {MAX_SLUG_LENGTH}"),
    AfterValidator(_category_slug),
    Form("slug"),
]
Language = Annotated[
    str,
    _matching(_LANGUAGE, "expected a language such as en or zh-CN"),
    _text_schema(_LANGUAGE),
    Form("language tag (BCP 47)"),
]
Encoding = Annotated[str, AfterValidator(_encoding), Form("encoding")]
Timezone = Annotated[str, AfterValidator(_timezone), Form("IANA time zone")]
Cron = Annotated[str, AfterValidator(parse_cron), Form("cron expression")]
PatternText = Annotated[str, AfterValidator(_pattern), Form("regular expression (RE2)")]
HeaderName = Annotated[str, _matching(_HEADER_NAME, "expected the name of an HTTP header"), Form("header name")]
HeaderValue = Annotated[str, AfterValidator(_header_value), Form("text")]
PrivateAddress = Annotated[str, AfterValidator(_private_address), Form("host, network or host:port")]


_HOST_GLOB: Final = re.compile(r"[\w*?-]+(?:\.[\w*?-]+)*\.?")
_NEVER: Final = "never"


def _host_glob(text: str) -> str:
    if not _HOST_GLOB.fullmatch(text):
        raise ValueError("expected a host name without scheme, port and path, such as *.example.org")
    return text.lower().rstrip(".")


def _parse_silence(value: object) -> float:
    if value == _NEVER:
        return math.inf
    try:
        seconds = parse_duration(value)
    except ValueError as error:
        raise ValueError(f"{error}, or never") from error
    if seconds < 1:
        raise ValueError("expected a duration of at least 1s, or never")
    return seconds


HostGlob = Annotated[str, AfterValidator(_host_glob), Form("host name with `*`")]
Silence = Annotated[
    float,
    PlainValidator(_parse_silence),
    WithJsonSchema({"anyOf": [{"const": _NEVER}, *DURATION_FORMS], "examples": ["12d", _NEVER]}),
    Form("duration, or `never`", show_duration),
]


_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):")
_BARE_HOST: Final = re.compile(r"(?:www\.|[a-z0-9-]+(?:\.[a-z0-9-]+)+(?::\d+)?/)", re.IGNORECASE)
_BLANK: Final = re.compile(r"\s")
_WEB: Final = frozenset({"http", "https"})
_POSTGRES: Final = "postgresql+psycopg://"
_POSTGRES_PARAMETERS: Final = frozenset(
    {"application_name", "connect_timeout", "host", "options", "port", "service", "target_session_attrs"}
    | {f"ssl{name}" for name in ("cert", "crl", "key", "mode", "rootcert")}
)
_STORE_PARAMETERS: Final = re.compile(r"timeout=[0-9]{1,4}(?:\.[0-9]{1,3})?")


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
    """Return a store URL that was accepted by ``StoreUrl``; the path of a file is made absolute."""
    if text.startswith(_POSTGRES):
        return text
    path, mark, parameters = text.removeprefix(SQLITE).partition("?")
    return f"{SQLITE}{absolute(path, root)}{mark}{parameters}"


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


def store_address(text: str) -> str:
    """Accept the address of a store; ValueError says why not."""
    if text.startswith(_POSTGRES):
        return _database(text)
    path, mark, parameters = text.removeprefix(SQLITE).partition("?")
    if not text.startswith(SQLITE) or not path:
        raise ValueError(
            f"expected sqlite:///PATH, relative, sqlite:////PATH, absolute, or {_POSTGRES}USER@HOST/DATABASE"
        )
    # Others, such as mode=memory, make another kind of store of it, or no store at all.
    if mark and not _STORE_PARAMETERS.fullmatch(parameters):
        raise ValueError("must not have other parameters than timeout=SECONDS")
    if path.startswith(":memory:"):
        raise ValueError("must be a file: a store in memory forgets every item it has shown")
    return text


def _database(text: str) -> str:
    try:
        parts = urlsplit(text)
        is_whole = len(parts.path) > 1 and not parts.fragment and parts.port != 0
    except ValueError:
        is_whole = False
    if not is_whole or _BLANK.search(text):
        raise ValueError(
            f"expected {_POSTGRES}USER:PASSWORD@HOST/DATABASE, signs like @ / # in a password as %40 %2F %23"
        )
    # Of others a password might be one, which would be hidden nowhere.
    for name, _ in parse_qsl(parts.query, keep_blank_values=True):
        if name not in _POSTGRES_PARAMETERS:
            raise ValueError(f"must not have other parameters than {', '.join(sorted(_POSTGRES_PARAMETERS))}")
    return text


SourceUrl = Annotated[Line, AfterValidator(_source_url), Form("address or path")]
SiteUrl = Annotated[Line, AfterValidator(_site_url), Form("http(s) address")]
WebUrl = Annotated[Line, AfterValidator(_web), Form("http(s) address")]
UrlTemplate = Annotated[Line, AfterValidator(_template), Form("template of an http(s) address")]
StoreUrl = Annotated[
    Line, AfterValidator(store_address), Form("`sqlite:///PATH` or `postgresql+psycopg://USER@HOST/NAME`")
]
