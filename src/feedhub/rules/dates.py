"""Reads the dates that publishers write (SPEC §3.2). feedparser reads several of these wrong without a word."""

import math
import re
import unicodedata
from calendar import isleap
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from feedhub.rules.lazy_patterns import lazy_pattern

if TYPE_CHECKING:
    from feedhub.rules.date_words import Translation

# The words of other languages are imported where one is asked for: most dates have none.

_LONGEST = 100
_FIRST_YEAR, _LAST_YEAR = 1000, 2100
# What programs and data bases write for no date: their first day, at midnight.
_NO_DATES = frozenset(
    datetime(*day)  # noqa: DTZ001
    for day in ((1601, 1, 1), (1753, 1, 1), (1899, 12, 30), (1899, 12, 31), (1900, 1, 1), (1904, 1, 1), (1970, 1, 1))
)
_UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_RANGE = (631_152_000, 4_133_980_800)  # 1990-01-01 … 2101-01-01 in seconds
_EPOCH_UNITS = (1, 1_000, 1_000_000, 1_000_000_000)

_MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = (
    r"(?P<name>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"
    r"(?:(?<=jan)uary|(?<=feb)ruary|(?<=mar)ch|(?<=apr)il|(?<=jun)e|(?<=jul)y|(?<=aug)ust|(?<=sep)t(?:ember)?"
    r"|(?<=oct)ober|(?<=nov)ember|(?<=dec)ember)?(?![^\W\d_])\.?"
)
_CLOCK = (
    r"(?P<half1>上午|早上|早晨|凌晨|清晨|中午|下午|晚上|傍晚|午前|午後|오전|오후)?\s*"
    r"(?P<hour>\d{1,2})\s*(?:[:.]|h(?![a-z])|时|時|点|點|시|(?=[ap]\.?m\b))\s*(?P<minute>\d{1,2})?"
    r"(?:\s*[分분])?(?:\s*:?\s*(?P<second>\d{1,2})(?:[.,](?P<fraction>\d{1,12}))?\s*[秒초]?)?"
    r"\s*(?P<half2>[ap]\.?m\b\.?)?"
)
_TAIL = rf"(?:\s*[-–—|·•/@]\s+|[\s,]+(?:at\s+)?|t)?(?:{_CLOCK})?\s*(?P<zone>.*)$"
_WEEKDAY = r"(?:[a-z]{2,9}\.?,?\s+)?"
_CHINESE_WEEKDAY = (
    r"(?:\s*[(\[]?(?:(?:星期|周|週|礼拜|禮拜)[一二三四五六日天]|[月火水木金土日]曜日?|[월화수목금토일]요일"
    r"|(?<=[(\[])[月火水木金土日월화수목금토일])[)\]]?)?"
)
_COMPACT = (
    r"^(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})(?:t?(?P<hour>\d{2})(?P<minute>\d{2})(?P<second>\d{2})?)?"
    r"(?P<zone>(?:z|[+-]\d{2}:?\d{2})?)$"
)
_FORMS = tuple(
    lazy_pattern(form, re.IGNORECASE)
    for form in (
        # RFC 822/2822/850: 05 Jan 2024, 05-Jan-24
        rf"^{_WEEKDAY}(?P<day>\d{{1,2}})(?:st|nd|rd|th)?[\s.-]+(?:of\s+)?{_MONTH}[\s,.-]+(?P<year>\d{{2,4}})(?![\d:h]){_TAIL}",
        # ISO 8601 with date or time in the basic form: 2024-03-10T0800Z, 20240310T08:00:00Z
        (
            r"^(?P<year>\d{4})(?P<sep>-?)(?P<month>\d{2})(?P=sep)(?P<day>\d{2})t(?P<hour>\d{2}):?(?P<minute>\d{2})"
            r"(?::?(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,12}))?)?\s*(?P<zone>(?:z|[+-]\d{2}(?::?\d{2})?)?)$"
        ),
        # RFC 3339, ISO 8601, 2024/1/5, 2024.01.05
        (
            rf"^(?P<year>\d{{4}})(?P<sep>[-/.])\s?(?P<month>\d{{1,2}})(?P=sep)\s?(?P<day>\d{{1,2}})\.?"
            rf"{_CHINESE_WEEKDAY}{_TAIL}"
        ),
        # 2024年1月5日 08:00
        (
            rf"^(?P<year>\d{{4}}|\d{{2}})\s*[年년]\s*(?P<month>\d{{1,2}})\s*[月월]\s*(?P<day>\d{{1,2}})\s*[日号號일]?"
            rf"{_CHINESE_WEEKDAY}{_TAIL}"
        ),
        # asctime and Java: Fri Jan  5 08:00:00 CST 2024
        rf"^{_WEEKDAY}{_MONTH}\s+(?P<day>\d{{1,2}})\s+{_CLOCK}\s*(?P<zone>[a-z0-9:+-]*)\s+(?P<year>\d{{4}})$",
        # January 5, 2024 8:00 PM
        rf"^{_WEEKDAY}{_MONTH}\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?,?\s+(?P<year>\d{{4}}),?{_TAIL}",
        # 2024 Jan 5, 2024-Jan-05
        rf"^(?P<year>\d{{4}})[\s.-]+{_MONTH}[\s.-]+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\b{_TAIL}",
        # 05.01.2024 is written day first wherever dots are used
        rf"^{_WEEKDAY}(?P<day>\d{{1,2}})\.\s?(?P<month>\d{{1,2}})\.\s?(?P<year>\d{{4}}){_TAIL}",
        # compact: 20240105, 20240105T080000Z, 202401050800
        _COMPACT,
        # W3CDTF year and month
        r"^(?P<year>\d{4})-(?P<month>\d{2})$",
    )
)
_YEARLESS = tuple(
    lazy_pattern(rf"^{form}(?:\s*[-–—|·•/]\s+|[\s,]*(?:at\s+)?)(?:{_CLOCK})?$", re.IGNORECASE)
    for form in (
        rf"(?P<month>\d{{1,2}})(?:-|/|\s*[月월]\s*)(?P<day>\d{{1,2}})\s*[日号號일]?{_CHINESE_WEEKDAY}",
        r"(?P<day>\d{1,2})\.\s?(?P<month>\d{1,2})\.",
        rf"{_WEEKDAY}(?P<day>\d{{1,2}})(?:st|nd|rd|th)?[\s.-]+(?:of\s+)?{_MONTH}",
        rf"{_WEEKDAY}{_MONTH}\s*(?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?!\d)",
    )
)
_SLASHED = lazy_pattern(
    rf"^{_WEEKDAY}(?P<first>\d{{1,2}})/(?P<other>\d{{1,2}})/(?P<year>\d{{4}}){_TAIL}", re.IGNORECASE
)
_NAMED_DAY = lazy_pattern(
    rf"^(?P<name>今天|今日|昨天|昨日|前天|today|yesterday)[\s,]*(?:-\s+|at\s+)?(?:{_CLOCK})?$", re.IGNORECASE
)
_DAYS_BACK = {"今天": 0, "今日": 0, "today": 0, "昨天": 1, "昨日": 1, "yesterday": 1, "前天": 2}
_YEAR = lazy_pattern(r"(?:1[89]|20)\d\d")
_IN_A_WEEK = lazy_pattern(r"^[^\d]+\d{1,2}[^\d]{1,2}\d{2}(?:[^\d]\d{2})?[^\d]*$")
_ONLY_CLOCK = lazy_pattern(rf"^(?:{_CLOCK})?$", re.IGNORECASE)
_CLOCK_TIME = lazy_pattern(r"\d\s*[:时時点點]|\d{9}|\d{8}t?\d{4}|t\d{4}", re.IGNORECASE)
_AFTERNOON = frozenset({"下午", "晚上", "傍晚", "中午", "午後", "오후"})

_LABEL = lazy_pattern(
    r"^(?:(?:last )?(?:posted|published|updated|modified|publi[ée]|publicado|veröffentlicht|aktualisiert|stand|date)"
    r"(?: (?:on|am|le|el|em))?|发布时间|发布日期|发布于|发布|发表于|更新时间|更新于|更新|时间|日期|投稿日|公開日"
    r"|更新日|掲載日|작성일|등록일|입력)\s*[:：]?\s*(?=.)",
    re.IGNORECASE,
)
_CLOCK_FIRST = lazy_pattern(
    r"^(?P<clock>\d{1,2}[:.]\d{2}(?::\d{2})?(?:\s*[ap]\.?m\.?)?)(?:\s*(?:uhr|h))?[\s,|·•–-]+(?P<day>.*\d.*)$",
    re.IGNORECASE,
)
_ERA = lazy_pattern(r"^(?P<era>令和|平成|昭和)\s*(?P<year>\d{1,2}|元)\s*年")
_ERAS = {"令和": 2018, "平成": 1988, "昭和": 1925}
# What nearly all feeds write (RFC 822, RFC 3339), read without trying other forms.
_USUAL = lazy_pattern(
    r"(?:[A-Z][a-z]{2}, )?(?P<day>\d\d) (?P<name>[A-Z][a-z]{2}) (?P<year>\d{4}) (?P<time>\d\d:\d\d:\d\d) "
    r"(?:GMT|UTC|Z|(?P<hours>[+-]\d\d)(?P<minutes>[0-5]\d))"
    r"|(?P<rfc3339>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,12})?(?:Z|[+-]\d\d:[0-5]\d))",
    re.ASCII,
)
_MONTH_NUMBERS = {name.title(): f"{number:02}" for number, name in enumerate(_MONTH_NAMES, 1)}
_USUAL_YEARS = (1972, 2099)
_LONGEST_OFFSET = timedelta(hours=14)

_OFFSET = lazy_pattern(
    r"^(?:utc|gmt|ut)?\s*(?P<sign>[+-])(?P<hours>\d{1,2}):?(?P<minutes>\d{2})?[^\d]*$", re.IGNORECASE
)
_ZONE_NAME = lazy_pattern(r"\b[A-Za-z]{2,20}/[A-Za-z_-]{2,20}(?:\+?\d{1,2}\b|(?:/[A-Za-z_]{2,20})?\b)")
# Hours ahead of UTC. Names that several countries use differently (IST, AST…) follow feedparser and RFC 2822.
_NAMED_ZONES = {
    "z": 0.0, "ut": 0.0, "utc": 0.0, "gmt": 0.0, "wet": 0.0, "bst": 1.0, "west": 1.0, "cet": 1.0, "met": 1.0,
    "mez": 1.0, "cest": 2.0, "mest": 2.0, "mesz": 2.0, "eet": 2.0, "sast": 2.0, "eest": 3.0, "msk": 3.0, "msd": 4.0,
    "ist": 5.5, "hkt": 8.0, "sgt": 8.0, "awst": 8.0, "jst": 9.0, "kst": 9.0, "acst": 9.5, "aest": 10.0, "aedt": 11.0,
    "nzst": 12.0, "nzdt": 13.0, "nst": -3.5, "ndt": -2.5, "ast": -4.0, "adt": -3.0, "edt": -4.0, "est": -5.0,
    "et": -5.0, "cdt": -5.0, "cst": -6.0, "ct": -6.0, "mdt": -6.0, "mst": -7.0, "mt": -7.0, "pdt": -7.0, "pst": -8.0,
    "pt": -8.0, "akdt": -8.0, "akst": -9.0, "hst": -10.0, "北京时间": 8.0, "北京": 8.0,
}  # fmt: skip
_CHINESE_ZONES = frozenset(
    {"PRC", "ROC", "Hongkong"}
    | {f"Asia/{city}" for city in ("Shanghai", "Chongqing", "Chungking", "Harbin", "Urumqi", "Kashgar", "Taipei")}
    | {f"Asia/{city}" for city in ("Hong_Kong", "Macau", "Macao")}
)
_CHINA = timezone(timedelta(hours=8))


def parse_date(text: str | float, *, zone: tzinfo, now: datetime | None = None) -> datetime | None:
    """Return the instant that ``text`` names, in UTC, or None if it names none that can be believed.

    A date without a zone is taken in ``zone``; ``CST`` means +08:00 where ``zone`` is in China. Relative forms
    (``3分钟前``, ``yesterday``) and dates without a year are read only when ``now`` is given. Numbers are epoch
    seconds, milliseconds, microseconds or nanoseconds by their size. 1970-01-01 and years outside 1000…2100 stand for
    no date.
    """
    if not isinstance(text, str):
        return _from_number(text)
    if (match := _USUAL.fullmatch(text)) and (found := _from_usual(match)):
        return found
    words = " ".join(unicodedata.normalize("NFKC", text[: _LONGEST + 1]).split())
    if not words or len(words) > _LONGEST:
        return None
    return _read_any(words, zone, now) or next(
        (found for other in _rewritten(words) if (found := _read_any(other, zone, now))), None
    )


def _read_any(words: str, zone: tzinfo, now: datetime | None) -> datetime | None:
    if found := _read(words, zone, now):
        return found
    from feedhub.rules.date_words import translated

    return _read_translated(translated(words), zone, now)


def _rewritten(words: str) -> Iterator[str]:
    """Yield a date without the label in front of it, with its time of day behind it, and in the years of our era."""
    if words != (bare := _LABEL.sub("", words)):
        yield bare
    if match := _CLOCK_FIRST.match(bare):
        yield f"{match['day']} {match['clock']}"
    if match := _ERA.match(bare):
        year = _ERAS[match["era"]] + (1 if match["year"] == "元" else int(match["year"]))
        yield f"{year}年{bare[match.end() :]}"


def is_exact(text: str | float) -> bool:
    """Tell whether a date names an instant, not only a day, and not a span before now."""
    if not isinstance(text, str):
        return True
    words = " ".join(text[:_LONGEST].split())
    if not _CLOCK_TIME.search(words):
        return False
    if _YEAR.search(words):
        return True
    from feedhub.rules.date_words import span_ago, translated

    return span_ago(words) is None and (not _IN_A_WEEK.match(words) or translated(words).weekday is None)


def is_believable(moment: datetime) -> bool:
    """Tell whether an instant can be a date: the first days of data bases and the beginning of 1970 stand for none."""
    utc = moment.astimezone(UTC)
    is_epoch = timedelta(seconds=-1) <= utc - _UNIX_EPOCH < timedelta(days=1)
    return _FIRST_YEAR <= moment.year <= _LAST_YEAR and not is_epoch and utc.replace(tzinfo=None) not in _NO_DATES


def _from_usual(match: re.Match[str]) -> datetime | None:
    """Read a date in a usual form; None where anything else about it is unusual."""
    written = match["rfc3339"]
    if written is None:
        offset = f"{match['hours']}:{match['minutes']}" if match["hours"] else "Z"
        written = f"{match['year']}-{_MONTH_NUMBERS.get(match['name'])}-{match['day']}T{match['time']}{offset}"
    try:
        local = datetime.fromisoformat(written)
    except ValueError:
        return None
    is_usual_year = _USUAL_YEARS[0] <= local.year <= _USUAL_YEARS[1]
    return local.astimezone(UTC) if is_usual_year and abs(local.utcoffset() or timedelta()) <= _LONGEST_OFFSET else None


def _read(words: str, zone: tzinfo, now: datetime | None) -> datetime | None:
    try:
        return (
            _from_digits(words) or _from_form(words, zone) or _from_now(words, zone, now) or _from_english(words, zone)
        )
    except (ValueError, OverflowError):
        return None


def _read_translated(date: "Translation", zone: tzinfo, now: datetime | None) -> datetime | None:
    """Read a date that was written in another language than English."""
    try:
        if date.weekday is not None and now is not None and (match := _ONLY_CLOCK.match(date.text)):
            return _from_weekday(date, _time_of_day(match.groupdict()), zone, now)
        return _from_form(date.text, zone) or _from_now(date.text, zone, now)
    except (ValueError, OverflowError):
        return None


def _from_weekday(date: "Translation", time: timedelta, zone: tzinfo, now: datetime) -> datetime:
    local = now.astimezone(zone).replace(tzinfo=None)
    today = local.replace(hour=0, minute=0, second=0, microsecond=0)
    moment = today - timedelta(days=(today.weekday() - (date.weekday or 0)) % 7) + time
    if date.weeks_back:
        monday = today - timedelta(days=today.weekday() + 7)
        moment = monday + timedelta(days=date.weekday or 0) + time
    elif moment > local:
        moment -= timedelta(days=7)
    return _in_utc(moment, "", zone)


def _from_number(value: float) -> datetime | None:
    if not math.isfinite(value):
        return None
    for unit in _EPOCH_UNITS:
        if _EPOCH_RANGE[0] <= value / unit < _EPOCH_RANGE[1]:
            return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=round(value / unit * 1_000_000))
    return None


def _from_digits(words: str) -> datetime | None:
    if not re.fullmatch(r"\d{9,19}(?:\.\d+)?", words):
        return None
    return _from_number(float(words)) if "." in words else _from_number(int(words))


def _from_form(words: str, zone: tzinfo) -> datetime | None:
    for form in _FORMS:
        if match := form.match(words):
            return _instant(match.groupdict(), zone)
    if match := _SLASHED.match(words):
        fields = match.groupdict()
        first, other = int(fields["first"]), int(fields["other"])
        if first != other and first <= 12 and other <= 12:
            raise ValueError("03/04/2024 is two different days; no date is better than the wrong one")
        fields["day"], fields["month"] = (
            (fields["first"], fields["other"]) if first > 12 else (fields["other"], fields["first"])
        )
        return _instant(fields, zone)
    return None


def _instant(fields: dict[str, str | None], zone: tzinfo) -> datetime:
    day = datetime(_full_year(fields["year"] or ""), _month_of(fields), int(fields.get("day") or 1))  # noqa: DTZ001
    return _in_utc(day + _time_of_day(fields), fields.get("zone") or "", zone)


def _month_of(fields: dict[str, str | None]) -> int:
    name = fields.get("name")
    return _MONTH_NAMES.index(name.lower()) + 1 if name else int(fields["month"] or 0)


def _full_year(digits: str) -> int:
    """Read a year of two digits (RFC 2822 §4.3: below 50 is this century) or three (since 1900)."""
    year = int(digits)
    if len(digits) == 2:
        return year + (2000 if year < 50 else 1900)
    return year + 1900 if len(digits) == 3 else year


def _time_of_day(fields: dict[str, str | None]) -> timedelta:
    hour, minute, second = (int(fields.get(part) or 0) for part in ("hour", "minute", "second"))
    half = (fields.get("half1") or fields.get("half2") or "").lower()
    if hour < 12 and (half.startswith("p") or (half in _AFTERNOON and not (half == "中午" and hour > 2))):
        hour += 12
    elif hour == 12 and (half.startswith("a") or half == "凌晨"):
        hour = 0
    if hour > 24 or minute > 59 or second > 60 or (hour == 24 and (minute or second)):
        raise ValueError("no time of day")
    fraction = int((fields.get("fraction") or "").ljust(6, "0")[:6] or 0)
    return timedelta(hours=hour, minutes=minute, seconds=min(second, 59), microseconds=fraction)


def _in_utc(local: datetime, zone_text: str, zone: tzinfo) -> datetime:
    if not _FIRST_YEAR <= local.year <= _LAST_YEAR or local.date() == _UNIX_EPOCH.date() or local in _NO_DATES:
        raise ValueError("no date that can be believed")
    moment = local.replace(tzinfo=_zone_of(zone_text, zone, local)).astimezone(UTC)
    if not is_believable(moment):
        raise ValueError("no date that can be believed")
    return moment


def _from_now(words: str, zone: tzinfo, now: datetime | None) -> datetime | None:
    if now is None:
        return None
    from feedhub.rules.date_words import is_just_now, span_ago

    if is_just_now(words):
        return now.astimezone(UTC)
    if (span := span_ago(words)) is not None:
        return now.astimezone(UTC) - span
    today = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    if match := _NAMED_DAY.match(words):
        day = today - timedelta(days=_DAYS_BACK[match["name"].lower()])
        return _in_utc(day + _time_of_day(match.groupdict()), "", zone)
    for form in _YEARLESS:
        if match := form.match(words):
            fields = match.groupdict()
            return _in_utc(_latest_day(_month_of(fields), int(match["day"]), today) + _time_of_day(fields), "", zone)
    return None


def _latest_day(month: int, day: int, today: datetime) -> datetime:
    """Return the latest day of that name up to tomorrow, which it may be already where the publisher is.

    Raises:
        ValueError: there is no such day.
    """
    # Among nine years is a leap year.
    years = [year for year in range(today.year, today.year - 9, -1) if (month, day) != (2, 29) or isleap(year)]
    days = (today.replace(year=year, month=month, day=day) for year in years)
    return next(found for found in days if found <= today + timedelta(days=1))


def _from_english(words: str, zone: tzinfo) -> datetime | None:
    """Let dateutil read other words, and believe it where they name day, month and year.

    It fills in what is missing from a default, so two defaults give two answers where something is missing.
    """
    if not re.search(rf"(?<![^\W\d_]){_MONTH}", words, re.IGNORECASE) or not re.search(r"\b\d{4}\b", words):
        return None
    from dateutil import parser as dateutil_parser  # mostly no date is prose, and every start would pay for it

    answers = set()
    for default in (datetime(2001, 2, 3), datetime(2004, 5, 6)):  # noqa: DTZ001

        def named(name: str | None, offset: int | None, local: datetime = default) -> tzinfo:
            return _zone_of(name or "", zone, local) if offset is None else timezone(timedelta(seconds=offset))

        answers.add(dateutil_parser.parse(words, default=default, tzinfos=named))
    if len(answers) != 1:
        return None
    found = answers.pop()
    return _in_utc(found, "", found.tzinfo or zone)


def _zone_of(text: str, default: tzinfo, local: datetime) -> tzinfo:
    """Return the zone that ``text`` names; ``default`` where it names none that is known."""
    words = text.strip(" .,;()[]").lower()
    if match := _OFFSET.match(words):
        minutes = int(match["hours"]) * 60 + int(match["minutes"] or 0)
        if minutes > 14 * 60 or int(match["minutes"] or 0) > 59:
            raise ValueError("no offset that exists")
        return timezone(timedelta(minutes=-minutes if match["sign"] == "-" else minutes))
    if named := _ZONE_NAME.search(text):
        return _zone_called(named[0]) or default
    name = words.partition(" ")[0]
    if name == "cst" and _is_chinese(default, local):
        return _CHINA
    if re.search(r"\d", words):
        raise ValueError("more than a date")
    hours = _NAMED_ZONES.get(name)
    return default if hours is None else timezone(timedelta(hours=hours))


@lru_cache(maxsize=64)
def _zone_called(name: str) -> ZoneInfo | None:
    """Return a zone of the time zone database, as ``America/New_York``."""
    try:
        return ZoneInfo("/".join(part[:1].upper() + part[1:] for part in name.split("/")))
    except (KeyError, ValueError, OSError):
        return None


def _is_chinese(zone: tzinfo, local: datetime) -> bool:
    return getattr(zone, "key", None) in _CHINESE_ZONES or zone.utcoffset(local) == timedelta(hours=8)
