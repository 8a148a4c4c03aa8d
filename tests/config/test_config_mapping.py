import json
from collections.abc import Callable
from typing import Any, get_args

import pytest

from feedhub.config.schema_mapping import FieldName, FieldsSection
from feedhub.model.source import CategoryMap, DetailMap, FieldMap, PageMap, RecordMap, Source

Make = Callable[[str], Any]

CHOICE = """
sources:
  - name: choice
    kind: json
    url: "${LISTS:-http://lists.example}/web/webapi?type=45&count=100"
    items: nodeList
    fields:
      id: infocode
      title: [title, simtitle]
      published: {path: showtime, format: "%Y-%m-%d %H:%M:%S"}
      link: {template: "http://host.example/NewsShare.html?infoCode={id}"}
      summary: {path: simdigest, strip: '^【[^】]*】'}
      tags: "tag[*].name"
      author: from
    category: {from: author, title: "{author}", slug: pinyin}
    detail:
      url: "http://host.example/GetNewsText.do?id={id}"
      content: text
      replace: [["　　", ""]]
    where: "extras.ad == `false`"
    error: "errno != `0`"
    method: POST
    body: {type: 45, market: "37"}
    pages: {param: page, start: 1, max: 3}
"""
PAGE = """
sources:
  - name: page
    kind: html
    url: https://example.org/news
    items: ul.news li
    fields: {title: a, link: a@href, published: {css: [time@datetime, .date]}}
    where: :not(.ad)
    error: .captcha
"""


def only(settings: Any) -> Source:
    (source,) = settings.sources
    assert isinstance(source, Source)
    return source


def one(keys: str, kind: str = "json", fields: str = "{title: t}", url: str = "http://e.org/f") -> str:
    mapped = f", fields: {fields}" if fields else ""
    return f"sources:\n  - {{name: a, url: '{url}', kind: {kind}{mapped}{', ' if keys else ''}{keys}}}\n"


def test_every_key_of_a_json_source_arrives(sited: Make) -> None:
    source = only(sited(CHOICE).load())
    assert source.kind == "json"
    assert source.url == "http://lists.example/web/webapi?type=45&count=100"
    assert (source.method, source.body) == ("POST", '{"type":45,"market":"37"}')
    assert source.headers == (("Content-Type", "application/json"),)
    assert source.categories == ()
    assert source.category_map == CategoryMap(field="author", title="{author}", slug="pinyin")
    assert source.pages == PageMap(param="page", start=1, step=1, max=3)
    assert source.detail == DetailMap(
        url="http://host.example/GetNewsText.do?id={id}", path="text", replace=(("　　", ""),)
    )
    assert source.records == RecordMap(
        items="nodeList",
        where="extras.ad == `false`",
        error="errno != `0`",
        fields=(
            ("id", FieldMap(paths=("infocode",))),
            ("title", FieldMap(paths=("title", "simtitle"))),
            ("link", FieldMap(template="http://host.example/NewsShare.html?infoCode={id}")),
            ("summary", FieldMap(paths=("simdigest",), strip="^【[^】]*】")),
            ("published", FieldMap(paths=("showtime",), formats=("%Y-%m-%d %H:%M:%S",))),
            ("author", FieldMap(paths=("from",))),
            ("tags", FieldMap(paths=("tag[*].name",))),
        ),
    )


def test_the_server_of_an_address_may_come_from_the_environment(sited: Make) -> None:
    source = only(sited(CHOICE).load(LISTS="http://127.0.0.1:8099"))
    assert source.url == "http://127.0.0.1:8099/web/webapi?type=45&count=100"


def test_every_key_of_a_page_arrives(sited: Make) -> None:
    source = only(sited(PAGE).load())
    assert source.records == RecordMap(
        items="ul.news li",
        where=":not(.ad)",
        error=".captcha",
        fields=(
            ("title", FieldMap(paths=("a",))),
            ("link", FieldMap(paths=("a@href",))),
            ("published", FieldMap(paths=("time@datetime", ".date"))),
        ),
    )


def test_every_key_of_a_field_arrives(sited: Make) -> None:
    field = "{path: [a, b], template: 'x{a}', match: m, strip: s, limit: 9, base: 'http://b.org', kind: markdown}"
    source = only(
        sited(one("", fields=f"{{content: {field}, published: {{path: u, format: [iso, epoch_ms]}}}}")).load()
    )
    assert source.records is not None
    assert source.records.field("content") == FieldMap(
        paths=("a", "b"), template="x{a}", match="m", strip="s", limit=9, base="http://b.org", kind="markdown"
    )
    assert source.records.field("published") == FieldMap(paths=("u",), formats=("iso", "epoch_ms"))


def test_a_category_may_come_from_every_field() -> None:
    assert tuple(FieldsSection.model_fields) == get_args(FieldName)


def test_a_feed_may_have_a_second_request_a_category_per_value_and_a_signature(sited: Make) -> None:
    keys = "detail: {extract: article, headers: {B: x, A: y}}, category: {from: tags, also: [every]}, sign: my-api"
    source = only(sited(one(keys, kind="feed", fields="")).load())
    assert source.records is None
    assert source.detail == DetailMap(extract="article", headers=(("A", "y"), ("B", "x")))
    assert source.category_map == CategoryMap(field="tags", title="{tags}")
    assert (source.categories, source.sign) == (("every",), "my-api")


@pytest.mark.parametrize(
    ("detail", "expected"),
    [
        ("{css: article}", DetailMap(css="article")),
        ("{url: '{link}?all=1', content: data.text}", DetailMap(url="{link}?all=1", path="data.text")),
        ("{fields: {title: t}}", DetailMap(fields=(("title", FieldMap(paths=("t",))),))),
        ("{content: c, fields: {title: t}}", DetailMap(path="c", fields=(("title", FieldMap(paths=("t",))),))),
    ],
)
def test_a_second_request_in_its_forms(sited: Make, detail: str, expected: DetailMap) -> None:
    assert only(sited(one(f"detail: {detail}")).load()).detail == expected


@pytest.mark.parametrize(
    ("pages", "url", "expected"),
    [
        ("{param: p}", "http://e.org/", PageMap(param="p", max=5)),
        ("{start: 0, step: 20, max: 4}", "http://e.org/{page}.html", PageMap(start=0, step=20, max=4)),
        ("{cursor: data.next, param: c}", "http://e.org/", PageMap(cursor="data.next", param="c", max=5)),
        ("{cursor: data.next}", "http://e.org/?after={cursor}", PageMap(cursor="data.next", max=5)),
        ("{link: true}", "http://e.org/", PageMap(link=True, max=5)),
        ("{link: header, max: 2}", "http://e.org/", PageMap(link=True, max=2)),
        ("{link: false, param: p}", "http://e.org/", PageMap(param="p", max=5)),
    ],
)
def test_paging_in_its_forms(sited: Make, pages: str, url: str, expected: PageMap) -> None:
    assert only(sited(one(f"pages: {pages}", url=url)).load()).pages == expected


def test_a_category_given_as_text_or_list_names_the_categories_of_all_items(sited: Make) -> None:
    settings = sited(
        "sources: [{name: a, url: a, category: Tech}, {name: b, url: b, category: [x, 界面]},"
        " {name: c, url: c, category: {also: y}}]"
    ).load()
    assert [source.categories for source in settings.sources] == [("tech",), ("x", "jiemian"), ("y",)]
    assert [source.category_map for source in settings.sources] == [None] * 3


def test_a_category_beside_a_category_per_value_must_be_usable_too(sited: Make) -> None:
    settings = sited(one("category: {from: author, also: [ok, CON]}", kind="feed", fields="")).load()
    assert only(settings).categories == ("ok",)
    (problem,) = settings.problems
    assert problem.key == "sources[0].category.also[1]"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param("{a: 1, b: -2.5, c: 1e3}", {"a": 1, "b": -2.5, "c": 1000.0}, id="numbers"),
        pytest.param("""{a: "1", b: 'true', c: "null"}""", {"a": "1", "b": "true", "c": "null"}, id="quoted"),
        pytest.param("{a: true, b: false, c: null, d: ~}", {"a": True, "b": False, "c": None, "d": None}, id="words"),
        pytest.param("{a: 012, b: 1.2.3, c: 0x1, d: yes}", {"a": "012", "b": "1.2.3", "c": "0x1", "d": "yes"}, id="no"),
        pytest.param("{a: 1e999}", {"a": "1e999"}, id="infinite"),
        pytest.param("{a: [1, {b: [x, 2]}]}", {"a": [1, {"b": ["x", 2]}]}, id="nested"),
        pytest.param(
            "{a: '${N:-5}', b: '${N:-5}x', c: '${M}'}", {"a": "5", "b": "5x", "c": "7"}, id="quoted references"
        ),
    ],
)
def test_a_body_given_as_a_mapping_becomes_json(sited: Make, body: str, expected: Any) -> None:
    source = only(sited(one(f"method: POST, body: {body}")).load(M="7"))
    assert source.body is not None
    assert json.loads(source.body) == expected
    assert [type(value) for value in json.loads(source.body).values()] == [type(value) for value in expected.values()]


def test_a_plain_reference_in_a_body_is_what_it_looks_like(sited: Make) -> None:
    source = "  - name: a\n    kind: json\n    url: http://e.org\n    fields: {id: i}\n    method: POST\n"
    text = f"sources:\n{source}    body:\n      n: ${{N}}\n"
    assert only(sited(text).load(N="7")).body == '{"n":7}'


def test_a_very_long_number_stays_text(sited: Make) -> None:
    source = only(sited(one(f"method: POST, body: {{a: {'9' * 5000}}}")).load())
    assert source.body == f'{{"a":"{"9" * 5000}"}}'


def test_a_body_given_as_text_is_sent_as_it_is(sited: Make) -> None:
    source = only(sited(one("method: POST, body: 'a=1&b=芯'")).load())
    assert (source.body, source.headers) == ("a=1&b=芯", ())


def test_a_media_type_that_is_given_stays(sited: Make) -> None:
    source = only(sited(one("method: POST, body: {a: 1}, headers: {content-type: application/x-api}")).load())
    assert source.headers == (("content-type", "application/x-api"),)


def test_cookies_become_one_header(sited: Make) -> None:
    source = only(sited(one("cookies: {b: '2 x', a: '1'}, headers: {X: y}")).load())
    assert source.headers == (("X", "y"), ("Cookie", "b=2 x; a=1"))


@pytest.mark.parametrize("key", ["items: x", "fields: {title: t}", "where: x", "error: x", "pages: {param: p}"])
def test_a_feed_has_no_keys_of_a_mapping(sited: Make, key: str) -> None:
    (problem,) = sited(one(key, kind="feed", fields="")).problems()
    name = key.partition(":")[0]
    assert problem.startswith("feedhub.yaml:3:")
    assert problem.endswith(f"sources[0].{name}: belongs to kind: json or html; this source is of kind: feed")


WRONG = [
    ("json", "", "", "fields: is required"),
    ("json", "{}", "", "fields: is required"),
    ("html", "{title: a}", "", "items: is required: the CSS selector"),
    ("json", "{titel: t}", "", 'fields.titel: unknown key; did you mean "title"?'),
    ("json", "{title: {pth: t}}", "", 'fields.title.pth: unknown key; did you mean "path"?'),
    ("json", "{title: {limit: 5}}", "", "fields.title: needs a path or a template"),
    ("json", "{title: []}", "", "fields.title: needs a path or a template"),
    ("json", "{title: ''}", "", "fields.title: must not be empty"),
    ("html", "{title: {path: a, css: b}}", "items: li", "fields.title: path and css exclude each other"),
    ("json", "{title: {css: a}}", "", "fields.title.css: belongs to pages; in a JSON answer write path"),
    ("json", "{title: 'a['}", "", "fields.title: not a JMESPath"),
    ("json", "{title: [a, 'b[']}", "", "fields.title[1]: not a JMESPath"),
    ("json", "{title: {path: [a, 'b[']}}", "", "fields.title.path[1]: not a JMESPath"),
    ("html", "{title: 'a['}", "items: li", "fields.title: not a usable selector"),
    ("html", "{title: {css: 'a['}}", "items: li", "fields.title.css: not a usable selector"),
    ("json", "{title: t}", "items: 'a['", "items: not a JMESPath"),
    ("json", "{title: t}", "where: 'a ='", "where: not a JMESPath"),
    ("json", "{title: t}", "error: 'nope(a)'", "error: not a JMESPath: there is no function nope()"),
    ("html", "{title: a}", "items: 'li['", "items: not a usable selector"),
    ("html", "{title: a}", "items: li, where: ':odd'", "where: not a usable selector"),
    ("json", "{title: {path: t, strip: '(?!x)'}}", "", "fields.title.strip: not a usable pattern"),
    ("json", "{title: {path: t, match: '('}}", "", "fields.title.match: not a usable pattern"),
    ("json", "{title: {template: 'a{b'}}", "", "fields.title.template: a brace that is not closed"),
    ("json", "{title: {path: t, format: iso}}", "", "fields.title.format: only published is a date"),
    ("json", "{link: {path: t, base: b.org}}", "", "fields.link.base: expected an address"),
    ("json", "{published: {path: t, format: [iso, date]}}", "", "fields.published.format[1]: expected iso, epoch, "),
    (
        "json",
        "{published: {path: t, format: '%Y %q'}}",
        "",
        "fields.published.format: is no date pattern: 'q' is a bad",
    ),
    ("json", "{published: {path: t, format: '%m-%d'}}", "", "fields.published.format: must hold the year"),
    ("json", "{title: t}", "method: PUT", "method: expected GET or POST"),
    ("json", "{title: t}", "body: x", "body: is sent with method: POST only"),
    (
        "json",
        "{title: t}",
        "method: POST, body: [1]",
        "body: expected text, or a mapping that becomes JSON, found a list",
    ),
    ("json", "{title: t}", "cookies: {a b: x}", "cookies.a b: expected the name of a cookie"),
    ("json", "{title: t}", "cookies: {a: 'x;y'}", "cookies.a: must be printable ASCII without a semicolon"),
    ("json", "{title: t}", "cookies: {a: x}, headers: {COOKIE: y}", "cookies: and a Cookie header exclude each other"),
    ("json", "{title: t}", "sign: ../x", "sign: expected letters, digits"),
    ("json", "{title: t}", "pages: {}", "pages: needs param, or {page} in the url"),
    ("json", "{title: t}", "pages: {cursor: c}", "pages: needs param, or {cursor} in the url"),
    ("json", "{title: t}", "pages: {cursor: 'c['}", "pages.cursor: not a JMESPath"),
    ("json", "{title: t}", "pages: {cursor: c, param: p, start: 1}", "pages: start and step count pages"),
    ("json", "{title: t}", "pages: {link: true, param: p}", "pages: link needs no param"),
    ("json", "{title: t}", "pages: {link: foot}", 'pages.link: expected true, false or header, found "foot"'),
    ("json", "{title: t}", "pages: {param: p, max: 0}", "pages.max: expected 1 or more"),
    ("html", "{title: t}", "items: li, pages: {cursor: c, param: p}", "pages.cursor: is a path in a JSON answer"),
    ("json", "{title: t}", "detail: {}", "detail: needs content, css, extract or fields"),
    ("json", "{title: t}", "detail: {content: a, css: b}", "detail: content and css exclude each other"),
    ("json", "{title: t}", "detail: {css: b, fields: {title: t}}", "detail: fields are read from a JSON answer, css"),
    ("json", "{title: t}", "detail: {content: 'a['}", "detail.content: not a JMESPath"),
    ("json", "{title: t}", "detail: {css: 'a['}", "detail.css: not a usable selector"),
    ("html", "{title: t}", "items: li, detail: {fields: {title: 'a['}}", "detail.fields.title: not a JMESPath"),
    ("json", "{title: t}", "detail: {extract: all}", "detail.extract: expected article"),
    ("json", "{title: t}", "detail: {css: a, url: 'ftp://x'}", "detail.url: expected an address"),
    ("json", "{title: t}", "detail: {css: a, url: 'http://x/{'}", "detail.url: a brace that is not closed"),
    ("json", "{title: t}", "detail: {css: a, replace: [[a]]}", "detail.replace[0]: expected a pair"),
    ("json", "{title: t}", "detail: {css: a, replace: [['', a]]}", "detail.replace[0]: must not look for nothing"),
    ("json", "{title: t}", "category: {form: title}", 'category.form: unknown key; did you mean "from"?'),
    ("json", "{title: t}", "category: {from: medium}", "category.from: expected id, title"),
    ("json", "{title: t}", "category: {title: x}", "category.from: is required with title and slug"),
    ("json", "{title: t}", "category: {from: author}", "category.from: author is not among the fields"),
    ("json", "{title: t}", "category: {from: title, title: '{medium}'}", "category.title: {medium} is no field"),
    ("json", "{title: t}", "category: {from: title, title: '{title'}", "category.title: a brace"),
    ("json", "{title: t}", "category: {from: title, slug: py}", "category.slug: expected pinyin or pinyin-chars"),
]


@pytest.mark.parametrize(
    ("kind", "fields", "keys", "message"), WRONG, ids=[f"{row[0]} {row[1]} {row[2]}".strip() for row in WRONG]
)
def test_a_mapping_that_cannot_work_is_told_at_its_place(
    sited: Make, kind: str, fields: str, keys: str, message: str
) -> None:
    (problem,) = sited(one(keys, kind=kind, fields=fields)).problems()
    assert problem.startswith("feedhub.yaml:3:")
    assert f": sources[0].{message}" in problem


@pytest.mark.parametrize(
    ("url", "keys", "message"),
    [
        ("http://e.org/{page}", "", "url: holds {page}, but no pages: says what it is"),
        ("http://e.org/{page}", "pages: {link: true}", "url: holds {page}, which pages: does not give"),
        ("http://e.org/{cursor}", "pages: {param: p}", "url: holds {cursor}, which pages: does not give"),
        ("http://e.org/{page}", "pages: {param: p}", "pages: has param and {page} in the url"),
        ("answers.json", "method: POST", "method: needs an address that begins with http"),
        ("answers.json", "cookies: {a: b}", "cookies: needs an address that begins with http"),
    ],
)
def test_address_and_mapping_must_fit(sited: Make, url: str, keys: str, message: str) -> None:
    (problem,) = sited(one(keys, url=url)).problems()
    assert f": sources[0].{message}" in problem


def test_every_path_that_is_wrong_is_told_with_its_own_line(sited: Make) -> None:
    problems = sited(
        """sources:
  - name: a
    kind: json
    url: http://e.org
    items: 'x['
    fields:
      id: 'y['
      title:
        - fine
        - 'z['
      link:
        path: 'u['
    where: 'v['
"""
    ).problems()
    assert [problem.partition(": not a JMESPath")[0] for problem in problems] == [
        "feedhub.yaml:6:12: sources[0].items",
        "feedhub.yaml:8:11: sources[0].fields.id",
        "feedhub.yaml:11:11: sources[0].fields.title[1]",
        "feedhub.yaml:13:15: sources[0].fields.link.path",
        "feedhub.yaml:14:12: sources[0].where",
    ]


@pytest.mark.parametrize(
    ("change", "moves"),
    [
        ("items=list", True),
        ("where=x", True),
        ("error=x", True),
        ("fields.title=other", True),
        ("fields.published.format=iso", True),
        ("detail.content=other", True),
        ("detail.replace=[[a, b]]", True),
        ("pages.max=9", True),
        ("category.slug=pinyin-chars", True),
        ("body={type: 46}", True),
        ("body={type: '45', market: '37'}", True),
        ("sign=mine", True),
        ("detail.headers={Referer: x}", False),
        ("cookies={a: b}", False),
        ("every=9m", False),
    ],
)
def test_the_digest_of_a_source_moves_with_its_mapping(sited: Make, change: str, moves: bool) -> None:
    project = sited(CHOICE)
    before, after = only(project.load()), only(project.load(f"sources.choice.{change}"))
    assert (before.settings_digest != after.settings_digest) == moves


def test_what_comes_from_the_environment_into_mapped_requests_is_secret(sited: Make) -> None:
    keys = (
        "method: POST, body: {k: '${BODY}'}, cookies: {lang: '${COOKIE}', sessionid: written-down},"
        " detail: {css: a, url: 'http://e.org/?t=${QUERY}&i={id}', headers: {X: '${HEADER}', X-Token: written-too}}"
    )
    names = {name: f"value of {name}".replace(" ", "-") for name in ("BODY", "COOKIE", "QUERY", "HEADER")}
    secrets = set(sited(one(keys)).load(**names).secrets)
    assert {
        *names.values(),
        "written-down",
        "written-too",
        f"lang={names['COOKIE']}; sessionid=written-down",
    } <= secrets


def test_a_server_from_the_environment_is_no_secret(sited: Make) -> None:
    assert sited(CHOICE).load(LISTS="http://127.0.0.1:8099").secrets == ()


def test_a_wrong_path_from_the_environment_is_not_shown(sited: Make) -> None:
    (problem,) = sited(one("items: '${ITEMS}'")).problems(ITEMS="hidden-word[")
    assert "hidden-word" not in problem
    assert "sources[0].items: not a JMESPath" in problem


def test_an_unset_variable_in_a_field_is_one_problem(sited: Make) -> None:
    assert sited(one("", fields="{title: '${NOPE}'}")).problems() == [
        "feedhub.yaml:3:66: sources[0].fields.title: the environment variable NOPE is not set"
    ]


def test_another_mistake_of_a_source_hides_no_wrong_path(sited: Make) -> None:
    problems = sited(
        "sources:\n  - {name: a, kind: json, url: http://e.org, evry: 5m, items: 'x[', fields: {id: 'y['}, limit: 0}\n"
    ).problems()
    assert {problem.split(": ")[1] for problem in problems} == {
        "sources[0].evry",
        "sources[0].items",
        "sources[0].fields.id",
        "sources[0].limit",
    }
