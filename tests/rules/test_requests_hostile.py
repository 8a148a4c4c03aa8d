"""GUARANTEES 3 and 4: what strangers write into an answer names no file of ours, and takes no credentials along."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from feedhub.model.document import Document
from feedhub.model.item import ParsedFeed, ParsedItem, Person
from feedhub.model.source import DetailMap, PageMap, Source
from feedhub.rules.mapping import filled_request
from feedhub.rules.requests import detail_request, next_request
from support.library import record

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LIST = "https://api.example/list"
SECRET = ("Authorization", "Bearer secret")
REFERER = ("Referer", "https://www.example/")


def linked(link: str, url: str = LIST) -> str | None:
    source = Source(name="s", url=url, pages=PageMap(link=True, max=5))
    document = Document(url=url, body=b"", digest="", headers=(("Link", f'<{link}>; rel="next"'),))
    request = next_request(source, document, ParsedFeed(title="", items=(record(),)), 2, NOW)
    return request.url if request else None


@pytest.mark.parametrize(
    "link",
    ["file:///etc/passwd", "FILE:/etc/passwd", "ftp://a.example/", "javascript:alert(1)", "http://[", "http:///x"],
)
def test_a_link_header_names_a_next_page_on_the_web_or_none(link: str) -> None:
    assert linked(link) is None


def test_a_source_in_a_local_file_names_no_other_file() -> None:
    assert linked("/etc/passwd", "file:///srv/list.json") is None


@pytest.mark.parametrize(
    ("source_url", "template", "link"),
    [
        ("file:///srv/list.json", "{id}", "https://a.example/"),
        ("file:///srv/list.json", "text/{id}.html", "https://a.example/"),
        (LIST, "{id}", "https://a.example/"),
        (LIST, None, "file:///etc/passwd"),
        (LIST, None, "http://["),
    ],
)
def test_a_second_request_goes_to_the_web_or_is_not_made(source_url: str, template: str | None, link: str) -> None:
    source = Source(name="s", url=source_url)
    item = record("One", guid="file:///etc/passwd", link=link)

    assert detail_request(source, DetailMap(url=template, path="t"), item, NOW) is None


@pytest.mark.parametrize(
    ("template", "link", "sent"),
    [
        ("https://text.example/{id}", None, (SECRET, REFERER)),
        ("/text/{id}", None, (SECRET, REFERER)),
        (None, "https://api.example/text/1", (SECRET, REFERER)),
        (None, "https://evil.example/1", (REFERER,)),
        (None, "http://api.example/1", (REFERER,)),
        (None, "https://api.example:8443/1", (REFERER,)),
        ("https://{author}/text/{id}", None, (REFERER,)),
        ("{link}", "https://evil.example/1", (REFERER,)),
    ],
    ids=[
        "to the host that the configuration names",
        "to the source's own",
        "to the source's own, by its link",
        "to a host that the record names",
        "without TLS",
        "to another port",
        "to a host in a template",
        "to a template that is the link",
    ],
)
def test_headers_of_the_second_request_go_only_where_they_were_meant_for(
    template: str | None, link: str | None, sent: tuple[tuple[str, str], ...]
) -> None:
    detail = DetailMap(url=template, path="t", headers=(SECRET, REFERER))
    item = record("One", guid="1", link=link)
    if template and "{author}" in template:
        item = _by(item, "evil.example")

    request = detail_request(Source(name="s", url=LIST), detail, item, NOW)

    assert request is not None
    assert request.headers == sent


@pytest.mark.parametrize(
    ("template", "guid", "url"),
    [
        ("https://api.example/text/{id}", "a/b?c#d", "https://api.example/text/a%2Fb%3Fc%23d"),
        ("https://api.example/text/{id}/full", "1", "https://api.example/text/1/full"),
        ("https://api.example/text/{id}", "/etc/passwd", "https://api.example/text/%2Fetc%2Fpasswd"),
        ("/text/{id}", "/admin", "https://api.example/text/%2Fadmin"),
        ("text/{id}", "1..2", "https://api.example/text/1..2"),
        ("{id}.json", "/admin", "https://api.example/%2Fadmin.json"),
        ("{id}", "//evil.example/x", "https://api.example/%2F%2Fevil.example%2Fx"),
        ("https://api.example/text?of={id}", "../../x&y=1", "https://api.example/text?of=../../x%26y%3D1"),
        ("https://api.example/text/{id}", "../../x", None),
        ("https://api.example/text/{id}", "..", None),
        ("https://api.example/text/{id}", ".", None),
        ("https://api.example/text/{id}", "%2e%2E", None),
        ("https://api.example/text/{id}", "..%2f..%2fx", None),
        ("https://api.example/text/{id}", "a/../../x", None),
        ("https://api.example/text/{id}", "..\\..\\x", None),
        ("https://api.example/text/{id}{author}", ".", None),
        ("https://api.example/text/.{id}", "./x", None),
        ("https://api.example{id}", "/text/1?all=1", "https://api.example/text/1?all=1"),
        ("https://api.example{id}", "/text/../x", None),
        ("{id}", "../../x", None),
        ("{link}", "1", "https://news.example/a/b?c=1"),
        ("{link}?all=1", "1", "https://news.example/a/b?c=1?all=1"),
        ("{id}", "https://news.example/a/b", "https://news.example/a/b"),
    ],
)
def test_a_value_of_a_record_is_one_segment_of_the_path_asked(template: str, guid: str, url: str | None) -> None:
    item = _by(record("One", guid=guid, link="https://news.example/a/b?c=1"), ".")

    request = detail_request(Source(name="s", url=LIST), DetailMap(url=template, path="t"), item, NOW)

    assert (request.url if request else None) == url


def _by(item: ParsedItem, author: str) -> ParsedItem:
    return replace(item, authors=(Person(name=author),))


def test_a_next_page_is_found_behind_other_headers_and_links() -> None:
    headers = (("Date", "today"), ("Link", '<https://a.example/hub>; rel="hub"'), ("link", "</2>; rel=next"))
    document = Document(url="https://a.example/1", body=b"", digest="", headers=headers)
    source = Source(name="a", url="https://a.example/1", kind="json", pages=PageMap(link=True, max=3))
    feed = ParsedFeed(title="", items=(ParsedItem(position=0, title="t", text_digest=""),))
    request = next_request(source, document, feed, 2, datetime(2024, 1, 1, tzinfo=UTC))
    assert request is not None
    assert request.url == "https://a.example/2"


def test_an_address_of_a_value_that_the_record_does_not_have_is_none() -> None:
    assert filled_request("https://a.example/{id}", {"id": " "}) is None
