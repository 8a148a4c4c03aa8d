import dataclasses
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from feedhub.errors import ConfigError
from feedhub.model.identity import KeyPattern
from feedhub.model.output import Category, Retention
from feedhub.model.source import Condition, HostGroup, Replacement, Source
from feedhub.model.story import StoryChoice, StorySettings
from feedhub.rules.patterns import Times, read_times
from feedhub.rules.select import output_feed
from feedhub.runtime.plugins import load_settings

Make = Callable[[str], Any]

WAY_OUT = "declare it under `categories:` with a slug and this title"


def source(settings: Any, name: str) -> Source:
    return next(each for each in settings.sources if each.name == name)


def test_a_source_may_say_when_its_silence_matters(sited: Make) -> None:
    sources = (
        "[{name: a, url: x, stale_after: 12d}, {name: b, url: y, stale_after: never}, "
        "{name: c, url: z}, {name: d, url: w, stale_after: 90}]"
    )
    settings = sited(f"sources: {sources}").load()
    assert [each.stale_after for each in settings.sources] == [12 * 86_400, math.inf, None, 90]


def test_archives_are_in_the_first_of_the_formats_unless_they_are_named(sited: Make) -> None:
    assert sited("").load().output.archived_in == ("atom",)
    assert sited("output: {formats: [json, atom]}").load().output.archived_in == ("json",)
    assert sited("output: {archive_formats: [json, rss, json]}").load().output.archived_in == ("json", "rss")


def test_groups_of_hosts_take_what_they_do_not_say_from_per_host(sited: Make) -> None:
    plain = sited("poll: {per_host: {groups: [{hosts: '*.Tumblr.com'}]}}").load().poll
    assert plain.host_groups == (HostGroup(pattern="*.tumblr.com", concurrent=2, gap=1),)
    assert plain.retry_after == "url"
    groups = "[{hosts: '*.tumblr.com', concurrent: 1, gap: 5s}, {hosts: cdn.example., gap: 0s}]"
    settings = sited(f"poll: {{per_host: {{concurrent: 4, gap: 3s, retry_after: host, groups: {groups}}}}}").load().poll
    assert settings.host_groups == (
        HostGroup(pattern="*.tumblr.com", concurrent=1, gap=5),
        HostGroup(pattern="cdn.example", concurrent=4, gap=0),
    )
    assert settings.retry_after == "host"


def test_the_smallest_configuration_has_every_default(sited: Make) -> None:
    project = sited("")
    settings = project.load()
    assert settings.root == str(project.folder)
    assert settings.store == f"sqlite:///{project.folder}/var/feedhub.db"
    assert settings.output.dir == f"{project.folder}/output"
    assert settings.retention == Retention(days=90, items=5000)
    assert settings.poll.user_agent.startswith("feedhub/")
    assert settings.poll.user_agent.endswith(" (+https://example.org)")
    assert (settings.poll.every, settings.poll.timeout, settings.poll.max_size) == (900, 30, 10_000_000)
    assert (settings.sources, settings.rules, settings.categories, settings.secrets) == ((), (), (), ())


def test_keys_without_a_value_count_as_not_given(sited: Make) -> None:
    settings = sited("sources:\nrules:\ncategories:\noutput:\n  dir:\npoll: {every: ~}\n").load()
    assert (settings.sources, settings.output.entries, settings.poll.every) == ((), 100, 900)


def test_a_required_key_without_a_value_is_told_where_it_stands(sited: Make) -> None:
    assert sited("sources:\n  - name: a\n    url:\n").problems() == [
        "feedhub.yaml:4:9: sources[0].url: expected text, found nothing"
    ]


def test_retention_may_be_for_ever(sited: Make) -> None:
    assert sited("retention: {days: null, items: ~}").load().retention == Retention(days=None, items=None)


def test_site_and_title_are_required(project: Make) -> None:
    assert project("").problems() == ["feedhub.yaml:1:1: site: is required"]
    assert project("site: {url: 'http://x.org'}").problems() == ["feedhub.yaml:1:7: site.title: is required"]


def test_a_title_that_looks_like_something_else_stays_what_was_written(project: Make) -> None:
    settings = project(
        "site: {title: no, url: 'http://x.org/'}\ncategories: {a: {title: 012}, b: {title: 12:30}}"
    ).load()
    assert settings.site.title == "no"
    assert settings.site.url == "http://x.org"
    assert [category.title for category in settings.categories] == ["012", "12:30"]


def test_every_key_of_a_source_arrives(sited: Make) -> None:
    settings = sited(
        """
sources:
  - name: a.b_c-1
    url: https://example.org/rss
    category: [economy, all-news]
    every: 5m
    encoding: gb18030
    timezone: Asia/Shanghai
    headers: {X-B: two, X-A: one}
    proxy: http://127.0.0.1:3128
    limit: 50
    content: text
    timeout: 10s
    max_size: 1MB
    user_agent: me/1
    paused: true
"""
    ).load()
    expected = Source(
        name="a.b_c-1",
        url="https://example.org/rss",
        categories=("economy", "all-news"),
        every=300,
        encoding="gb18030",
        timezone="Asia/Shanghai",
        headers=(("X-A", "one"), ("X-B", "two")),
        proxy="http://127.0.0.1:3128",
        limit=50,
        content="text",
        timeout=10,
        max_size=1_000_000,
        user_agent="me/1",
        paused=True,
        place="feedhub.yaml:4",
    )
    assert dataclasses.replace(settings.sources[0], settings_digest="") == expected


def test_a_source_takes_what_it_does_not_say_from_the_rest(project: Make) -> None:
    settings = project(
        "site: {title: T, url: 'http://x.org', timezone: Asia/Tokyo}\n"
        "poll: {timeout: 7s, max_size: 2MB, user_agent: me}\n"
        "sources: [{name: a, url: 'http://e.org/f', every: auto}, {name: b, url: x, schedule: 0 6 * * 1}]"
    ).load()
    first, second = settings.sources
    assert (first.timezone, first.timeout, first.max_size, first.user_agent) == ("Asia/Tokyo", 7, 2_000_000, "me")
    assert (first.every, first.auto, first.schedule) == (None, True, None)
    assert (second.every, second.auto, second.schedule) == (None, False, "0 6 * * mon")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("feeds/a b.xml", "file://{root}/feeds/a%20b.xml"),
        ("./x.d/a.xml", "file://{root}/x.d/a.xml"),
        ("../up.xml", "file://{parent}/up.xml"),
        ("/srv/100%.xml", "file:///srv/100%25.xml"),
        ("file:///srv/a%20b.xml", "file:///srv/a%20b.xml"),
        ("file:feeds/a.xml", "file://{root}/feeds/a.xml"),
        ("file://localhost/srv/a.xml", "file:///srv/a.xml"),
    ],
)
def test_local_sources_become_file_addresses(sited: Make, url: str, expected: str) -> None:
    project = sited(f"sources: [{{name: a, url: '{url}'}}]")
    assert project.load().sources[0].url == expected.format(root=project.folder, parent=project.folder.parent)


def test_paths_are_relative_to_the_parent_of_a_folder_called_config(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "feedhub.yaml").write_text(
        "site: {title: T, url: 'http://x.org'}\nstore: sqlite:////abs/x.db?timeout=5\noutput: {dir: out}\n"
        "sources: [{name: a, url: a.xml}]"
    )
    settings = load_settings(None, (), {}, str(tmp_path))
    assert settings.root == str(tmp_path)
    assert settings.output.dir == f"{tmp_path}/out"
    assert settings.store == "sqlite:////abs/x.db?timeout=5"
    assert settings.sources[0].url == f"file://{tmp_path}/a.xml"
    assert settings.sources[0].place == "config/feedhub.yaml:4"


def test_a_path_may_begin_at_home(sited: Make) -> None:
    assert sited("output: {dir: ~/feeds}").load().output.dir == str(Path.home() / "feeds")


def test_the_file_is_the_one_named_then_the_environment_then_the_default(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yaml", "config/feedhub.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"site: {{title: {name}, url: 'http://x.org'}}")
    environ = {"FEEDHUB_CONFIG": "b.yaml"}
    assert load_settings("a.yaml", (), environ, str(tmp_path)).site.title == "a.yaml"
    assert load_settings(None, (), environ, str(tmp_path)).site.title == "b.yaml"
    assert load_settings(None, (), {}, str(tmp_path)).site.title == "config/feedhub.yaml"


def test_without_a_folder_the_current_one_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "f.yaml").write_text("site: {title: T, url: 'http://x.org'}")
    monkeypatch.chdir(tmp_path)
    assert load_settings("f.yaml", (), {}).site.title == "T"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(None, "config.yaml: there is no such file; `feedhub init` writes one", id="missing"),
        pytest.param(b"a: \xff\xfe", "config.yaml: cannot be read: line 1 is not UTF-8", id="not UTF-8"),
        pytest.param(b"- a", 'config.yaml:1:1: expected keys such as "sources:" at the top', id="a list"),
        pytest.param(b"a: [", "config.yaml:2:1: not valid YAML", id="broken"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_line(tmp_path: Path, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / "config.yaml").write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load_settings("config.yaml", (), {}, str(tmp_path))
    assert str(caught.value).startswith(message)


def test_a_file_of_no_sensible_size_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "f.yaml").open("wb") as file:
        file.truncate(60_000_000)
    with pytest.raises(ConfigError, match="cannot be read: it is larger than 20 MB"):
        load_settings("f.yaml", (), {}, str(tmp_path))


def test_a_file_elsewhere_is_named_in_full(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"^{tmp_path / 'x.yaml'}: "):
        load_settings(str(tmp_path / "x.yaml"), (), {}, str(tmp_path / "other"))


def test_a_byte_order_mark_is_no_character(tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_bytes("\ufeffsite: {title: T, url: 'http://x.org'}".encode())
    assert load_settings("f.yaml", (), {}, str(tmp_path)).site.title == "T"


def test_credentials_of_an_address_become_a_header(sited: Make) -> None:
    settings = sited("sources: [{name: a, url: 'https://us%40er:pa%3Ass@example.org:8443/f?x=1'}]").load()
    (only,) = settings.sources
    assert only.url == "https://example.org:8443/f?x=1"
    assert only.headers == (("Authorization", "Basic dXNAZXI6cGE6c3M="),)
    assert {"us%40er:pa%3Ass", "us@er:pa:ss", "pa:ss", "dXNAZXI6cGE6c3M="} <= set(settings.secrets)


def test_two_kinds_of_authorization_exclude_each_other(sited: Make) -> None:
    text = "sources: [{name: a, url: 'https://u:p@example.org/', headers: {authorization: x}}]"
    assert "exclude each other" in sited(text).problems()[0]


def test_identity_of_a_source_adds_to_the_global_one_and_wins(sited: Make) -> None:
    settings = sited(
        r"""
identity:
  infoCode: {from: [id, link], pattern: '(\d{18})'}
sources:
  - {name: a, url: a.xml}
  - {name: b, url: b.xml, identity: {infoCode: {from: title, pattern: 'x'}, doi: {from: [content], pattern: '10\.\d+'}}}
"""
    ).load()
    assert source(settings, "a").identity == (KeyPattern(name="infoCode", fields=("id", "link"), pattern=r"(\d{18})"),)
    assert source(settings, "b").identity == (
        KeyPattern(name="infoCode", fields=("title",), pattern="x"),
        KeyPattern(name="doi", fields=("content",), pattern=r"10\.\d+"),
    )


def test_rules_become_trees(sited: Make) -> None:
    settings = sited(
        r"""
sources: [{name: a, url: a.xml, category: Tech News}]
rules:
  - name: simple
    when: {title: '广告|推广'}
    then: {drop: true}
  - name: full
    when:
      all: [{content: c, summary: s}]
      any: [{title: t}, {tags: [x, y]}]
      not: {source: 'blog-*'}
      author: au
      link: li
      category: [Tech News, 别的]
      language: [de, en]
    then: {category: [chips], tag: [芯片, 芯片], replace: {field: title, pattern: '(a)', with: '\1b'}, stop: true}
  - name: several
    when: {source: ['*']}
    then: {replace: [{field: link, pattern: http, with: https}, {field: author, pattern: by}]}
"""
    ).load()
    simple, full, several = settings.rules
    assert (simple.when, simple.drop) == (Condition(kind="title", values=("广告|推广",)), True)
    assert full.when == Condition(
        kind="all",
        parts=(
            Condition(
                kind="all",
                parts=(
                    Condition(
                        kind="all",
                        parts=(Condition(kind="content", values=("c",)), Condition(kind="summary", values=("s",))),
                    ),
                ),
            ),
            Condition(
                kind="any",
                parts=(Condition(kind="title", values=("t",)), Condition(kind="tags", values=("x", "y"))),
            ),
            Condition(kind="not", parts=(Condition(kind="source", values=("blog-*",)),)),
            Condition(kind="author", values=("au",)),
            Condition(kind="link", values=("li",)),
            Condition(kind="category", values=("tech-news", "biede")),
            Condition(kind="language", values=("de", "en")),
        ),
    )
    assert (full.categories, full.tags, full.stop) == (("chips",), ("芯片",), True)
    assert full.replace == (Replacement(field="title", pattern="(a)", replacement=r"\1b"),)
    assert [each.replacement for each in several.replace] == ["https", ""]


@pytest.mark.parametrize(
    ("when", "message"),
    [
        ("{}", 'when: needs at least one condition; {source: "*"} holds for every item'),
        ("{any: []}", "when.any: must not be empty"),
        ("{titel: x}", 'when.titel: unknown key; did you mean "title"?'),
        ("{not: {any: [{titel: x}]}}", 'when.not.any[0].titel: unknown key; did you mean "title"?'),
        ("{title: '(?!x)'}", "when.title: not a usable pattern"),
        ("{all: {title: x}}", "when.all: expected a list, found a mapping"),
    ],
)
def test_a_condition_that_cannot_work_is_an_error(sited: Make, when: str, message: str) -> None:
    (problem,) = sited(f"rules: [{{name: r, when: {when}, then: {{drop: true}}}}]").problems()
    assert f"rules[0].{message}" in problem


def test_the_limit_of_a_category_comes_before_that_of_all_outputs(sited: Make) -> None:
    settings = sited(
        "output: {limit: {per_source: 5}}\ncategories: {a: {limit: {per_source: 2, per: day}}, b: {}}\n"
    ).load()
    feeds = [output_feed(slug, settings.site, settings.categories, settings.output) for slug in ("all", "a", "b")]
    assert [feed.per_source for feed in feeds] == [5, 2, 5]


def test_stories_are_told_where_they_are_asked_for(sited: Make) -> None:
    assert sited("").load().stories is None
    assert sited("stories: {}").load().stories == StorySettings()
    told = sited(
        "stories: {reprints: off, same_event: mark, care: normal, window: 24h, prefer: [xinhua], "
        "never: {titles: [早报], sources: ['q-*']}}\n"
        "categories: {a: {stories: {same_event: group}}, b: {title: B}, c: {stories: {reprints: once}}}"
    ).load()
    assert told.stories == StorySettings(
        choice=StoryChoice(reprints="off", same_event="mark"),
        by_category=(
            ("a", StoryChoice(reprints="off", same_event="group")),
            ("c", StoryChoice(reprints="once", same_event="mark")),
        ),
        care="normal",
        window=timedelta(hours=24),
        prefer=("xinhua",),
        never_titles=("早报",),
        never_sources=("q-*",),
    )
    (problem,) = sited("stories: {reprints: twice}").problems()
    assert "reprints" in problem


def test_outputs_are_made_anew_when_they_tell_stories_otherwise(sited: Make) -> None:
    digests = [
        sited(text).load().output_digest
        for text in ("", "stories: {}", "stories: {same_event: mark}", "stories: {prefer: [x]}")
    ]
    assert len(set(digests)) == 3
    assert digests[1] == digests[3]


def condition(settings: Any) -> Condition:
    """The condition of the only rule."""
    (rule,) = settings.rules
    return rule.when


def test_what_is_compared_in_a_condition_is_read_with_its_sign(sited: Make) -> None:
    when = "{age: '>30d', length: '<= 200', enclosure: [audio/*, video/*]}"
    made = condition(sited(f"rules: [{{name: r, when: {when}, then: {{drop: true}}}}]").load())
    assert {part.kind: part.values for part in made.parts} == {
        "age": (">2592000.0",),
        "length": ("<=200",),
        "enclosure": ("audio/*", "video/*"),
    }


def test_times_of_publishing_are_read_in_the_zone_of_the_site(project: Make) -> None:
    when = "{published: {weekday: [Fri-mon, wed], hour: [22-1, 9], after: 2026-03-07, before: '0001-01-01'}}"
    text = f"rules: [{{name: r, when: {when}, then: {{drop: true}}}}]"
    made = condition(project(f"site: {{title: T, url: 'https://e.org', timezone: Asia/Shanghai}}\n{text}").load())
    assert read_times(made.values) == Times(
        zone="Asia/Shanghai",
        weekdays=frozenset({0, 2, 4, 5, 6}),
        hours=frozenset({22, 23, 0, 1, 9}),
        after=datetime(2026, 3, 6, 16, tzinfo=UTC),
        before=datetime(1, 1, 1, tzinfo=UTC),
    )


def test_a_whitelist_drops_what_it_does_not_keep(sited: Make) -> None:
    rule = "{name: only chips, when: {source: wire}, then: {keep_only: {title: chips}}}"
    (made,) = sited(f"rules: [{rule}]\nsources: [{{name: wire, url: a.xml}}]").load().rules
    assert made.drop
    kept = Condition(kind="title", values=("chips",))
    assert made.when == Condition(
        kind="all", parts=(Condition(kind="source", values=("wire",)), Condition(kind="not", parts=(kept,)))
    )


@pytest.mark.parametrize(
    ("then", "message"),
    [
        ("{drop: false}", "then: needs something to do"),
        ("", "then: needs something to do"),
        ("{drop: true, keep_only: {title: x}}", "then: keep_only stands alone: what it keeps is for the next rule"),
        ("{keep_only: {}}", "then.keep_only: needs at least one condition"),
        ("{replace: {field: tags, pattern: x}}", "then.replace.field: expected title, content"),
        ("{replace: [{field: title}]}", "then.replace[0].pattern: is required"),
        ("{replace: {field: title, pattern: x, to: y}}", "then.replace.to: unknown key; known here: field, pattern"),
        (r"{replace: {field: title, pattern: x, with: '\1'}}", r"then.replace: \1 stands for a group"),
        ("{category: a/b}", 'then.category: "a/b" cannot name a category: it contains a path separator'),
        ("{category: [ok, CON]}", 'then.category[1]: "CON" cannot name a category: it is a reserved name'),
    ],
)
def test_an_action_that_cannot_work_is_an_error(sited: Make, then: str, message: str) -> None:
    (problem,) = sited(f"rules: [{{name: r, when: {{title: x}}, then: {then}}}]").problems()
    assert f"rules[0].{message}" in problem


def test_every_problem_of_every_file_comes_in_one_pass_in_order(sited: Make) -> None:
    project = sited(
        """include: [more.yaml]
ouput: {}
sources:
  - name: a
    url: x
    categry: tech
  - name: a
    url: ftp://x/
    category: CON
"""
    )
    project.write("more.yaml", "sources: [{name: a, url: 5, every: x}]\npoll: {}\nfoo: 1\n")
    assert project.problems() == [
        'feedhub.yaml:3:1: ouput: unknown key; did you mean "output"?',
        'feedhub.yaml:7:5: sources[0].categry: unknown key; did you mean "category"?',
        "feedhub.yaml:8:11: sources[1].name: has the same name as sources[0] (feedhub.yaml:5)",
        'feedhub.yaml:9:10: sources[1].url: expected http://, https://, file: or the path of a local file, found "ftp://x/"',
        f'feedhub.yaml:10:15: sources[1].category: "CON" cannot name a category: it is a reserved name; {WAY_OUT}',
        "more.yaml:1:18: sources[0].name: has the same name as sources[0] (feedhub.yaml:5)",
        'more.yaml:1:36: sources[0].every: expected a duration such as 90s, 15m, 2h or 7d, or auto, found "x"',
        "more.yaml:2:1: poll: belongs in the main file, not in an included one",
        "more.yaml:3:1: foo: unknown key; known here: categories, identity, include, rules, sources",
    ]


def test_a_key_given_twice_is_an_error_with_both_lines(sited: Make) -> None:
    assert sited("output:\n  dir: a\n  dir: b\n").problems() == [
        "feedhub.yaml:4:3: output.dir: is given twice (first in line 3)"
    ]


def test_long_values_are_shortened_in_messages(sited: Make) -> None:
    (problem,) = sited(f"poll: {{every: {'x' * 200}}}").problems()
    assert problem.endswith(f'found "{"x" * 60}…"')


def test_the_web_section_is_accepted(sited: Make) -> None:
    sited("web: {enabled: true, host: 0.0.0.0, port: 80}").load()


def test_a_category_may_be_named_by_slug_by_title_or_anew(sited: Make) -> None:
    settings = sited(
        """
categories:
  jiemianxinwen: {title: 界面新闻, description: d, entries: 200}
  plain:
sources:
  - {name: a, url: a, category: jiemianxinwen}
  - {name: b, url: b, category: 界面新闻}
  - {name: c, url: c, category: [Tech News, tech-news, TECH  NEWS, 财经]}
"""
    ).load()
    assert [each.categories for each in settings.sources] == [
        ("jiemianxinwen",),
        ("jiemianxinwen",),
        ("tech-news", "caijing"),
    ]
    assert settings.categories == (
        Category(slug="jiemianxinwen", title="界面新闻", description="d", entries=200),
        Category(slug="plain", title="plain"),
        Category(slug="tech-news", title="Tech News"),
        Category(slug="caijing", title="财经"),
    )


def test_two_titles_with_one_slug_are_told_apart_in_order_of_mention(sited: Make) -> None:
    settings = sited("sources: [{name: a, url: a, category: [忠心, 中心, A B, A_B, a-b]}]").load()
    assert [(each.slug, each.title) for each in settings.categories] == [
        ("zhongxin", "忠心"),
        ("zhongxin-2", "中心"),
        ("a-b", "A B"),
        ("a-b-2", "A_B"),
    ]


def test_a_name_in_the_form_of_a_slug_means_that_slug_wherever_it_stands(sited: Make) -> None:
    settings = sited("sources: [{name: a, url: a, category: tech-news}, {name: b, url: b, category: Tech News}]").load()
    assert [(each.slug, each.title) for each in settings.categories] == [("tech-news", "Tech News")]


def test_two_categories_cannot_share_a_title(sited: Make) -> None:
    assert sited("categories: {a: {title: X}, b: {title: X}}").problems() == [
        "feedhub.yaml:2:40: categories.b.title: has the same title as categories.a (feedhub.yaml:2)"
    ]


@pytest.mark.parametrize("name", ["''", "../../etc/x", "CON", ".hidden", '"a\\x00b"', "☂", "a\\b"])
def test_a_category_that_cannot_be_a_file_breaks_one_source_only(sited: Make, name: str) -> None:
    settings = sited(
        "sources:\n  - {name: good, url: a, category: tech}\n"
        f"  - {{name: bad, url: b, category: [tech, {name}, CON]}}\n"
    ).load()
    good, bad = settings.sources
    assert (good.broken, good.categories) == (None, ("tech",))
    assert bad.categories == ("tech",)
    assert bad.broken is not None
    assert bad.broken.startswith("feedhub.yaml:4:42: sources[1].category[1]: ")
    assert "cannot name a category: it " in bad.broken
    assert [str(problem) for problem in settings.problems] == [bad.broken]


def test_a_name_that_differs_from_a_declared_slug_in_case_or_blanks_is_that_category(sited: Make) -> None:
    settings = sited(
        "categories: {tech: {title: Technology}, open-source: {title: Free}, it: {title: Computers}, pc: {title: IT}}\n"
        "sources: [{name: a, url: a, category: [Tech, 'Open  Source', IT, it, C++, TECHNOLOGY]}]\n"
    ).load()
    assert settings.sources[0].categories == ("tech", "open-source", "pc", "it", "c")


def test_a_declared_title_may_hold_what_a_file_name_cannot(sited: Make) -> None:
    settings = sited("categories: {devops: {title: Dev/Ops}}\nsources: [{name: a, url: a, category: Dev/Ops}]").load()
    assert (settings.sources[0].categories, settings.sources[0].broken) == (("devops",), None)


LINK_RULE = "rules=[{name: r, when: {title: x}, then: {replace: {field: link, pattern: a, with: b}}}]"
BASE = "categories: {t: {title: X}}\nsources: [{name: a, url: 'http://e.org/f', category: t}]\n"


@pytest.mark.parametrize(
    ("change", "settings_moves", "rules_moves", "output_moves"),
    [
        ("sources.a.timezone=Asia/Tokyo", True, False, False),
        ("sources.a.encoding=big5", True, False, False),
        ("sources.a.url=http://e.org/g", True, False, False),
        ("sources.a.limit=3", True, False, False),
        ("sources.a.content=text", True, False, False),
        ("sources.a.identity={k: {from: id, pattern: x}}", True, False, False),
        ("sources.a.every=9m", False, False, False),
        ("sources.a.headers={A: b}", False, False, False),
        ("sources.a.url=http://u:p@e.org/f", False, False, False),
        ("sources.a.category=[t, u]", False, False, True),
        ("rules=[{name: r, when: {title: x}, then: {drop: true}}]", False, True, False),
        (LINK_RULE, True, True, False),
        ("rules=[{name: r, when: {title: x}, then: {tag: y}}]", False, True, False),
        ("categories.t.title=Y", False, False, True),
        ("categories.t.entries=5", False, False, True),
        ("site.title=Other", False, False, True),
        ("output.entries=7", False, False, True),
        ("output.content=none", False, False, True),
        ("output.dir=elsewhere", False, False, False),
    ],
)
def test_digests_move_with_what_they_stand_for(
    sited: Make, change: str, settings_moves: bool, rules_moves: bool, output_moves: bool
) -> None:
    project = sited(BASE)
    before, after = project.load(), project.load(change)
    assert (before.sources[0].settings_digest != after.sources[0].settings_digest) == settings_moves
    assert (before.rules_digest != after.rules_digest) == rules_moves
    assert (before.output_digest != after.output_digest) == output_moves


def test_ten_thousand_sources_load_quickly(sited: Make) -> None:
    project = sited("include: [many.yaml]")
    entries = (f"  - {{name: s{n}, url: 'https://e.org/{n}', category: [c{n % 50}]}}\n" for n in range(10_000))
    project.write("many.yaml", "sources:\n" + "".join(entries))
    started = time.process_time()
    settings = project.load()
    assert len(settings.sources) == 10_000
    # Measured: 1.2 s; a quadratic step would take minutes.
    assert time.process_time() - started < 8


def test_a_former_slug_is_no_category_and_of_one_category(sited: Callable[[str], Any]) -> None:
    sources = "sources: [{name: a, url: https://a.example/f, category: news}]\n"
    made = sited(sources + "categories: {news: {formerly: [old, older]}, tech: {title: T}}\n")
    assert [one.formerly for one in made.load().categories] == [("old", "older"), ()]
    made = sited(
        sources + "categories: {tech: {formerly: news}, it: {formerly: [old, 7]}, arts: {formerly: [a, old]}}\n"
    )
    assert [problem.partition(": ")[2] for problem in made.problems()] == [
        'categories.tech.formerly: "news" is a category still; put tech where it is named',
        'categories.arts.formerly[1]: "old" was it already',
    ]


def test_a_digest_is_no_feed_of_another_category(sited: Callable[[str], Any]) -> None:
    made = sited("categories: {tech: {digest: {}}, it: {digest: {every: day, at: '18:30'}}, arts: {}}\n")
    assert [one.digest_at for one in made.load().categories] == ["07:00", "18:30", None]
    (problem,) = sited("categories: {tech: {digest: {}}, tech-digest: {title: T}}\n").problems()
    assert problem.endswith("categories.tech.digest: is published as tech-digest, which is a category, too")
    (problem,) = sited("categories: {tech: {digest: {at: '7:00'}}}\n").problems()
    assert problem.endswith('categories.tech.digest.at: expected a time of the day such as 07:00, found "7:00"')
