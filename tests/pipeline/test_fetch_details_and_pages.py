"""Second requests, further pages, and categories that records bring."""

from dataclasses import replace

import pytest

from feedhub.errors import FetchError, HttpStatusError, ParseError, PollError, UnreachableError
from feedhub.model.document import Request
from feedhub.model.item import Detail, Markup, ParsedFeed, ParsedItem, Person, Rejected
from feedhub.model.report import Outcome
from feedhub.model.source import CategoryMap, Condition, DetailMap, FieldMap, PageMap, Rule, Source
from feedhub.pipeline.fetch import Details, fetch_details
from support.library import day, record
from support.world import Answer, World

LIST = "https://a.example/list"
LISTED = Source(
    name="a",
    url=LIST,
    categories=("news",),
    settings_digest="1",
    detail=DetailMap(url="https://a.example/text?id={id}", path="t"),
)


def detail_world(*sources: Source, rules: tuple[Rule, ...] = ()) -> World:
    return World(sources or (LISTED,), rules=rules)


def text(world: World, item: str, content: str | None, **more: object) -> None:
    body = (content or "").encode()
    world.fetcher.answers[f"https://a.example/text?id={item}"] = Answer(body=body, **more)  # type: ignore[arg-type]


def asked(world: World) -> list[str]:
    """The addresses of all second requests so far."""
    return [request.url for request in world.fetcher.requests if request.url != LIST]


def contents(world: World) -> list[str | None]:
    return [stored.item.content for stored in world.store.newest("all", 9)]


def details_of(world: World, source: Source, records: tuple[ParsedItem, ...]) -> Details:
    assert source.detail
    return fetch_details(source, source.detail, ParsedFeed(title="", items=records), world.fetch_context, day(1))


def test_the_second_request_is_made_for_new_items_only_and_once_for_ever() -> None:
    world = detail_world()
    world.answer("a", record("One", guid="1"))
    text(world, "1", "all of it")
    assert world.poll("a").new == 1
    assert contents(world) == ["all of it"]
    world.answer("a", record("One", guid="1"), record("Two", guid="2"))
    text(world, "2", "more")
    world.poll("a")
    assert asked(world) == ["https://a.example/text?id=1", "https://a.example/text?id=2"]


@pytest.mark.parametrize(
    "error",
    [
        HttpStatusError("429 Too Many Requests", status=429, retry_at=day(2)),
        HttpStatusError("503 Service Unavailable", status=503, retry_at=day(3)),
        HttpStatusError("429 Too Many Requests", status=429),
        UnreachableError("connection refused by a.example"),
    ],
    ids=["429", "503", "429 without a time", "not reachable"],
)
def test_a_host_that_wants_to_be_left_alone_is_not_asked_for_the_rest(error: PollError) -> None:
    elsewhere = "https://b.example/4"
    source = replace(LISTED, detail=DetailMap(path="t"))
    world = detail_world(source)
    answers = world.fetcher.answers
    for number in (1, 2, 3):
        answers[f"https://a.example/{number}"] = Answer(body=b"whole")
    answers["https://a.example/2"] = Answer(error=error)
    answers[elsewhere] = Answer(body=b"whole")
    links = [*(f"https://a.example/{number}" for number in (1, 2, 3)), elsewhere]
    records = tuple(record(link, guid=link, link=link, position=at) for at, link in enumerate(links))
    details = details_of(world, source, records)
    assert [request.url for request in world.fetcher.requests] == [links[0], links[1], elsewhere]
    assert set(details.found) == {0, 3}
    assert details.waiting == {1: str(error), 2: str(error)}


def test_another_failure_costs_its_own_page_only() -> None:
    source = replace(LISTED, detail=DetailMap(path="t"))
    world = detail_world(source)
    links = [f"https://a.example/{number}" for number in (1, 2)]
    world.fetcher.answers[links[0]] = Answer(error=HttpStatusError("404 Not Found", status=404))
    world.fetcher.answers[links[1]] = Answer(body=b"whole")
    records = tuple(record(link, guid=link, link=link, position=at) for at, link in enumerate(links))
    details = details_of(world, source, records)
    assert (set(details.found), set(details.waiting)) == ({1}, {0})


def test_an_item_whose_second_request_fails_waits_and_is_published_whole_at_the_next_poll() -> None:
    world = detail_world()
    world.answer("a", record("One", guid="1"), record("Two", guid="2"), etag='"x"')
    text(world, "1", None, error=HttpStatusError("404 Not Found", status=404))
    text(world, "2", "whole")
    report = world.poll("a")
    assert (report.outcome, report.new) == (Outcome.STORED, 1)
    assert world.titles("all") == ["Two"]
    assert report.warnings == ("1 item waits for the full text: 404 Not Found",)
    text(world, "1", "found")
    report = world.poll("a")
    assert world.fetcher.requests[-2].validators.etag is None
    assert (report.new, report.warnings) == (1, ())
    assert asked(world).count("https://a.example/text?id=2") == 1
    assert set(contents(world)) == {"found", "whole"}


def test_a_document_in_which_items_wait_is_read_again_although_it_says_the_same() -> None:
    world = detail_world()
    feed = ParsedFeed(title="", items=(record("One", guid="1"),), reading="same")
    world.answer("a", feed=feed, body=b"one")
    text(world, "1", None, error=HttpStatusError("404 Not Found", status=404))
    world.poll("a")
    world.answer("a", feed=feed, body=b"other bytes")
    text(world, "1", "found")
    assert world.poll("a").new == 1


def test_a_detail_that_cannot_be_read_waits_too() -> None:
    world = detail_world()
    world.answer("a", record("One", guid="1"), record("Two", guid="2"))
    text(world, "1", "x", parse_error=ParseError("detail: content is empty"))
    text(world, "2", "x", not_modified=True)
    report = world.poll("a")
    assert report.new == 0
    assert report.warnings[0].startswith("2 items wait for the full text: ")


def test_what_a_rule_drops_is_not_asked_for() -> None:
    ads = Rule(name="no ads", when=Condition(kind="title", values=("广告",)), drop=True)
    world = detail_world(rules=(ads,))
    world.answer("a", record("广告", guid="1"))
    assert world.poll("a").dropped == 1
    assert asked(world) == []


def test_an_edited_record_keeps_the_text_of_its_second_request() -> None:
    world = detail_world()
    world.answer("a", record("One", guid="1"))
    text(world, "1", "all of it")
    world.poll("a")
    world.answer("a", record("One, corrected", guid="1"))
    assert world.poll("a").changed == 1
    assert (world.titles("all"), contents(world)) == (["One, corrected"], ["all of it"])


def test_each_source_asks_for_its_own_wording_of_a_shared_item() -> None:
    other = replace(LISTED, name="b", url="https://b.example/list", categories=("tech",))
    world = detail_world(LISTED, other)
    for name, guid in (("a", "1"), ("b", "2")):
        world.answer(name, record("One", guid=guid, link="https://news.example/1"))
        text(world, guid, f"as {name} tells it")
        world.poll(name)
    assert [stored.item.content for stored in world.store.newest("news", 1)] == ["as a tells it"]
    assert [stored.item.content for stored in world.store.newest("tech", 1)] == ["as b tells it"]


def test_what_waits_for_its_own_wording_gives_a_shared_item_nothing_yet() -> None:
    other = replace(LISTED, name="b", url="https://b.example/list", categories=("tech",))
    world = detail_world(LISTED, other)
    for name, guid in (("a", "1"), ("b", "2")):
        world.answer(name, record("One", guid=guid, link="https://news.example/1"))
    text(world, "1", "as a tells it")
    text(world, "2", None, error=HttpStatusError("404 Not Found", status=404))
    world.poll("a")
    world.poll("b")
    (found,) = world.store.explain(["url:news.example/1"])
    assert ("guid:a:1" in found.keys, "guid:b:2" in found.keys) == (True, False)
    assert [seen.source for seen in found.sightings] == ["a"]


def test_without_a_template_the_link_is_asked_and_a_record_without_link_waits() -> None:
    world = detail_world(replace(LISTED, detail=DetailMap(extract="article")))
    world.answer("a", record("One", guid="1", link="https://a.example/1"), record("Two", guid="2"))
    world.fetcher.answers["https://a.example/1"] = Answer(body=b"the article")
    report = world.poll("a")
    assert contents(world) == ["the article"]
    assert report.warnings == ("1 item waits for the full text: detail: the record has no link or field to ask with",)


def test_what_the_second_request_does_not_tell_stays_as_the_list_tells_it() -> None:
    world = detail_world()
    world.answer("a", replace(record("One", guid="1", link="https://a.example/1"), tags=("listed",)))
    told = ParsedItem(position=0, title="One, in full", text_digest="d")
    text(world, "1", "", detail=Detail(item=told, content=Markup(value="text")))
    world.poll("a")
    (stored,) = world.store.newest("all", 9)
    assert (stored.item.title, stored.item.link, stored.item.tags) == (
        "One, in full",
        "https://a.example/1",
        ("listed",),
    )


def test_a_record_that_waits_is_counted_when_it_is_stored() -> None:
    world = detail_world()
    world.answer("a", record("One", guid="1"), record("One", guid="1"))
    text(world, "1", None, error=HttpStatusError("404 Not Found", status=404))
    report = world.poll("a")
    assert (report.new, report.duplicate, world.titles("all")) == (0, 0, [])


def test_bare_ids_get_all_their_fields_from_the_second_request_and_are_not_compared_again() -> None:
    fields = (("title", FieldMap(paths=("title",))),)
    world = detail_world(replace(LISTED, detail=DetailMap(url="https://a.example/text?id={id}", fields=fields)))
    world.answer("a", record("", guid="8863"))
    whole = ParsedItem(
        position=0, title="My app", text_digest="d", link="https://app.example/", authors=(Person(name="x"),)
    )
    text(world, "8863", "", detail=Detail(item=whole, content=Markup(value="text")))
    assert world.poll("a").new == 1
    assert world.titles("all") == ["My app"]
    world.answer("a", record("", guid="8863"), body=b"another body")
    assert (world.poll("a").seen, len(asked(world))) == (1, 1)
    assert world.titles("all") == ["My app"]


# --- pages -------------------------------------------------------------------------------------------------------


def paged(**pages: object) -> Source:
    return Source(name="a", url=LIST, categories=("news",), settings_digest="1", pages=PageMap(**pages))  # type: ignore[arg-type]


def page(world: World, query: str, *titles: str, **more: object) -> None:
    records = tuple(record(title, guid=title, position=number) for number, title in enumerate(titles))
    world.fetcher.answers[LIST + query] = Answer(records=records, **more)  # type: ignore[arg-type]


def test_pages_are_counted_in_a_parameter_up_to_the_maximum() -> None:
    world = World((paged(param="p", start=0, max=2),))
    page(world, "?p=0", "A", "B")
    page(world, "?p=1", "C")
    page(world, "?p=2", "never asked for")
    assert world.poll("a").new == 3
    assert world.titles("all") == ["A", "B", "C"]


def test_an_empty_page_is_the_last() -> None:
    world = World((paged(param="p", max=9),))
    page(world, "?p=1", "A")
    page(world, "?p=2")
    world.poll("a")
    assert len(world.fetcher.requests) == 2


def test_a_cursor_goes_from_page_to_page_until_there_is_none() -> None:
    world = World((paged(param="after", cursor="data.next", max=5),))
    first = ParsedFeed(title="", items=(record("A", guid="1"),), cursor="x y")
    page(world, "", feed=first)
    page(world, "?after=x+y", "B")
    assert world.poll("a").new == 2


def test_a_link_header_names_the_next_page() -> None:
    world = World((paged(link=True, max=5),))
    page(
        world,
        "",
        "A",
        headers=(("Link", '<https://a.example/list?q=2>; rel="next", <https://a.example/l>; rel="last"'),),
    )
    page(world, "?q=2", "B")
    assert world.poll("a").new == 2


def test_what_was_given_for_the_source_is_not_meant_for_where_its_next_page_is() -> None:
    world = World((replace(paged(link=True, max=5), headers=(("X-Key", "k"),)),))
    page(world, "", "A", headers=(("Link", '<https://elsewhere.example/2>; rel="next"'),))
    world.fetcher.answers["https://elsewhere.example/2"] = Answer(error=FetchError("connection reset"))
    world.poll("a")
    first, second = world.fetcher.requests
    assert (first.origin, second.origin) == (LIST, LIST)
    assert second.url == "https://elsewhere.example/2"


def test_a_page_that_fails_costs_itself_and_is_told() -> None:
    world = World((paged(param="p", max=3),))
    page(world, "?p=1", "A")
    page(world, "?p=2", error=FetchError("connection reset"))
    report = world.poll("a")
    assert (report.new, report.warnings) == (1, ("page 2 is missing: connection reset",))


def test_records_of_further_pages_are_not_taken_for_those_of_the_first() -> None:
    world = World((replace(paged(param="p", max=2), detail=DetailMap(url="https://a.example/text?id={id}", path="t")),))
    odd = Rejected(position=1, reason="its date is a riddle", title="Odd", guid="odd")
    first = (record("A", guid="A"), record("B", guid="B", position=2))
    page(world, "?p=1", feed=ParsedFeed(title="", items=first, rejected=(odd,)))
    page(world, "?p=2", feed=ParsedFeed(title="", items=(record("C", guid="C"),), rejected=(odd,)))
    for name in "ABC":
        text(world, name, f"text of {name}")
    report = world.poll("a")
    assert (report.new, report.rejected) == (3, 2)
    assert {stored.item.title: stored.item.content for stored in world.store.newest("all", 9)} == {
        name: f"text of {name}" for name in "ABC"
    }


def test_placeholders_of_the_clock_and_the_page_are_filled_in_everywhere() -> None:
    source = Source(
        name="a",
        url="https://a.example/{page}/list?at={now_ms}",
        method="POST",
        body='{"page": {page}}',
        headers=(("X-At", "{now_s}"),),
        pages=PageMap(max=1),
    )
    world = World((source,))
    at = int(world.now.timestamp())
    world.fetcher.answers[f"https://a.example/1/list?at={at}000"] = Answer(records=(record("A", guid="1"),))
    assert world.poll("a").new == 1
    request: Request = world.fetcher.requests[0]
    assert (request.method, request.body, request.headers) == ("POST", b'{"page": 1}', (("X-At", str(at)),))


# --- categories of records -----------------------------------------------------------------------------------------


MEDIA = Source(
    name="a",
    url=LIST,
    settings_digest="1",
    category_map=CategoryMap(field="author", title="{author}", slug="pinyin-chars"),
)


def by(author: str, guid: str) -> ParsedItem:
    return replace(record(f"T{guid}", guid=guid, published=day(int(guid))), authors=(Person(name=author),))


def test_every_medium_becomes_a_category_with_a_slug_that_stays() -> None:
    world = World((MEDIA,))
    media = [
        "界面新闻",
        "央行网站",
        "21世纪经济报道",
        "IT之家",
        "TechWeb",
        "Techweb",
        "安信国际证券(香港)",
        "21世纪  南财",
    ]
    world.answer("a", *(by(medium, str(number)) for number, medium in enumerate(media, start=1)))
    world.poll("a")
    assert {one.title: one.slug for one in world.store.categories()} == {
        "界面新闻": "jiemianxinwen",
        "央行网站": "yangxingwangzhan",
        "21世纪经济报道": "21shijijingjibaodao",
        "IT之家": "itzhijia",
        "TechWeb": "techweb",
        "Techweb": "techweb-2",
        "安信国际证券(香港)": "anxinguojizhengquanxianggang",
        "21世纪 南财": "21shijinancai",
    }
    assert world.titles("jiemianxinwen") == ["T1"]


def test_a_rule_may_ask_for_the_category_that_a_record_brought() -> None:
    tag = Rule(name="tagged", when=Condition(kind="category", values=("jiemianxinwen",)), tags=("seen",))
    world = World((MEDIA,), rules=(tag,))
    world.answer("a", by("界面新闻", "1"))
    world.poll("a")
    assert world.store.newest("jiemianxinwen", 1)[0].item.tags == ("seen",)


def test_a_record_without_the_field_is_in_all_only() -> None:
    world = World((MEDIA,))
    world.answer("a", record("Nobody", guid="1"))
    world.poll("a")
    assert (world.titles("all"), world.store.categories()) == (["Nobody"], ())
