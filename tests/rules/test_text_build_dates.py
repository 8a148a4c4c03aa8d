import time

import pytest

from feedhub.rules.text import without_build_dates

RSS = (
    "<?xml version='1.0'?><rss version='2.0'><channel><title>T</title><pubDate>{0}</pubDate><link>https://a.example/</link>"
    "<lastBuildDate>{0}</lastBuildDate><item><title>I</title><pubDate>{1}</pubDate></item></channel></rss>"
)
ATOM = (
    "<feed xmlns='http://www.w3.org/2005/Atom'><title>T</title><updated>{0}</updated>"
    "<entry><title>I</title><updated>{1}</updated></entry></feed>"
)


def written(form: str, built: str = "Wed, 29 May 2024 12:00:00 GMT", item: str = "yesterday") -> bytes:
    return form.format(built, item).encode()


@pytest.mark.parametrize("form", [RSS, ATOM])
def test_feeds_of_two_moments_are_the_same_without_their_dates(form: str) -> None:
    assert without_build_dates(written(form)) == without_build_dates(written(form, "just now"))
    assert without_build_dates(written(form)) != written(form)


@pytest.mark.parametrize("form", [RSS, ATOM])
def test_dates_of_records_stay(form: str) -> None:
    assert without_build_dates(written(form)) != without_build_dates(written(form, item="today"))
    assert b"yesterday" in without_build_dates(written(form))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b'{"items": [], "updated": "<updated>1</updated>"}',
        b"<rss><channel><title>T</title><lastBuildDate>1</lastBuildDate></channel></rss>",  # no record
        b"<rss><channel><title>T</title><item/><lastBuildDate>1</lastBuildDate></channel></rss>",
        b"<rss><channel><updated>1</updated>%s<item/></channel></rss>" % (b" " * 70_000),
        b"<rss><channel><title><![CDATA[<updated>1</updated>]]></title><item/></channel></rss>",
        b"<rss><channel><!-- <updated>1</updated> --><item/></channel></rss>",
        b"<rss><channel><updated>&title;</updated><item/></channel></rss>",
        b"<rss><channel><updated><title>T</title></updated><item/></channel></rss>",
        written(RSS).decode().encode("utf-16"),
    ],
)
def test_what_is_not_a_plain_date_before_the_records_stays_as_it_is(body: bytes) -> None:
    assert without_build_dates(body) == body


def test_only_the_text_of_dates_is_taken() -> None:
    body = written(RSS, "never")
    assert without_build_dates(body) == body.replace(b"never", b"")


def test_of_many_dates_the_first_four_are_taken() -> None:
    assert without_build_dates(b"<updated>1</updated>" * 6 + b"<item/>").count(b"1") == 2


@pytest.mark.parametrize("piece", [b"<![CDATA[", b"<!--", b"<updated>", b"<updated>1</updated>", b"<item"])
def test_hostile_heads_take_linear_time(piece: bytes) -> None:
    started = time.process_time()
    without_build_dates(piece * 1_000_000)
    assert time.process_time() - started < 1
