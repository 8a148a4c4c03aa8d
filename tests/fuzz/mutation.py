"""Hostile documents: real ones, broken by rule; and ones grown from the grammar of a format."""

import json
import random
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from hypothesis import strategies as st

TESTS = Path(__file__).resolve().parents[1]

NASTY = (
    "\x00", "\x0b", "\x1b[31m", "\x85", "\ufeff", "\ufffe", "\uffff", "\U0001ffff", "\u202e", "\u2028", "\ud800",
    "&#0;", "&#xD800;", "&#x1F;", "&#xFFFFFFFF;", "&amp;lt;", "&undefined;", "&", "]]>", "<![CDATA[", "<!--", "--!>",
    "%00", "%zz", "javascript:alert(1)", "java\tscript:alert(1)", "data:text/html,x", "file:///etc/passwd", "//[::1",
    "http://127.0.0.1/", "http://a:99999999/", "../../..", "{{7*7}}", "{% raw %}", "${HOME}", "!!python/object:os",
    "0", "-1", "9" * 400, "1e999", "NaN", "1700000000000", "2026-02-30", "今天 25:61", "3分钟前", "0001-01-01",
    "9999-12-31T23:59:60Z",
    "ª", "İ", "ß", "\u0301" * 9, "界面新闻", "-" * 40, "((((((((", "a" * 3000,
)  # fmt: skip


@lru_cache(maxsize=8)
def seeds(*patterns: str) -> tuple[bytes, ...]:
    """Return the files of the tests that match, as documents to break."""
    found = sorted(path for pattern in patterns for path in TESTS.glob(pattern) if path.is_file())
    assert found, patterns
    return tuple(path.read_bytes()[:20_000] for path in found)


def broken(documents: Sequence[bytes], tokens: Sequence[str]) -> st.SearchStrategy[bytes]:
    """Return a strategy of ``documents`` with a few places cut out, doubled, swapped, overwritten or filled in."""
    pieces = tuple(token.encode("utf-8", "surrogatepass") for token in (*tokens, *NASTY))
    return st.builds(_break, st.sampled_from(documents), st.integers(0, 2**64 - 1), st.just(pieces))


def _break(document: bytes, seed: int, pieces: Sequence[bytes]) -> bytes:
    chance = random.Random(seed)
    data = bytearray(document)
    for _ in range(chance.randint(1, 12)):
        at, end = sorted(chance.randrange(len(data) + 1) for _ in range(2))
        end = min(end, at + chance.choice((1, 8, 200, 4000)))
        match chance.randrange(6):
            case 0:
                del data[at:end]
            case 1:
                data[at:at] = data[at:end] * chance.choice((1, 2, 30))
            case 2:
                data[at:at] = chance.choice(pieces) * chance.choice((1, 1, 2, 50))
            case 3:
                data[at:end] = chance.choice(pieces)
            case 4:
                data[at : at + 1] = bytes((chance.randrange(256),))
            case 5:
                del data[at:]
        del data[60_000:]
    return bytes(data)


texts = st.lists(st.sampled_from(NASTY) | st.text(st.characters(), max_size=20), max_size=4).map("".join)


def elements(names: Sequence[str], attributes: Sequence[str]) -> st.SearchStrategy[str]:
    """Return a strategy of markup over these names: nested, unclosed, misnested, with hostile values."""
    pairs = st.tuples(st.sampled_from(attributes), texts, st.sampled_from("\"'")).map(
        lambda given: f" {given[0]}={given[2]}{given[1]}{given[2]}"
    )
    opened = st.tuples(st.sampled_from(names), st.lists(pairs, max_size=3).map("".join)).map(
        lambda given: f"<{given[0]}{given[1]}>"
    )
    closed = st.sampled_from(names).map(lambda name: f"</{name}>")
    whole = st.tuples(st.sampled_from(names), texts).map(lambda given: f"<{given[0]}>{given[1]}</{given[0]}>")
    return st.lists(opened | closed | whole | texts, max_size=25).map("".join)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(texts, inner, max_size=5),
    max_leaves=15,
)


def objects(keys: Sequence[str]) -> st.SearchStrategy[dict[str, object]]:
    """Return a strategy of JSON objects that have some of ``keys``, with values of any type."""
    return st.dictionaries(st.sampled_from(keys), json_values, max_size=len(keys))


def as_json(value: object) -> bytes:
    """Return a value as JSON; lone surrogates are escapes, as they are in hostile documents."""
    return json.dumps(value).encode()
