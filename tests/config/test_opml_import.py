import time
from pathlib import Path

import pytest
import yaml

from feedhub.config.opml import OpmlImport, Subscription, read_opml, sources_yaml
from feedhub.errors import UsageError
from feedhub.model.output import Category
from feedhub.runtime.plugins import load_settings


def opml(body: str, head: str = "") -> OpmlImport:
    return read_opml(f'{head}<opml version="2.0"><head/><body>{body}</body></opml>'.encode())


def test_folders_and_the_category_attribute_become_categories() -> None:
    found = opml(
        """
        <outline text="News"><outline title="中文">
          <outline type="rss" text="t" title="Solidot" xmlUrl=" https://www.solidot.org/index.rss " category="/a/b,c"/>
        </outline></outline>
        <outline text="alone" xmlUrl="https://example.org/feed"/>
        """
    )
    assert found.subscriptions == (
        Subscription(
            title="Solidot", url="https://www.solidot.org/index.rss", categories=("News", "中文", "a", "b", "c")
        ),
        Subscription(title="alone", url="https://example.org/feed"),
    )
    assert (found.skipped, found.repeats) == ((), ())


def test_of_folders_inside_of_folders_the_innermost_are_kept_and_the_others_said() -> None:
    before = "".join(f'<outline text="f{number}">' for number in range(12))
    found = opml(f'{before}<outline text="a" xmlUrl="http://x.org/f"/>{"</outline>" * 12}')
    assert found.subscriptions[0].categories == tuple(f"f{number}" for number in range(4, 12))
    assert [each.title for each in found.skipped] == ["f0", "f1", "f2", "f3"]
    assert found.skipped[0].reason == "names no category of what lies more than 8 folders below it"


MANY = 5_000


@pytest.mark.parametrize("depth", [0, 240])
def test_a_long_list_takes_seconds_also_with_one_title_and_with_many_folders(depth: int) -> None:
    feeds = "".join(f'<outline text="One title" xmlUrl="http://x{number}.org/f"/>' for number in range(MANY))
    folders = "".join(f'<outline text="Folder {number}">' for number in range(depth))
    began = time.process_time()
    found = opml(f"{folders}{feeds}{'</outline>' * depth}")
    text = sources_yaml(found.subscriptions, ())
    assert time.process_time() - began < 8
    assert text.count("name: ") == MANY
    assert f"name: one-title-{MANY}\n" in text


def test_names_of_attributes_and_folders_are_read_in_any_case_and_order() -> None:
    found = opml(
        '<outline TEXT="F"><outline XMLURL="http://x.org/1" Title="a"/></outline><outline xmlurl="http://x.org/2"/>'
    )
    assert [(each.title, each.categories) for each in found.subscriptions] == [("a", ("F",)), ("", ())]


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("exec:rm -rf /", '"exec:" is not taken, only http and https'),
        ("filter:cat:http://x.org", '"filter:" is not taken, only http and https'),
        ("file:///etc/passwd", '"file:" is not taken, only http and https'),
        ("javascript:alert(1)", '"javascript:" is not taken, only http and https'),
        ("/etc/passwd", "is no web address"),
        ("http://", "is no address that can be read"),
        ("http://[::1", "is no address that can be read"),
        ("http://x.org:99999/", "is no address that can be read"),
        ("http://x.org/a b", "is no address that can be read"),
    ],
)
def test_only_web_feeds_are_taken_and_the_rest_is_said(url: str, reason: str) -> None:
    found = opml(f'<outline text="bad" xmlUrl="{url}"/><outline text="good" xmlUrl="http://x.org/f"/>')
    assert [each.title for each in found.subscriptions] == ["good"]
    assert [(each.title, each.url, each.reason) for each in found.skipped] == [("bad", url, reason)]


@pytest.mark.parametrize("url", ["feed://x.org/f", "feed:http://x.org/f", "feed://http://x.org/f", "FEED://x.org/f"])
def test_feed_addresses_are_web_addresses(url: str) -> None:
    (only,) = opml(f'<outline xmlUrl="{url}"/>').subscriptions
    assert only.url == "http://x.org/f"


def test_a_feed_without_an_address_is_said() -> None:
    assert [each.reason for each in opml('<outline type="rss" text="x"/>').skipped] == ["has no address"]


def test_one_feed_twice_is_a_repeat_however_it_is_written() -> None:
    found = opml(
        '<outline title="A" xmlUrl="http://X.org/f?b=1&amp;a=2"/><outline title="B" xmlUrl="https://x.org/f?a=2&amp;b=1"/>'
        '<outline xmlUrl="http://front.org"/><outline title="D" xmlUrl="http://FRONT.org/"/>'
    )
    assert len(found.subscriptions) == 2
    assert [(each.title, each.reason) for each in found.repeats] == [
        ("B", "the same feed as A"),
        ("D", "the same feed as http://front.org"),
    ]


def test_names_that_cannot_be_files_are_made_so_or_left_out_and_said() -> None:
    found = opml('<outline text="../../etc"><outline xmlUrl="http://x.org/f" category="..,.x,a\\b,☂"/></outline>')
    assert found.subscriptions[0].categories == ("etc", "x", "a b")
    assert [(each.title, each.reason) for each in found.skipped] == [
        ("..", "cannot name a category: it is empty"),
        ("☂", "cannot name a category: it has no letter or digit that can be written in ASCII"),
    ]


def test_folders_with_a_reserved_name_are_declared_with_a_slug_of_their_own(tmp_path: Path) -> None:
    found = opml(
        '<outline text="Health"><outline text="a" xmlUrl="http://x.org/1"/></outline>'
        '<outline text="HEALTH"><outline text="b" xmlUrl="http://x.org/2"/></outline>'
        '<outline text="All"><outline text="c" xmlUrl="http://x.org/3"/></outline>'
    )
    known = Category(slug="all-2", title="Everything else")
    text = sources_yaml(found.subscriptions, (), [known])
    (tmp_path / "f.yaml").write_text(f"site: {{title: T, url: 'http://x.org'}}\n{text}", encoding="utf-8")
    settings = load_settings("f.yaml", (), {}, str(tmp_path))
    assert [source.categories for source in settings.sources] == [("health-2",), ("health-2",), ("all-3",)]
    assert [category.title for category in settings.categories] == ["Health", "All"]
    assert "categories" not in yaml.safe_load(sources_yaml(found.subscriptions[:1], (), settings.categories))


def test_a_sloppy_file_is_read_as_far_as_it_goes() -> None:
    found = read_opml(
        b'<opml><body><outline text="R&D" xmlUrl="http://x.org/1?a=1&b=2"/><outline xmlUrl="http://x.org/2">'
    )
    assert [each.url for each in found.subscriptions] == ["http://x.org/1?a=1&b=2", "http://x.org/2"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "cannot be read as XML"),
        (b"not xml", "the file is no OPML"),
        (b"<rss/>", "its root element is not <opml>"),
        (b"<!-- x -->", "the file is no OPML"),
        (b" " * 20_000_001, "larger than 20 MB"),
    ],
)
def test_what_is_no_opml_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_opml(data)


def test_entities_are_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hunter2")
    for declared in (f'<!ENTITY x SYSTEM "file://{tmp_path}/secret">', '<!ENTITY a "aaa"><!ENTITY x "&a;&a;">'):
        with pytest.raises(UsageError, match="declares entities"):
            opml('<outline text="&x;" xmlUrl="http://x.org/"/>', f"<!DOCTYPE opml [{declared}]>")


def test_an_entity_bomb_ends_at_once() -> None:
    lines = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    with pytest.raises(UsageError):
        opml('<outline text="&a11;" xmlUrl="http://x.org/"/>', f'<!DOCTYPE opml [<!ENTITY a0 "aaaaaaaaaa">{lines}]>')


def test_a_plain_doctype_is_harmless() -> None:
    assert opml('<outline xmlUrl="http://x.org/f"/>', "<!DOCTYPE opml>").subscriptions


def test_deep_folders_are_read() -> None:
    found = opml('<outline text="f">' * 200 + '<outline xmlUrl="http://x.org/f"/>' + "</outline>" * 200)
    assert found.subscriptions[0].categories == ("f",)


def test_written_sources_load_with_names_of_their_own_and_text_quoted_right(tmp_path: Path) -> None:
    subscriptions = [
        Subscription(title="Hacker News", url="https://a.org/f", categories=("no",)),
        Subscription(title="Hacker–News! ${}", url="https://b.org/${X}?q=#1", categories=("科技", "12:30")),
        Subscription(title="少数派", url="https://c.org/f"),
        Subscription(title="Новости", url="https://news.d.org/f", categories=("a: b # c",)),
        Subscription(title="", url="https://пример.рф/f"),
    ]
    text = sources_yaml(subscriptions, {"hacker-news"})
    assert "科技" in text
    (tmp_path / "f.yaml").write_text(f"site: {{title: T, url: 'http://x.org'}}\n{text}", encoding="utf-8")
    settings = load_settings("f.yaml", (), {}, str(tmp_path))
    assert [source.name for source in settings.sources] == [
        "hacker-news-2",
        "hacker-news-3",
        "shaoshupai",
        "novosti",
        "primer-rf",
    ]
    assert [source.title for source in settings.sources] == [each.title for each in subscriptions]
    assert [source.url for source in settings.sources] == [each.url for each in subscriptions]
    assert [category.title for category in settings.categories] == ["no", "科技", "12:30", "a: b # c"]
    assert settings.problems == ()


def test_a_title_that_is_the_name_is_not_repeated_and_others_may_be_left_out() -> None:
    found = [
        Subscription(title="lwn", url="https://lwn.example/f"),
        Subscription(title="LWN.net", url="https://b.example/f"),
    ]
    assert [entry.get("title") for entry in yaml.safe_load(sources_yaml(found, ()))["sources"]] == [None, "LWN.net"]
    assert "LWN.net" not in sources_yaml(found, (), with_titles=False)


def test_nothing_subscribed_is_an_empty_list() -> None:
    assert yaml.safe_load(sources_yaml([], ())) == {"sources": []}
