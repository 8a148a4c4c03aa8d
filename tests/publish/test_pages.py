"""Pages: text is text, markup is what was sanitised, and every page says what it is."""

import json
import re
from dataclasses import fields, replace
from datetime import UTC, datetime

import pytest
from lxml import etree, html

from feedhub.errors import PublishError
from feedhub.model.item import Enclosure, Item, Person, StoredItem
from feedhub.model.output import (
    Category,
    CategorySummary,
    CategoryView,
    FrontView,
    ItemView,
    OtherSource,
    OutputSettings,
    OutputView,
    PageItem,
    Part,
    Site,
    SourceLine,
    page_policy,
)
from feedhub.model.source import Health
from feedhub.publish.addresses import SitePaths
from feedhub.publish.html_site import HtmlSite
from feedhub.publish.templating import built_in_templates
from support.output_views import NOON, SITE, rich_view, stored, view

OUTPUT = OutputSettings(dir="/nowhere")
CATEGORIES = (Category(slug="tech", title="科技", description="Chips & more"),)
ENGLISH = replace(SITE, language="en", title="News & more")
EVIL = '"><script>alert(1)</script>{{ 7*7 }}{% raw %}\u202e'


def site_of(site: Site = SITE, **output: object) -> HtmlSite:
    return HtmlSite(site, replace(OUTPUT, **output), CATEGORIES)  # type: ignore[arg-type]


def item_page(item: StoredItem, *, site: Site = SITE, content: str = "full", **page: object) -> str:
    shown = OutputView(
        site=site,
        feed=rich_view().feed,
        items=(item,),
        updated_at=NOON,
        content=content,  # type: ignore[arg-type]
    )
    given = ItemView(view=shown, page=PageItem(item=item, **page))  # type: ignore[arg-type]
    return site_of(site).item(given).body.decode()


def front_page(*items: StoredItem, site: Site = SITE) -> str:
    return site_of(site).front(front_view(items, site)).body.decode()


def front_view(items: tuple[StoredItem, ...], site: Site) -> FrontView:
    summary = CategorySummary(slug="tech", title="科技", items=len(items))
    latest = view(*items, site=site)
    return FrontView(latest=latest, categories=(CategoryView(summary=summary, items=items),), months=())


def every_page(items: tuple[StoredItem, ...], site: Site = SITE, **output: object) -> dict[str, str]:
    """Return a page of every kind that shows these items."""
    made = site_of(site, **output)
    shown = view(*items, site=site)
    line = SourceLine(
        name="wire",
        title=EVIL,
        state=Health.FAILING,
        link="https://w.example/",
        newest_at=NOON,
        slugs=(("tech", EVIL),),
    )
    files = [
        made.list_page(shown, (Part(month="2026-10"), Part(month="2026-10"))),
        made.list_page(replace(shown, part=Part(month="2026-09", number=2), older=Part(month="2026-09")), ()),
        made.sources([line]),
        made.categories(front_view(items, site)),
        made.subscribe([CategorySummary(slug="tech", title=EVIL, items=len(items))]),
        *(file for file in made.fixed() if file.path.endswith(".html")),
    ]
    files.append(made.front(front_view(items, site)))
    for item in items:
        page = PageItem(item=item, slugs=("tech",) * len(item.categories))
        files.append(made.item(ItemView(view=replace(shown, items=(item,)), page=page)))
    return {file.path: file.body.decode() for file in files}


EVERYTHING = every_page(rich_view().items)
NASTY = every_page(
    (
        stored(
            0,
            Item(
                title=EVIL,
                link="https://x.example/?a=1&b=\"'><b>",
                summary="<p>fine</p>",
                authors=(Person(name=EVIL, uri="javascript:alert(1)"),),
                tags=(EVIL,),
                comments="javascript:alert(1)",
                image="javascript:alert(1)",
                enclosures=(Enclosure(url="https://x.example/a.mp3", media_type="audio/mpeg", title=EVIL),),
            ),
            source_title=EVIL,
            source_link="javascript:alert(1)",
            categories=(EVIL,),
        ),
    ),
    replace(ENGLISH, title=EVIL, author=EVIL, description=EVIL),
)


PLACES = ("index.html", "category/all.html", "category/tech.html", "categories.html", "sources.html")


def test_a_page_that_is_filled_in_is_the_one_that_its_template_gives() -> None:
    item = rich_view().items[0]
    media = Item(
        title="Another text",
        link="https://www.youtube.com/watch?v=abcdefghijk",
        content="<p>Of the same shape &amp; <b>other</b> words</p>",
        enclosures=(
            Enclosure(url="https://x.example/a.mp3", media_type="audio/mpeg", title=EVIL, duration=61),
            Enclosure(url="https://x.example/b.mp4", media_type="video/mp4"),
            Enclosure(url="https://x.example/c.pdf"),
        ),
    )
    others = tuple(
        stored(number, replace(media, title=f"{EVIL} {number}", language=language))
        for number, language in enumerate(("en", "ar", None, "en", "ar"), 50)
    )
    items = (*rich_view().items, *others, replace(item, id="urn:uuid:" + "f" * 32))
    # Whoever has a template of their own, gets each page from the template itself.
    own = (("icon.svg", built_in_templates()["icon.svg"]),)
    for site in (SITE, replace(ENGLISH, title=EVIL, author=EVIL, description=EVIL)):
        assert every_page(items, site) == every_page(items, site, templates=own)


@pytest.mark.parametrize("path", EVERYTHING)
def test_every_page_says_what_it_is(path: str) -> None:
    page = html.fromstring(EVERYTHING[path])
    assert page.get("lang") == "zh-CN"
    (policy,) = page.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
    assert policy == page_policy(pictures=False, media=False, frames=False)
    assert page.xpath("//meta[@name='viewport']")
    assert len(page.xpath("//h1")) == 1
    assert page.xpath("//title")[0].text
    assert page.xpath("//meta[@property='og:title']/@content")[0]
    address = page.xpath("//link[@rel='canonical'][@property='og:url']/@href")
    assert len(address) == int(path != "404.html")
    assert all(one.startswith("https://news.example.org/") for one in address)
    assert page.xpath("//link[@rel='alternate']/@type")[0] == "application/atom+xml"
    (button,) = page.xpath("//p[@class='follow']/a/@href")
    assert f'id="{button.rpartition("#")[2]}"' in EVERYTHING["subscribe.html"]
    places = page.xpath("//nav[@class='places']/a/@href")
    # That of an item leads to its categories, and this one has none.
    shown = [place for place in PLACES if not path.startswith("items/") or place != "category/tech.html"]
    assert [place.lstrip("./") for place in places] == shown
    here = "category/tech.html" if path.startswith("category/") else path
    marked = page.xpath("//nav[@class='places']/a[@aria-current='page']/@href")
    assert [place.replace("../", "") for place in marked] == ([here] if here in PLACES else [])


@pytest.mark.parametrize("path", {**EVERYTHING, **NASTY})
def test_no_page_carries_a_script_or_a_style_of_its_own(path: str) -> None:
    for text in filter(None, (EVERYTHING.get(path), NASTY.get(path))):
        page = html.fromstring(text)
        assert page.xpath("//style | //@style | //@*[starts-with(name(), 'on')] | //form | //base") == []
        assert set(page.xpath("//script/@type")) <= {"application/ld+json"}, "which is data"
        assert len(page.xpath("//script")) == len(page.xpath("//script/@type"))
        assert all(not link.lower().startswith("javascript") for link in page.xpath("//@href | //@src"))
        assert page.xpath("count(//*[@id])") == len(set(page.xpath("//@id")))


def test_pages_have_a_search_box_only_where_a_server_answers_it() -> None:
    plain, asking = site_of(), site_of(search=True)
    assert plain.design != asking.design
    category, missing = asking.list_page(rich_view(), ()), asking.fixed()[-1]
    for file, action in ((category, "../search"), (missing, "/search")):
        (form,) = html.fromstring(file.body).xpath("//form")
        assert (form.get("action"), form.get("method"), form.get("role")) == (action, "get", "search")
        assert form.xpath("input/@name") == ["q"]
    without = re.sub(b"<form.*</form>\n", b"", category.body, flags=re.DOTALL)
    assert without == plain.list_page(rich_view(), ()).body


@pytest.mark.parametrize("path", NASTY)
def test_names_and_titles_are_text_and_never_evaluated(path: str) -> None:
    text = NASTY[path]
    assert "49" not in re.sub(r"items/\d+/\d+/\w+|\d+:\d+", "", html.fromstring(text).text_content())
    assert "<script>alert" not in text
    assert "\u202e" not in text
    if path != "404.html":
        assert "{{ 7*7 }}" in html.fromstring(text).text_content()


def test_an_item_shows_its_text_its_source_and_the_way_to_the_original() -> None:
    item = rich_view().items[0]
    report = OtherSource(source="two", title="The Second", link="https://two.example/x")
    nameless = OtherSource(source="three", title="", link="javascript:alert(1)")
    page = html.fromstring(item_page(item, slugs=("tech", "markets"), also=(report, nameless)))
    assert page.xpath("//div[@class='text']//*")
    assert page.xpath("//p[@class='original']/a/@href") == [item.item.link]
    assert page.xpath("//p[@class='byline']/a/bdi/text()") == ["The Wire & Sons"]
    assert page.xpath("//ul[@class='also']//a/@href") == ["https://two.example/x"]
    assert "three" in page.xpath("//ul[@class='also']")[0].text_content()
    assert page.xpath("//ul[@class='labels']//a/@href") == [
        "../../../category/tech.html",
        "../../../category/markets.html",
    ]
    assert page.xpath("//time/@datetime") == ["2026-11-23T12:00:00+08:00"]
    assert "2026年11月23日 12:00" in page.text_content()


@pytest.mark.parametrize(
    ("item", "loaded"),
    [
        (Item(title="T", content="<p>img, &lt;img&gt;</p>"), ""),
        (Item(title="T", content='<p><img src="https://x.example/p.png"></p>'), "pictures"),
        (Item(title="T", image="https://x.example/p.png"), "pictures"),
        (Item(title="T", content='<p><audio src="https://x.example/p.mp3"></audio></p>'), "media"),
        (Item(title="T", content='<video poster="https://x.example/p.png"></video>'), "pictures media"),
        (Item(title="T", enclosures=(Enclosure(url="https://x.example/p.mp3"),)), "pictures media"),
        (Item(title="T", content='<iframe src="https://player.vimeo.com/video/1"></iframe>'), "frames"),
    ],
)
def test_the_page_of_an_item_may_load_what_it_has_and_nothing_else(item: Item, loaded: str) -> None:
    page = html.fromstring(item_page(stored(0, item)))
    facts = {kind: kind in loaded for kind in ("pictures", "media", "frames")}
    assert page.xpath("//meta[@http-equiv]/@content") == [page_policy(**facts)]


def test_pages_by_templates_of_the_owner_may_load_what_any_page_may() -> None:
    for name in ("item.html", "style.css"):
        pages = every_page(rich_view().items, templates=((name, built_in_templates()[name]),))
        policies = {html.fromstring(page).xpath("//meta[@http-equiv]/@content")[0] for page in pages.values()}
        assert (policies == {page_policy()}) is (name == "item.html")


def test_what_an_item_is_about_is_said_once_for_search_engines_and_previews() -> None:
    about = "Of ships, shoes and sealing wax."
    page = item_page(stored(0, Item(title="Said", content=f"<p>{about}</p>")))
    assert html.fromstring(page).xpath("//meta[@name='description']/@content") == [about]
    assert html.fromstring(page).xpath("//meta[@property='og:description']/@content") == [about]
    assert page.partition("</head>")[0].count(about) == 1


def test_the_name_of_the_source_is_not_said_again_as_an_author() -> None:
    people = (Person(name="The Wire & Sons"), Person(name="Ann"))
    page = html.fromstring(item_page(stored(0, Item(title="T", authors=people))))
    assert page.xpath("//span[@class='authors']/bdi/text()") == ["Ann"]


def test_the_picture_of_an_item_is_shown_once() -> None:
    picture = "https://x.example/a.png"
    for content, shown in (("<p>text</p>", 1), (f'<p>text <img src="{picture}" alt="x"></p>', 0)):
        page = html.fromstring(item_page(stored(0, Item(title="T", content=content, image=picture))))
        assert len(page.xpath("//p[@class='picture']")) == shown


@pytest.mark.parametrize(
    ("shown", "times"),
    [
        ("http://www.x.example/a.png", 0),
        ("https://x.example/a-300x200.png?w=300&amp;h=200", 0),
        ("https://x.example/a-scaled.png", 0),
        ("https://x.example/b.png", 1),
        ("https://x.example/picture?id=2", 1),
        ("https://x.example/picture?id=1", 1),
    ],
)
def test_a_picture_that_the_text_shows_in_another_size_is_not_shown_twice(shown: str, times: int) -> None:
    text = f'<p>text <img src="{shown}" alt="x"></p>'
    for where in ("summary", "content"):
        item = Item(title="T", image="https://x.example/a.png", **{where: text})  # type: ignore[arg-type]
        assert len(html.fromstring(item_page(stored(0, item))).xpath("//p[@class='picture']")) == times
    item = Item(title="T", summary=text, image="https://x.example/picture?id=1")
    pictures = html.fromstring(item_page(stored(0, item))).xpath("//p[@class='picture']")
    assert len(pictures) == ("id=1" not in shown)


def played(*files: Enclosure, **facts: object) -> dict[str, list[str]]:
    """Return the addresses that the page of an item plays and lists."""
    item = Item(title="T", enclosures=files, **facts)  # type: ignore[arg-type]
    page = html.fromstring(item_page(stored(0, item)))
    return {
        "audio": page.xpath("//audio/@src"),
        "video": page.xpath("//video/@src"),
        "poster": page.xpath("//video/@poster"),
        "picture": page.xpath("//p[@class='picture']//img/@src"),
        "files": page.xpath("//aside//li/a/@href"),
    }


def test_sound_and_film_are_played_and_other_files_listed() -> None:
    urls = [f"https://x.example/{name}" for name in ("a.mp3", "b.webm", "c.m4a?x=1", "d.mp4", "e.pdf", "f.mp3")]
    kinds = ("audio/mpeg", "video/webm", None, "application/octet-stream", "application/pdf", "text/html")
    files = [Enclosure(url=url, media_type=kind) for url, kind in zip(urls, kinds, strict=True)]
    assert played(*files, image="https://x.example/p.jpg") == {
        "audio": [urls[0], urls[2]],
        "video": [urls[1], urls[3]],
        "poster": ["https://x.example/p.jpg"],
        "picture": [],
        "files": [urls[4], urls[5]],
    }


def test_what_the_text_plays_is_not_played_again() -> None:
    file = Enclosure(url="https://x.example/a.mp3?a=1&b=2", media_type="audio/mpeg")
    text = '<audio src="https://x.example/a.mp3?a=1&amp;b=2" controls="" preload="none"></audio>'
    assert played(file, content=text)["audio"] == [file.url]
    assert played(file, content=text)["files"] == [file.url]


def test_a_player_says_what_it_plays_and_for_how_long() -> None:
    files = [
        Enclosure(url=f"https://x.example/{seconds}.mp3", media_type="audio/mpeg", duration=seconds, title="Tides")
        for seconds in (3723, 62)
    ]
    captions = html.fromstring(item_page(stored(0, Item(title="T", enclosures=tuple(files))))).xpath("//figcaption")
    assert [" ".join(each.text_content().split()) for each in captions] == [
        "Tides 1:02:03 audio/mpeg",
        "Tides 1:02 audio/mpeg",
    ]


@pytest.mark.parametrize(
    "link",
    [
        "https://www.youtube.com/watch?v=abcdefghijk",
        "https://m.youtube.com/watch?app=desktop&v=abcdefghijk&t=3",
        "https://youtu.be/abcdefghijk?si=1",
        "https://www.youtube.com/shorts/abcdefghijk",
    ],
)
def test_a_film_on_a_known_host_is_a_picture_that_leads_there(link: str) -> None:
    for image, shown in ((None, "https://i.ytimg.com/vi/abcdefghijk/hqdefault.jpg"), ("https://x.example/p.jpg",) * 2):
        page = html.fromstring(item_page(stored(0, Item(title="T", link=link, image=image)), site=ENGLISH))
        assert page.xpath("//a[@class='watch']/@href") == [link]
        assert page.xpath("//a[@class='watch']/img/@src") == [shown]
        assert page.xpath("//p[@class='original']")[0].text_content().startswith("Watch at ")


def test_an_article_has_no_film() -> None:
    page = html.fromstring(item_page(stored(0, Item(title="T", link="https://x.example/youtube.com/watch?v=1"))))
    assert page.xpath("//a[@class='watch'] | //p[@class='picture']") == []


def test_addresses_in_a_text_without_links_are_links() -> None:
    def links(content: str) -> list[str]:
        return html.fromstring(item_page(stored(0, Item(title="T", content=content)))).xpath(
            "//div[@class='text']//a/@href"
        )

    assert links(
        '<p>See https://x.example/a?b=1&amp;c=2. <img alt="https://x.example/no" src="https://y.example/"></p>'
    ) == ["https://x.example/a?b=1&c=2"]
    assert links("<p>（见https://x.example/a）或 https://x.example/b&lt;br&gt;</p>") == [
        "https://x.example/a",
        "https://x.example/b",
    ]
    assert links('<p><a href="https://x.example/a">https://x.example/b</a> https://x.example/c</p>') == [
        "https://x.example/a"
    ]
    assert links("<pre>curl https://x.example/</pre>") == []


def test_what_is_wide_scrolls_in_itself_and_is_reached_by_the_keyboard() -> None:
    content = (
        "<table><tr><td><table><tr><td>in</td></tr></table></td></tr></table><p>x</p><table></table><pre>code</pre>"
    )
    text = html.fromstring(item_page(stored(0, Item(title="T", content=content)))).xpath("//div[@class='text']")[0]
    assert text.xpath("div[@class='wide']/@tabindex") == ["0", "0"]
    assert text.xpath("div[@class='wide']/@aria-label") == ["表格", "表格"]
    assert len(text.xpath("div[@class='wide']/table")) == len(text.xpath(".//div[@class='wide']")) == 2
    assert text.xpath("pre/@tabindex") == ["0"]
    assert "<table>open" in item_page(stored(0, Item(title="T", content="<table>open")))


HEBREW, ARABIC = "שלום עולם", "مرحبا بالعالم"


def directions(page: str, path: str) -> list[tuple[str | None, str | None]]:
    """Return language and direction of the elements at a path."""
    return [(each.get("lang"), each.get("dir")) for each in html.fromstring(page).xpath(path)]


def test_an_item_from_right_to_left_says_so_wherever_it_stands() -> None:
    item = stored(0, Item(title=HEBREW, content=f"<p>{HEBREW}</p>", link="https://x.example/"))
    for page in (front_page(item, site=ENGLISH), item_page(item, site=ENGLISH)):
        assert set(directions(page, "//article | //section[@class='category']//li")) == {("he", "rtl")}
        assert set(directions(page, "//time/bdi")) == {("en", "ltr")}
        assert directions(page, "/html") == [("en", None)]


def test_title_and_text_have_a_direction_of_their_own_where_they_differ() -> None:
    item = stored(0, Item(title="An English title", content=f"<p>{ARABIC} {ARABIC} {ARABIC}</p>"))
    page = item_page(item, site=ENGLISH)
    assert directions(page, "//article") == [(None, "rtl")]
    assert directions(page, "//article//h1") == [(None, "ltr")]
    assert directions(page, "//div[@class='text']") == [(None, None)]
    card = site_of(ENGLISH).list_page(view(item, site=ENGLISH), ()).body.decode()
    assert directions(card, "//article/h3 | //article/p[@class='excerpt']") == [(None, "ltr"), (None, None)]


def test_a_site_from_right_to_left_is_laid_out_so_and_what_is_not_says_so() -> None:
    site = replace(ENGLISH, language="he", title=HEBREW)
    items = [stored(0, Item(title=HEBREW, link="https://x.example/")), stored(1, Item(title="It’s English"))]
    page = front_page(*items, site=site)
    assert directions(page, "/html") == [("he", "rtl")]
    assert directions(page, "//section[@class='latest']//article") == [(None, None), ("en", "ltr")]
    assert set(directions(page, "//time/bdi")) == {("en", "ltr")}


def test_names_stand_apart_from_the_direction_around_them() -> None:
    item = stored(0, Item(title="T", authors=(Person(name=ARABIC), Person(name="Ann"))), source_title=HEBREW)
    assert html.fromstring(item_page(item, site=ENGLISH)).xpath("//p[@class='byline']//bdi/text()") == [
        HEBREW,
        ARABIC,
        "Ann",
    ]
    assert html.fromstring(front_page(item, site=ENGLISH)).xpath("//article//bdi/text()") == [HEBREW]


def test_a_page_names_the_feeds_that_show_what_it_shows() -> None:
    item = stored(0, Item(title="T"), categories=("Tech", "Markets"))
    page = html.fromstring(item_page(item, slugs=("tech", "markets")))
    feeds = [path.rpartition("/")[2] for path in page.xpath("//link[@rel='alternate']/@href")]
    assert feeds == ["tech.atom", "markets.atom"]
    feeds = html.fromstring(site_of().list_page(view(item), ()).body).xpath("//link[@rel='alternate']/@href")
    assert [path.rpartition("/")[2] for path in feeds] == ["tech.atom", "tech.rss", "tech.json"]


def test_an_item_leads_to_its_categories_and_one_without_to_everything() -> None:
    filed = stored(0, Item(title="T"), categories=("Tech", "Markets"))
    for item, slugs, place in ((filed, ("tech", "markets"), "tech"), (stored(0, Item(title="T")), (), "all")):
        page = html.fromstring(item_page(item, slugs=slugs))
        places = page.xpath("//nav[@class='places']/a/@href")
        shown = [f"../../../category/{slug}.html" for slug in ("all", *slugs)]
        assert places == ["../../../index.html", *shown, "../../../categories.html", "../../../sources.html"]
        assert page.xpath("//p[@class='follow']/a/@href") == [f"../../../subscribe.html#feed-{place}"]


def test_the_page_for_subscribers_has_every_feed_and_readers_that_take_it_at_a_click() -> None:
    page = html.fromstring(EVERYTHING["subscribe.html"])
    sections = {each.get("id"): each for each in page.xpath("//main/section")}
    assert list(sections) == ["feed-all", "feed-tech", "feed-health"]
    assert [code.text.rpartition("/")[2] for code in sections["feed-tech"].xpath(".//code")] == [
        *("tech.atom", "tech.rss", "tech.json")
    ]
    readers = sections["feed-tech"].xpath(".//p[@class='readers']/a/@href")
    assert len(readers) == 4
    assert all(reader.endswith("https%3A%2F%2Fnews.example.org%2Ffeeds%2Ftech.atom") for reader in readers)


def test_the_page_of_categories_says_what_each_holds() -> None:
    (row,) = html.fromstring(EVERYTHING["categories.html"]).xpath("//li[@class='row']")
    assert (
        " ".join(row.text_content().split())
        == "科技 10 条 Chips & more 最近更新2026年11月23日 订阅源Atom, RSS, JSON Feed"
    )


def test_an_empty_category_is_not_on_the_front_page() -> None:
    assert "category" not in html.fromstring(front_page()).xpath("//section/@class")


def test_a_part_of_an_archive_says_which_it_is_and_leads_to_its_neighbours() -> None:
    part, older, newer = (Part(month="2026-10", number=number) for number in (2, 1, 3))
    page = html.fromstring(
        site_of(ENGLISH).list_page(replace(rich_view(), part=part, older=older, newer=newer), ()).body
    )
    assert page.xpath("//h1/span/text()") == ["October 2026 (2)"]
    links = {rel: page.xpath(f"//nav[@class='pager']/a[@rel='{rel}']/@href") for rel in ("prev", "next")}
    assert links == {
        "prev": ["../../category/tech/2026-10.html"],
        "next": ["../../category/tech/2026-10-3.html"],
    }


def test_a_text_that_begins_with_its_title_is_shown_beside_it() -> None:
    item = stored(0, Item(title="Rates", content="<p>Rates fall today</p>"))
    page = html.fromstring(site_of().list_page(view(item), ()).body)
    assert "Rates fall today" in page.xpath("//article")[0].text_content()


@pytest.mark.parametrize("fact", [each.name for each in fields(Site)])
def test_whatever_is_said_of_the_site_is_a_part_of_the_design(fact: str) -> None:
    other = "UTC" if fact == "timezone" else "other"
    assert site_of(replace(SITE, **{fact: other})).design != site_of().design


def test_how_much_text_a_page_shows_is_what_feeds_show() -> None:
    item = stored(0, Item(title="T", link="https://x.example/", content="<p>All <b>of it</b></p>"))
    assert "<b>of it</b>" in item_page(item)
    assert "All of it" in item_page(item, content="summary")
    assert "<b>of it" not in item_page(item, content="summary")
    assert "of it" not in item_page(item, content="none")


def test_pictures_and_players_get_a_name_and_headings_their_place() -> None:
    content = (
        '<h1>Big</h1><img src="https://x.example/a.png"><img alt="b > c" src="https://x.example/b.png">'
        '<iframe src="https://player.vimeo.com/video/1"></iframe>'
    )
    text = item_page(stored(0, Item(title="T", content=content)))
    assert "<h2>Big</h2>" in text
    assert '<img alt="" src="https://x.example/a.png">' in text
    assert '<img alt="b > c" src="https://x.example/b.png">' in text
    assert '<iframe title="player.vimeo.com" src=' in text


@pytest.mark.parametrize(
    ("language", "title", "declared", "lang"),
    [
        ("en", "云汐央行", None, "zh"),
        ("en", "云汐央行", "zh-TW", "zh-TW"),
        ("en", "ひらがなと漢字", None, "ja"),
        ("en", "한국어", None, "ko"),
        ("en", "English", None, None),
        ("zh-CN", "云汐央行", None, None),
        ("zh-CN", "English", None, "en"),
        ("ja", "漢字", None, None),
        ("zh-CN", "Grüße", None, ""),
        ("de", "Grüße", None, None),
    ],
)
def test_an_item_says_its_language_where_it_is_not_that_of_the_site(
    language: str, title: str, declared: str | None, lang: str | None
) -> None:
    item = stored(0, Item(title=title, link="https://x.example/", language=declared))
    page = html.fromstring(front_page(item, site=replace(SITE, language=language)))
    assert page.xpath("//section[@class='latest']//article/@lang") == ([] if lang is None else [lang])


def test_the_words_are_english_unless_the_site_is_chinese() -> None:
    item = stored(0, Item(title="T", link="https://x.example/"))
    assert "Latest" in front_page(item, site=ENGLISH)
    assert "23 November 2026 12:00" in item_page(item, site=ENGLISH)
    for language in ("zh", "zh-CN", "zh-TW", "ZH"):
        assert "最新" in front_page(item, site=replace(SITE, language=language))


def test_items_are_grouped_by_the_days_of_the_site() -> None:
    evening = datetime(2026, 11, 22, 15, 59, tzinfo=UTC)
    items = [stored(n, Item(title=f"T{n}"), published_at=at) for n, at in enumerate((NOON, evening))]
    page = html.fromstring(site_of().list_page(view(*items), ()).body.decode())
    assert [day.text for day in page.xpath("//section[@class='day']/h2")] == [
        "2026年11月23日 星期一",
        "2026年11月22日 星期日",
    ]


def test_an_item_without_a_title_is_called_by_its_text() -> None:
    item = stored(0, Item(title="", content=f"<p>{'word ' * 40}</p>"))
    assert html.fromstring(item_page(item)).xpath("//h1")[0].text.startswith("word word")
    assert html.fromstring(item_page(item)).xpath("//h1")[0].text.endswith("word…")
    listed = html.fromstring(front_page(item)).xpath("//section[@class='category']//li")
    assert [line.text_content().strip()[:9] for line in listed] == ["word word"]


def test_instants_at_the_edges_of_the_calendar_have_a_page() -> None:
    for at in (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)):
        for zone in ("Asia/Shanghai", "America/New_York"):
            item = stored(0, Item(title="T"), published_at=at, updated_at=at)
            paths = SitePaths(replace(SITE, timezone=zone))
            assert paths.item(item).startswith(f"items/{at.year:04}/")
            item_page(item, site=replace(SITE, timezone=zone))


def test_twins_have_pages_of_their_own() -> None:
    paths, item = SitePaths(SITE), stored(0, Item(title="T"))
    assert paths.item(item) == "items/2026/11/00000000.html"
    assert paths.item(replace(item, is_twin=True)) == "items/2026/11/00000000000050008000000000000000.html"


def test_the_page_for_a_wrong_address_links_from_the_host() -> None:
    files = {
        file.path: file.body.decode() for file in site_of(replace(SITE, url="https://x.example/deep/site")).fixed()
    }
    assert 'href="/deep/site/assets/style.css"' in files["404.html"]
    assert set(files) == {"404.html", "assets/style.css", "assets/feed.css", "assets/icon.svg", "robots.txt"}


def test_an_item_is_described_as_structured_data_and_no_text_ends_it() -> None:
    item = stored(
        0,
        Item(
            title="</script><script>alert(1)</script> & more",
            link="https://x.example/a?b=1&c=2",
            image="https://x.example/p.jpg",
            authors=(Person(name="Ann </script>"),),
        ),
    )
    text = item_page(item, site=ENGLISH)
    (block,) = re.findall(r'<script type="application/ld\+json">(.*?)</script>', text)
    assert "<" not in block
    assert "&" not in block
    assert json.loads(block) == {
        "@context": "https://schema.org",
        "@type": "NewsArticle",
        "headline": "</script><script>alert(1)</script> & more",
        "url": "https://x.example/a?b=1&c=2",
        "datePublished": "2026-11-23T04:00:00+00:00",
        "image": "https://x.example/p.jpg",
        "author": [{"@type": "Person", "name": "Ann </script>"}],
        "publisher": {"@type": "Organization", "name": "The Wire & Sons", "url": "https://wire.example.com/"},
    }


def test_the_sitemap_has_the_lists_and_the_newest_items() -> None:
    items = [stored(n, Item(title="T"), updated_at=NOON) for n in range(2)]
    body = site_of(replace(SITE, url="https://x.example/deep")).sitemap(items, ["tech"]).body
    found = etree.fromstring(body).findall("{*}url")
    assert [(each.findtext("{*}loc"), each.findtext("{*}lastmod")) for each in found] == [
        ("https://x.example/deep/", None),
        ("https://x.example/deep/category/all.html", None),
        ("https://x.example/deep/category/tech.html", None),
        ("https://x.example/deep/items/2026/11/00000000.html", "2026-11-23T04:00:00Z"),
        ("https://x.example/deep/items/2026/11/00000000.html", "2026-11-23T04:00:00Z"),
    ]


def test_robots_are_told_what_to_leave_and_where_the_sitemap_is() -> None:
    files = {file.path: file.body.decode() for file in site_of(replace(SITE, url="https://x.example/deep/")).fixed()}
    lines = files["robots.txt"].splitlines()
    assert "Disallow: /deep/search" in lines
    assert "Sitemap: https://x.example/deep/sitemap.xml" in lines


@pytest.mark.parametrize(
    ("title", "sign"),
    [
        ("The Harbour Reader", "HR"),
        ("金融消息", "金"),
        ("the", "T"),
        ("news", "N"),
        ("News & more", "NM"),
        ("<b> R&D", "R"),
        ("שלום עולם", "ש"),
        ("", ""),
        ("ﬃ x", "FX"),
    ],
)
def test_the_icon_has_the_initials_of_the_site(title: str, sign: str) -> None:
    files = {file.path: file.body for file in site_of(replace(SITE, title=title)).fixed()}
    icon = etree.fromstring(files["assets/icon.svg"])
    assert icon.findtext("{*}text") == sign


def test_a_folder_of_templates_replaces_single_ones() -> None:
    theme = (
        ("404.html", "{% extends 'feedhub/404.html' %}{% block content %}<h1>Lost & found</h1>{% endblock %}"),
        ("style.css", "body { color: red }"),
    )
    made = site_of(templates=theme)
    files = {file.path: file.body.decode() for file in made.fixed()}
    assert "<h1>Lost & found</h1>" in files["404.html"]
    assert files["assets/style.css"] == "body { color: red }"
    assert made.design != site_of().design


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{% if %}", "template 404.html line 1: "),
        ("\n{{ site.title", "template 404.html line 2: "),
        ("{% extends 'nothing.html' %}", "template 404.html"),
        ("{{ site.nothing }}", "template 404.html line 1: "),
        ("{{ site.__class__ }}", "template 404.html"),
        ("{{ 1 / 0 }}", "template 404.html"),
    ],
)
def test_a_template_that_cannot_be_used_says_where(text: str, reason: str) -> None:
    with pytest.raises(PublishError) as caught:
        site_of(templates=(("404.html", text),)).fixed()
    assert str(caught.value).startswith(reason)


def test_no_address_of_the_style_leads_elsewhere() -> None:
    style = next(file for file in site_of().fixed() if file.path.endswith(".css")).body.decode()
    assert "url(" not in style
    assert "@import" not in style
    assert len(style) < 20_000
