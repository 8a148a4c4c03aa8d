"""Log lines: one line an event, no secret, no command to the terminal."""

import io
import logging

import pytest

from feedhub.runtime.logs import MASK, Masker, logging_to, one_line, printable

log = logging.getLogger("feedhub.test")


def logged(*, verbose: bool, secrets: tuple[str, ...] = ()) -> str:
    stream, masked = io.StringIO(), Masker()
    masked.hide(secrets)
    with logging_to(stream, verbose=verbose, masked=masked):
        log.debug("a detail of %s", "s3cret/key")
        log.warning("two\nlines \x1b[2J and s3cret%2Fkey")
        log.debug("failed", exc_info=ValueError("s3cret/key"))
    return stream.getvalue()


def test_only_warnings_without_verbose() -> None:
    assert logged(verbose=False) == "WARNING feedhub.test: two\\nlines \\x1b[2J and s3cret%2Fkey\n"


def test_everything_with_verbose_and_no_secret_even_in_tracebacks() -> None:
    text = logged(verbose=True, secrets=("s3cret/key", ""))
    assert text.startswith(f"DEBUG feedhub.test: a detail of {MASK}\n")
    assert "s3cret" not in text
    assert f"ValueError: {MASK}\n" in text


def test_logging_leaves_the_root_logger_as_it_was() -> None:
    root = logging.getLogger()
    before = (list(root.handlers), root.level)
    logged(verbose=True)
    assert (list(root.handlers), root.level) == before


@pytest.mark.parametrize(
    ("secrets", "text", "masked"),
    [
        pytest.param((), "plain", "plain", id="none"),
        pytest.param(("abc", "abcdef"), "abcdef abc", f"{MASK} {MASK}", id="the longer one first"),
        pytest.param(("a b&c",), "a%20b%26c a b&c", f"{MASK} {MASK}", id="inside an address"),
        pytest.param(("x.y",), "xzy", "xzy", id="no pattern"),
    ],
)
def test_secrets_are_hidden(secrets: tuple[str, ...], text: str, masked: str) -> None:
    masker = Masker()
    masker.hide(secrets)
    assert masker(text) == masked


def test_control_characters_are_shown() -> None:
    assert one_line("a\tb\r\n\u2028c") == "a\\tb\\r\\n\\u2028c"
    assert printable("a\tb\n\x07") == "a\tb\n\\x07"
