"""What is asked of a source: the first page of its list, the next ones, and the body and headers of each request."""

from datetime import UTC, datetime

import pytest

from feedhub.model.document import Document, Request, Validators
from feedhub.model.item import ParsedFeed
from feedhub.model.source import DetailMap, PageMap, Source
from feedhub.rules.requests import detail_request, first_request, next_request
from support.library import record

NOW = datetime(2026, 1, 1, 0, 0, 0, 250_000, tzinfo=UTC)
SECONDS = 1_767_225_600
LIST = "https://api.example/list"
VALIDATORS = Validators(etag='"1"', last_modified="Thu, 01 Jan 2026 00:00:00 GMT")


def first(url: str, pages: PageMap | None = None) -> Request:
    return first_request(Source(name="s", url=url, pages=pages), VALIDATORS, NOW)


def following(
    pages: PageMap | None, number: int = 2, *, url: str = LIST, cursor: str | None = None, items: int = 1
) -> Request | None:
    source = Source(name="s", url=url, pages=pages)
    document = Document(url=url, body=b"", digest="", headers=(("Link", '<?p=9>; rel="next"'),))
    feed = ParsedFeed(title="", items=(record(),) * items, cursor=cursor)
    return next_request(source, document, feed, number, NOW)


@pytest.mark.parametrize(
    ("url", "pages", "asked"),
    [
        (LIST, None, LIST),
        (f"{LIST}?t={{now_s}}&ms={{now_ms}}", None, f"{LIST}?t={SECONDS}&ms={SECONDS}250"),
        (f"{LIST}?p={{page}}&c={{cursor}}", None, f"{LIST}?p={{page}}&c={{cursor}}"),
        (f"{LIST}?p={{page}}", PageMap(start=0, max=3), f"{LIST}?p=0"),
        (f"{LIST}?c={{cursor}}", PageMap(cursor="next", max=3), f"{LIST}?c="),
        (f"{LIST}?size=9", PageMap(param="p", start=0, max=3), f"{LIST}?size=9&p=0"),
        (f"{LIST}?p=7&size=", PageMap(param="p", max=3), f"{LIST}?size=&p=1"),
        (LIST, PageMap(param="p", cursor="next", max=3), LIST),
        (LIST, PageMap(link=True, max=3), LIST),
    ],
    ids=[
        "as it is written",
        "the clock",
        "no pages, nothing to fill in",
        "the first page",
        "no cursor yet",
        "a parameter more",
        "a parameter in place of the old one",
        "a cursor's parameter only with a cursor",
        "links need nothing",
    ],
)
def test_the_first_request_is_for_the_first_page(url: str, pages: PageMap | None, asked: str) -> None:
    assert first(url, pages).url == asked


def test_the_first_request_carries_all_that_the_source_is_configured_with() -> None:
    source = Source(
        name="s",
        url=LIST,
        method="POST",
        body='{"from": {page}, "at": {now_s}}',
        headers=(("X-Time", "{now_ms}"), ("X-Page", "{page}")),
        proxy="http://proxy.example:3128",
        timeout=7,
        max_size=1_000,
        user_agent="tester",
        pages=PageMap(start=20, step=20, max=2),
    )
    assert first_request(source, VALIDATORS, NOW) == Request(
        url=LIST,
        origin=LIST,
        validators=VALIDATORS,
        headers=(("X-Time", f"{SECONDS}250"), ("X-Page", "20")),
        proxy="http://proxy.example:3128",
        timeout=7,
        max_size=1_000,
        user_agent="tester",
        method="POST",
        body=b'{"from": 20, "at": %d}' % SECONDS,
    )


@pytest.mark.parametrize(
    ("pages", "number", "url", "asked"),
    [
        (PageMap(param="p", max=3), 2, LIST, f"{LIST}?p=2"),
        (PageMap(param="offset", start=0, step=20, max=3), 3, f"{LIST}?offset=0", f"{LIST}?offset=40"),
        (PageMap(start=0, max=3), 2, f"{LIST}?p={{page}}&t={{now_s}}", f"{LIST}?p=1&t={SECONDS}"),
        (PageMap(link=True, max=3), 2, LIST, f"{LIST}?p=9"),
    ],
    ids=["a parameter", "in steps", "in the address", "a link"],
)
def test_the_next_request_is_for_the_next_page(pages: PageMap, number: int, url: str, asked: str) -> None:
    request = following(pages, number, url=url)
    assert request is not None
    assert (request.url, request.origin, request.validators) == (asked, url, Validators())


def test_a_cursor_goes_into_the_address_escaped_or_into_its_parameter() -> None:
    in_address = following(PageMap(cursor="next", max=3), url=f"{LIST}?c={{cursor}}", cursor="a/b=&c")
    in_parameter = following(PageMap(cursor="next", param="c", max=3), url=f"{LIST}?c=old", cursor="a/b=&c")
    assert in_address is not None
    assert in_parameter is not None
    assert in_address.url == in_parameter.url == f"{LIST}?c=a%2Fb%3D%26c"


@pytest.mark.parametrize(
    ("pages", "number", "items"),
    [
        (None, 2, 1),
        (PageMap(param="p", max=3), 4, 1),
        (PageMap(param="p", max=3), 2, 0),
        (PageMap(cursor="next", max=3), 2, 1),
    ],
    ids=["no pages", "enough pages", "an empty page", "no cursor given"],
)
def test_there_is_no_request_after_the_last_page(pages: PageMap | None, number: int, items: int) -> None:
    assert following(pages, number, items=items) is None


def test_a_last_page_links_to_no_other() -> None:
    document = Document(url=LIST, body=b"", digest="", headers=(("Link", '<?p=1>; rel="prev"'),))
    source = Source(name="s", url=LIST, pages=PageMap(link=True, max=9))
    assert next_request(source, document, ParsedFeed(title="", items=(record(),)), 2, NOW) is None


def test_a_second_request_asks_for_a_page_whatever_the_list_is_asked_with() -> None:
    source = Source(name="s", url=LIST, method="POST", body="{}", timeout=7)
    request = detail_request(source, DetailMap(url="/text/{id}", path="t"), record(guid="a/1"), NOW)
    assert request == Request(url="https://api.example/text/a%2F1", timeout=7)
