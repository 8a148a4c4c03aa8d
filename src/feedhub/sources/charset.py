"""From the bytes of a document to its text (SPEC §8).

The charset comes from the BOM, the source's ``encoding``, a declaration that fits the bytes, then detection.
Declarations are often wrong: servers send a default ``ISO-8859-1``, which decodes any bytes without an error. So
charsets that can fail are tried first: valid UTF-8, and multi-byte charsets that decode strictly, win over single-byte
ones. A document that is mostly valid stays what it is: only its bad bytes are read in another charset.
"""

import codecs
import re
from collections import Counter
from dataclasses import dataclass

from charset_normalizer import from_bytes

from feedhub.rules.text import xml_legal

# WHATWG Encoding Standard: browsers take a label for the superset of the charset that it names.
_SUPERSETS = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "hz": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "big5": "big5hkscs",
    "utf-8-sig": "utf-8",
}
# Labels of the Encoding Standard and of mail programs that Python does not know.
_OTHER_LABELS = {
    "unicode-1-1-utf-8": "utf-8",
    "unicode11utf8": "utf-8",
    "x-utf-8": "utf-8",
    "utf8mb4": "utf-8",
    "visual": "iso8859-8",
    "logical": "iso8859-8",
    "sun_eu_greek": "iso8859-7",
    "csisolatin9": "iso8859-15",
    "koi": "koi8_r",
    "koi8": "koi8_r",
    "koi8-ru": "koi8_u",
    "mac": "mac_roman",
    "csmacintosh": "mac_roman",
    "mac-ukrainian": "mac_cyrillic",
    "mac-ce": "mac_latin2",
    "mac-centraleurroman": "mac_latin2",
    "dos-874": "cp874",
    "csgb2312": "gb18030",
    "gb_2312": "gb18030",
    "gb_2312-80": "gb18030",
    "gb-2312": "gb18030",
    "cn-big5": "big5hkscs",
    "x-big5": "big5hkscs",
    "cseucpkdfmtjapanese": "euc_jp",
    "windows-31j": "cp932",
    "ms-cp932": "cp932",
    "cseuckr": "cp949",
    "csksc56011987": "cp949",
    "ksc_5601": "cp949",
    "ks_c_5601-1989": "cp949",
    "iso-ir-149": "cp949",
}
# `x-cp1251`, `win1251`, `windows-936` are code pages; `iso88595`, `iso-8859-8-i` are parts of ISO 8859.
_PREFIXED = re.compile(r"(?:x-)?(?:windows|win|ms|dos|cp)[-_]?(?:cp)?(\d{3,5})")
_ISO_8859 = re.compile(r"(?:cs)?iso-?8859-?(\d{1,2})-?[ei]?")
_NEVER = frozenset("utf_7 idna punycode unicode_escape raw_unicode_escape undefined mbcs oem charmap".split())
_MULTI_BYTE = frozenset(
    "utf-8 gb18030 big5hkscs cp932 cp949 cp950 euc_jp euc_jis_2004 johab iso2022_jp iso2022_kr".split()
)
_WIDE = frozenset({"utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be", "utf-16", "utf-32"})
_WESTERN = frozenset({"cp1252", "iso8859-15", "cp1254", "mac-roman"})
_DETECTABLE = [
    "cp1252", "cp1250", "cp1251", "koi8_r", "gb18030", "big5", "cp932", "euc_jp", "cp949", "cp1253", "cp1255", "cp1256",
    "tis_620",
]  # fmt: skip
# Letters of languages beside a to z, by charset. Read in another of these, most give letters that no language has all.
_ALPHABETS = tuple(
    (codec, alphabets.split())
    for codec, alphabets in (
        (
            "cp1252",
            "àâæçéèêëîïôœùûüÿ äöüßé áéíñóúüç ãáâàçéêíõôóú àèéìíîòóùú éëïèöüáóíê åäöæøéü áðéíóúýþæö äöõüšž àçèéíïòóúü",
        ),
        ("cp1250", "ąćęłńóśźżé áčďéěíňóřšťúůýž áäčďéíĺľňóôŕšťúýž áéíóöőúüű ăâîşţ čćđšž"),
        ("iso8859-2", "ąćęłńóśźżé áčďéěíňóřšťúůýž áäčďéíĺľňóôŕšťúýž áéíóöőúüű ăâîşţ čćđšž"),
        ("cp1254", "çğıöşüâîûi̇"),
        ("cp1257", "ąčęėįšųūž āčēģīķļņšūž"),
    )
)
_SIGN_IN_WORD = re.compile("[^\\W\\d_][\xa1-\xb6\xb8-\xbf\xd7\xf7\ufffd\x80-\x9f][^\\W\\d_]")
_FEW_LETTERS = 4
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# XML 1.0 appendix F: without a BOM, the first character shows the encoding.
_FIRST_CHARACTER = (
    (re.compile(rb"[<{\[]\0\0\0"), "utf-32-le"),
    (re.compile(rb"\0\0\0[<{\[]"), "utf-32-be"),
    (re.compile(rb"[<{\[]\0[^\0]\0"), "utf-16-le"),
    (re.compile(rb"\0[<{\[]\0[^\0]"), "utf-16-be"),
)
_XML_DECLARATION = re.compile(rb"""\s*<\?xml\s[^>]{0,200}?encoding\s*=\s*["']([\w.:-]{1,40})""")
_META = re.compile(rb"""<meta\s[^>]{0,300}?charset\s*=\s*["']?\s*([\w.:-]{1,40})""", re.IGNORECASE)
_RUNS = re.compile(rb"[\x80-\xff]+")
# Text between tags; no charset has `<`, `>` or a line break as the second byte of a character.
_SEGMENT = re.compile(rb"(?<![^<>\r\n])[^<>\r\n\x80-\xff]*+[\x80-\xff][^<>\r\n]*+")
# Characters of UTF-8 (RFC 3629 §4), or what is none but was meant for one: its beginning, half of a pair, a long NUL.
_UTF_8 = re.compile(
    rb"((?:[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]"
    rb"|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2})+)"
    rb"|(\xed[\xa0-\xbf][\x80-\xbf]|[\xe1-\xef][\x80-\xbf]|[\xf0-\xf4][\x80-\xbf]{1,2}|\xc0[\x80-\xbf])"
)
_TWO_BYTES = re.compile(rb"[\xc2-\xf4][\x80-\xbf](?:[\x80-\xbf]|(?<=[\xc2-\xdf][\x80-\xbf]))")
# Characters beyond U+FFFF as some data bases and Java write them: both halves of UTF-16 as three bytes (CESU-8).
_PAIR = re.compile(rb"\xed[\xa0-\xaf][\x80-\xbf]\xed[\xb0-\xbf][\x80-\xbf]")
_WRONG_GUESS = re.compile("[\u2500-\u259f\uff61-\uff9f\ue000-\uf8ff\u0080-\u009f]")
_SAMPLE = 100_000
_HIGH = bytes(range(0x80, 0x100))
_ENOUGH = 20
"""So many bytes must be there for a charset to be detected."""
_CHANCE = 20
"""Of western bytes, fewer than one in so many is a character of UTF-8 by chance."""
_NO_CHANCE = 4
"""So many characters of UTF-8 are no chance in a part of a document in another charset."""
_MOST_REPAIRED = 100_000
"""Of more bad bytes than this, which cost a second, only hostile documents are made."""
_TOLERATED = 4
"""A multi-byte charset stays believed when there are at least this many good characters for each bad one."""


_ALONE = 1.3
"""Non-ASCII bytes of western text stand alone: runs of them are shorter than this on average."""
_PAIRED = 2
"""Those of text in Latin letters, as of Portuguese, are shorter than this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedText:
    """A document as text, free of characters that XML forbids. ``encoding`` is Python's name of the codec."""

    text: str
    encoding: str
    notes: tuple[str, ...] = ()


def decode(body: bytes, *, override: str | None = None, http_charset: str | None = None) -> DecodedText:
    """Return ``body`` as text. Never fails: bytes that fit nothing become U+FFFD, and a note says so.

    ``override`` is the source's ``encoding``; ``http_charset`` is what the HTTP header declares.
    """
    marked = _by_byte_order(body)
    if marked is not None:
        return _decoded(body[marked[1] :], marked[0], [])
    notes = [f"unknown charset {name!r}" for name in (override, http_charset) if name and _codec(name) is None]
    declared = _declared(body, http_charset, notes)
    chosen = _codec(override) or _believed(body, declared) or _detected(body)
    return _decoded(body, chosen, declared, tuple(notes))


def _by_byte_order(body: bytes) -> tuple[str, int] | None:
    """Return the codec and length of a byte order mark, or the codec that the first character shows."""
    for mark, codec in _BOMS:
        if body.startswith(mark):
            return codec, len(mark)
    for pattern, codec in _FIRST_CHARACTER:
        if pattern.match(body):
            return codec, 0
    return None


def _codec(label: str | None) -> str | None:
    """Return the codec that a charset label means, or None if there is none that may be used for text."""
    name = (label or "").strip().strip("\"'").lower()
    if not name:
        return None
    known = _known_codec(name) or _known_codec(name.removeprefix("x-")) or _known_codec(name.replace("-", ""))
    if known is None and (match := _PREFIXED.fullmatch(name)):
        known = _known_codec(f"cp{match[1]}")
    if known is None and (match := _ISO_8859.fullmatch(name)):
        known = _known_codec(f"iso8859-{match[1]}")
    return _SUPERSETS.get(known, known) if known else None


def _known_codec(name: str) -> str | None:
    try:
        known = codecs.lookup(_OTHER_LABELS.get(name, name)).name
        b"a".decode(known, "replace")
    except (LookupError, ValueError):
        return None
    return None if known.replace("-", "_") in _NEVER else known


def _declared(body: bytes, http_charset: str | None, notes: list[str]) -> list[str]:
    """Return the declared codecs: HTTP first, except for a western one, which is often a server's default."""
    found = _XML_DECLARATION.match(body[:512])
    if found is None and not body[:100].lstrip().startswith(b"<?xml"):
        found = _META.search(body[:4096])
    inside = found[1].decode("ascii") if found else None
    if inside and _codec(inside) is None:
        notes.append(f"unknown charset {inside!r}")
    order = [_codec(http_charset), _codec(inside)]
    if order[0] in _WESTERN:
        order.reverse()
    # The declaration could be read as ASCII, so the document is neither UTF-16 nor UTF-32.
    return [codec for codec in order if codec and not codec.startswith(("utf-16", "utf-32"))]


def _believed(body: bytes, declared: list[str]) -> str | None:
    many = [codec for codec in declared if codec in _MULTI_BYTE and codec != "utf-8"]
    if b"\x1b" in body:
        many = [codec for codec in many if codec.startswith("iso2022")] or many
    elif body.isascii():
        return "utf-8"
    if _fits(body, "utf-8") and not (many and _is_coincidence(body) and _fits(body, many[0])):
        return "utf-8"
    if fitting := [codec for codec in many if _fits(body, codec)]:
        return fitting[0]
    if _is_mostly_utf_8(body, is_declared="utf-8" in declared):
        return "utf-8"
    single = [codec for codec in declared if codec not in _MULTI_BYTE and _fits(body, codec)]
    likely = [codec for codec in many if _mostly_fits(body, codec)]
    likely += [codec for codec in single if not (codec in _WESTERN and _has_long_runs(body))]
    return likely[0] if likely else None


def _fits(body: bytes, codec: str) -> bool:
    try:
        body.decode(codec)
    except UnicodeError:
        return False
    return True


def _is_coincidence(body: bytes) -> bool:
    """Whether valid UTF-8 may be a few GBK characters: those look like two-byte sequences, Chinese like three."""
    return all(character < "\u0800" for character in body.decode("utf-8"))


def _is_mostly_utf_8(body: bytes, *, is_declared: bool) -> bool:
    """Whether a document is UTF-8 with a few bytes of something else in it.

    As UTF-8, GBK gives at most one good character for three bad ones, by chance, and other charsets give fewer. Bytes
    that stand alone are western, and western text gives hardly any: an é, a no-break space and a » are one.
    """
    body = _with_pairs_joined(body)
    text = body.decode("utf-8", "replace")
    bad = text.count("\ufffd")
    good = len(text) - len(text.encode("ascii", "ignore")) - bad
    if good >= bad:
        return True
    if not is_declared or good * _CHANCE < bad:
        return False
    strange = [rest for run in _RUNS.findall(body[:_SAMPLE]) if (rest := _UTF_8.sub(b"", run))]
    return sum(map(len, strange)) <= _ALONE * len(strange)


def _with_pairs_joined(body: bytes) -> bytes:
    def joined(pair: re.Match[bytes]) -> bytes:
        halves = pair[0].decode("utf-8", "surrogatepass")
        return halves.encode("utf-16-le", "surrogatepass").decode("utf-16-le").encode()

    return _PAIR.sub(joined, body)


def _mostly_fits(body: bytes, codec: str) -> bool:
    """Whether only single characters are broken, as where a publisher cuts a summary in the middle of one."""
    text = body.decode(codec, "replace")
    bad = text.count("\ufffd")
    good = len(text) - len(text.encode("ascii", "ignore")) - bad
    return good >= bad * _TOLERATED


def _has_long_runs(body: bytes) -> bool:
    """Whether non-ASCII bytes come in rows, as in Chinese or Russian; in western text they stand alone."""
    runs = _RUNS.findall(body[:_SAMPLE])
    return sum(map(len, runs)) >= 4 * len(runs)


def _detected(body: bytes) -> str:
    runs = _RUNS.findall(body[:_SAMPLE])
    sample = _dense(body)
    length = sum(map(len, runs))
    if length < _PAIRED * len(runs) and (latin := _latin(sample)):
        return latin
    if length < _ALONE * len(runs) and _fits(body, "cp1252"):
        return "cp1252"
    possible = [codec for codec in _DETECTABLE if _reads_as_words(sample, codec)]
    best = from_bytes(sample, cp_isolation=possible, enable_fallback=False).best() if possible else None
    if best is None:
        return "utf-8"
    return _codec(best.encoding) or "utf-8"


def _latin(sample: bytes) -> str | None:
    """Return the charset of text in Latin letters: the first in which all are of one language; None for none."""
    for codec, alphabets in _ALPHABETS:
        text = sample.decode(codec, "replace").lower()
        letters = Counter(letter for letter in text if letter > "\xba" and letter.isalpha())
        is_western = codec == "cp1252" and bool(letters)
        is_enough = is_western or (len(letters) >= _FEW_LETTERS and letters.total() >= _ENOUGH)
        if is_enough and not _SIGN_IN_WORD.search(text) and any(not letters.keys() - set(one) for one in alphabets):
            return codec
    return None


def _reads_as_words(sample: bytes, codec: str) -> bool:
    """Whether ``sample`` is valid and free of what only wrong guesses give: half-width kana, private use, graphics."""
    try:
        text = sample.decode(codec)
    except UnicodeError:
        return False
    return _WRONG_GUESS.search(text) is None


def _dense(body: bytes) -> bytes:
    """Return the lines of ``body`` that are not ASCII: only those say something about its charset."""
    lines = [line for line in body[: 4 * _SAMPLE].splitlines() if not line.isascii()]
    return b"\n".join(lines)[:_SAMPLE]


def _decoded(body: bytes, codec: str, declared: list[str], notes: tuple[str, ...] = ()) -> DecodedText:
    try:
        text = body.decode(codec)
        if codec != "utf-8" and _has_parts_in_utf_8(body, codec):
            text, _ = _mixed(body, codec, declared)
            notes = (*notes, f"parts of it are UTF-8 and not {codec}")
    except UnicodeError:
        body = _with_pairs_joined(body) if codec == "utf-8" else body
        text, other = body.decode(codec, "replace"), ""
        bad = text.count("\ufffd")
        if bad <= _MOST_REPAIRED and codec not in _WIDE:
            text, other = _mixed(body, codec, declared)
        notes = (*notes, f"{bad} byte sequences are not valid {codec}{other and f', some were read as {other}'}")
    return DecodedText(text=xml_legal(text.removeprefix("\ufeff")), encoding=codec, notes=notes)


def _mixed(body: bytes, codec: str, declared: list[str]) -> tuple[str, str]:
    """Return the text of a document whose parts are in two charsets, and the second of them, if it was needed."""
    other = next((known for known in declared if known != codec), None)
    if codec == "utf-8" and other is None:
        other = _charset_of_rest(body)
    pieces: list[str] = []
    at = 0
    used = False
    for match in _SEGMENT.finditer(body):
        part = match[0]
        pieces.append(body[at : match.start()].decode("ascii", "replace"))
        at = match.end()
        if _is_part_in_utf_8(part, codec):
            pieces.append(part.decode())
        elif codec != "utf-8":
            pieces.append(part.decode(codec, "replace"))
        else:
            pieces.append(_repaired(part, other or "cp1252"))
            used = used or pieces[-1].count("\ufffd") < part.decode("utf-8", "replace").count("\ufffd")
    pieces.append(body[at:].decode("ascii", "replace"))
    return "".join(pieces), (other or "cp1252") if used else ""


def _has_parts_in_utf_8(body: bytes, codec: str) -> bool:
    if codec in _WIDE or codec.startswith("iso2022") or _TWO_BYTES.search(body) is None:
        return False
    return any(_is_part_in_utf_8(part, codec) for part in _SEGMENT.findall(body) if _TWO_BYTES.search(part))


def _is_part_in_utf_8(part: bytes, codec: str) -> bool:
    """Whether a part of a document is UTF-8, and its charset could not give the same bytes by chance.

    Of western text, all but é and its neighbours, and signs such as ’, is chance (``CAFÉ…``); of others, a few letters.
    """
    if codec == "utf-8" or not _fits(part, codec):
        return _fits(part, "utf-8")
    if not _fits(part, "utf-8"):
        return False
    letters = [letter for letter in part.decode() if letter > "\x7f"]
    if codec in _WESTERN:
        return all(letter < "\u0100" or letter >= "\u0800" for letter in letters)
    return sum(codec not in _MULTI_BYTE or letter >= "\u0800" for letter in letters) >= _NO_CHANCE


def _charset_of_rest(body: bytes) -> str | None:
    """Return the charset of what is no UTF-8, if that is long enough to tell."""
    parts = [part for part in _SEGMENT.findall(body) if not _fits(part, "utf-8") and not _is_mostly_good(part)]
    rest = b"\n".join(parts)[:_SAMPLE]
    if sum(map(len, _RUNS.findall(rest))) < _ENOUGH:
        return None
    found = _detected(rest)
    return None if found == "utf-8" else found


def _is_mostly_good(part: bytes) -> bool:
    good = sum(len(match[1] or b"") for match in _UTF_8.finditer(part))
    return 2 * good >= sum(map(len, _RUNS.findall(part)))


def _repaired(part: bytes, other: str) -> str:
    """Return text that is not valid UTF-8: in another charset as a whole, or only what is no UTF-8 in it."""
    if other not in _WESTERN and not _is_mostly_good(part) and _fits(part, other):
        return part.decode(other)
    single = "cp1252" if other in _MULTI_BYTE else other
    pieces: list[str] = []
    at = 0
    for match in _UTF_8.finditer(part):
        pieces += [_strange(part[at : match.start()], single, pieces), match[1].decode() if match[1] else "\ufffd"]
        at = match.end()
    return "".join((*pieces, _strange(part[at:], single, pieces)))


def _strange(part: bytes, codec: str, before: list[str]) -> str:
    """Return bytes that are no UTF-8; after a character of an Asian script they are one that was cut off."""
    last = before[-1][-1:] if before else ""
    if part[:1] > b"\x7f" and last >= "\u0800" and not "\u2000" <= last <= "\u206f":
        return f"\ufffd{part.lstrip(_HIGH).decode(codec, 'replace')}"
    return part.decode(codec, "replace")
