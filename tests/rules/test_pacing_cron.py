import pytest

from feedhub.rules.pacing import parse_cron


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("*/5 9-15 * * 1-5", "*/5 9-15 * * mon,tue,wed,thu,fri"),
        ("0 0 1 JAN,jul mon", "0 0 1 1,7 mon"),
        ("0  0 * * 0", "0 0 * * sun"),
        ("0 0 * * 7", "0 0 * * sun"),
        ("0 0 * * sat-sun", "0 0 * * sat,sun"),
        ("0 0 * * 5-7", "0 0 * * fri,sat,sun"),
        ("0 0 * * */2", "0 0 * * tue,thu,sat,sun"),
        ("0 0 * * 4/1", "0 0 * * thu,fri,sat"),
        ("0 0 * * 0-7", "0 0 * * mon,tue,wed,thu,fri,sat,sun"),
        ("1,2,10-20/5 5/6 * 2-4 *", "1,2,10-20/5 5/6 * 2,3,4 *"),
    ],
)
def test_days_become_names_that_mean_the_same_to_every_scheduler(text: str, expected: str) -> None:
    assert parse_cron(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("* * * *", "expected five fields"),
        ("@daily", "expected five fields"),
        ("60 * * * *", "expected 0-59 as minute"),
        ("* 24 * * *", "expected 0-23 as hour"),
        ("* * 0 * *", "expected 1-31 as day of month"),
        ("* * * foo *", "expected 1-12 or jan-dec as month"),
        ("* * * * 8", "expected 0-7 or sun-sat as day of week"),
        ("*/90 * * * *", "expected a step within the range as minute"),
        ("*/0 * * * *", "expected a step within the range as minute"),
        ("5-1 * * * *", "expected a range that goes upwards as minute"),
        ("? * * * *", "expected numbers, ranges, lists or steps as minute"),
        ("1,,2 * * * *", "expected numbers, ranges, lists or steps as minute"),
        ("² * * * *", "expected 0-59 as minute"),
    ],
)
def test_a_field_that_makes_no_sense_is_named(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_cron(text)
