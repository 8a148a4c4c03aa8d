"""Cron expressions in the site's time zone, with the days of the week as cron counts them."""

from datetime import UTC, datetime

import pytest

from feedhub.model.source import Source
from feedhub.runtime.hub import Hub
from support.world import World

NOW = datetime(2024, 5, 1, 8, tzinfo=UTC)  # a Wednesday, 16:00 in Shanghai

CASES = {
    "every day at eight": ("0 8 * * *", datetime(2024, 5, 2, 0, tzinfo=UTC)),
    "every five minutes of trading": ("*/5 9-15 * * 1-5", datetime(2024, 5, 2, 1, tzinfo=UTC)),
    "Monday is 1": ("0 8 * * 1", datetime(2024, 5, 6, 0, tzinfo=UTC)),
    "Sunday is 0": ("0 8 * * 0", datetime(2024, 5, 5, 0, tzinfo=UTC)),
    "Sunday is 7": ("0 8 * * 7", datetime(2024, 5, 5, 0, tzinfo=UTC)),
    "a range up to Sunday": ("0 8 * * 6-7", datetime(2024, 5, 4, 0, tzinfo=UTC)),
    "names": ("0 8 * * sat,sun", datetime(2024, 5, 4, 0, tzinfo=UTC)),
    "a step": ("0 8 * * 1-5/2", datetime(2024, 5, 3, 0, tzinfo=UTC)),
    "a step over all": ("0 8 * * */3", datetime(2024, 5, 4, 0, tzinfo=UTC)),
}


def scheduled(expression: str | None) -> datetime | None:
    source = Source(name="a", url="https://a.example/", schedule=expression)
    return Hub(World((source,)).settings).scheduled(source, NOW)


@pytest.mark.parametrize(("expression", "due"), CASES.values(), ids=CASES)
def test_the_next_time_of_an_expression(expression: str, due: datetime) -> None:
    assert scheduled(expression) == due


def test_a_source_without_expression_has_no_scheduled_time() -> None:
    assert scheduled(None) is None


def test_a_date_that_never_comes_gives_none() -> None:
    assert scheduled("0 0 31 2 *") is None
