"""What of a text is highlighted as the answer to a query."""

import pytest

from feedhub.rules.text import highlighted


@pytest.mark.parametrize(
    ("text", "query", "expected"),
    [
        ("中国银行宣布", "银行", "中国[银行]宣布"),
        ("Chips and chipsets, CHIPS.", "chips", "[Chips] and chipsets, [CHIPS]."),
        ("芯片chips涨价", "chips 涨价", "芯片[chips][涨价]"),
        ("a < b & c", "b", "a < [b] & c"),
        ("nothing", "other", "nothing"),
        ("nothing", "", "nothing"),
        ("nothing", "?!", "nothing"),
        ("", "x", ""),
        ("", "", ""),
        ("new york news", "new york", "[new] [york] news"),
        ("a.b (c)", "a.b", "[a].[b] (c)"),
        ("金融消息", "金融消息 金融", "[金融消息]"),
    ],
)
def test_marked(text: str, query: str, expected: str) -> None:
    pieces = highlighted(text, query)
    assert "".join(piece for piece, _ in pieces) == text
    assert "".join(f"[{piece}]" if is_found else piece for piece, is_found in pieces) == expected
