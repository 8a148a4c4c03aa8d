"""One post: its front matter, its body and its name, whatever the item holds."""

from dataclasses import replace
from datetime import UTC, date, datetime
from functools import cache
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from feedhub.errors import PublishError
from feedhub.model.item import Item, Person
from feedhub.model.output import Category, PostSettings, PostView, Site
from feedhub.publish.jekyll import JekyllRenderer, check_front_matter, quoted, scalar
from feedhub.rules.text import plain
from support.examples import examples
from support.output_views import SITE, stored

EVENING = datetime(2026, 11, 22, 17, 30, 5, tzinfo=UTC)  # the 23rd in Shanghai
MEDIUM = Category(slug="jiemianxinwen", title="界面新闻")
DEFAULT = PostSettings()
TODAY = date(2026, 11, 23)


def view(item: Item, *, category: Category = MEDIUM, **facts: object) -> PostView:
    return PostView(site=SITE, item=stored(7, item, published_at=EVENING, **facts), category=category)


def article(**facts: object) -> Item:
    base = Item(title="芯片股大涨", link="https://wire.example.com/a/1?x=1&y=2", content="<p>正文。</p>", guid="NW1")
    return replace(base, **facts)  # type: ignore[arg-type]


@cache
def renderer(template: str | None = None, filename: str = DEFAULT.filename) -> JekyllRenderer:
    return JekyllRenderer(replace(DEFAULT, template=template, filename=filename), SITE)


def post(item: Item, template: str | None = None, **facts: object) -> str:
    return renderer(template).render(view(item, **facts)).body.decode()


def read(text: str) -> Any:
    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def front_matter(text: str) -> dict[str, object]:
    loaded: dict[str, object] = read(text.split("---\n")[1])
    return loaded


def name(filename: str, item: Item, **facts: object) -> str:
    return renderer(filename=filename).path(view(item, **facts), TODAY).removeprefix("_posts/")


def test_the_default_template_gives_front_matter_text_link_and_ways_back() -> None:
    assert post(article()) == (
        "---\n"
        "layout: post\n"
        'title: "芯片股大涨"\n'
        "date: 2026-11-23 01:30:05 +0800\n"
        "categories: jiemianxinwen\n"
        "tags: 界面新闻\n"
        "---\n"
        "<p>正文。</p>\n"
        "\n"
        "<https://wire.example.com/a/1?x=1&y=2>\n"
        "\n"
        "[返回界面新闻](//news.example.org/category/jiemianxinwen.html)｜[返回首页](//news.example.org/)"
    )


def test_an_item_without_text_and_link_is_a_post_without_them() -> None:
    text = post(article(content=None, link="javascript:alert(1)", tags=("芯片", "Markets & more")))
    assert text.partition("---\n[")[2].startswith("返回界面新闻](")
    assert front_matter(text)["tags"] == ["界面新闻", "芯片", "Markets & more"]


def test_a_summary_stands_in_for_a_missing_text_and_a_site_in_english_has_no_chinese_words() -> None:
    site = Site(title="Chip & News", url="https://chips.example.org/site", timezone="America/New_York")
    text = JekyllRenderer(DEFAULT, site).render(view(article(content=None, summary="<p>Short</p>"))).body.decode()
    assert "\n<p>Short</p>\n\n<https" in text
    assert "date: 2026-11-22 12:30:05 -0500\n" in text
    home = "//chips.example.org/site/"
    assert text.endswith(f"\n[界面新闻]({home}category/jiemianxinwen.html) | [Chip &amp; News]({home})")


def test_the_date_that_the_wording_gives_goes_before_that_of_the_item() -> None:
    item = article(published_at=datetime(2026, 11, 20, 20, 0, tzinfo=UTC))
    assert "date: 2026-11-21 04:00:00 +0800\n" in post(item)
    assert name("{date}-{guid}.md", item) == "2026-11-21-NW1.md"


def test_an_offset_of_old_local_time_is_written_to_the_minute() -> None:
    text = post(article(published_at=datetime(1890, 1, 1, tzinfo=UTC)))
    assert "date: 1890-01-01 08:05:43 +0805\n" in text


def test_line_ends_inside_of_a_text_stay_and_no_line_end_follows_the_last_line() -> None:
    text = post(article(content="<p>one\r\n two</p>\n"), "{{ content }}{{ title }}\r\nend\r\n")
    assert text == "<p>one\r\n two</p>\n芯片股大涨\nend"


def test_templates_reach_every_value() -> None:
    item = article(
        authors=(Person(name="Ann"), Person(name="李四", uri="https://a.example/", email="li@a.example")),
        tags=("a", "b"),
    )
    text = post(
        item,
        "{{ title }}|{{ link }}|{{ id }}|{{ guid }}|{{ summary }}|{{ content }}|{{ author }}|{{ authors[1].name }} "
        "{{ authors[1].uri }} {{ authors[1].email }}|{{ tags | join(' ') }}|{{ date }}|{{ updated }}|"
        "{{ category.slug }} {{ category.title }}|{{ source.name }} {{ source.title }} {{ source.link }}|"
        "{{ site.title }} {{ site.url }} "
        "{{ site.base }} {{ site.language }} {{ site.author }} {{ site.description }}",
    )
    assert text.split("|") == [
        "芯片股大涨",
        "https://wire.example.com/a/1?x=1&y=2",
        "00000000-0000-5000-8000-000000000007",
        "NW1",
        "",
        "<p>正文。</p>",
        "Ann, 李四",
        "李四 https://a.example/ li@a.example",
        "a b",
        "2026-11-23 01:30:05 +0800",
        "2026-11-23 11:53:00 +0800",
        "jiemianxinwen 界面新闻",
        "wire The Wire &amp; Sons https://wire.example.com/",
        "金融消息 https://news.example.org //news.example.org zh-CN The editors What moved the markets",
    ]


@pytest.mark.parametrize(
    "title",
    [
        "\"quoted\" and 'single'",
        "key: value # no comment",
        "back\\slash \\n",
        "{{ site.secret }} {% include x %}",
        "- dash",
        "--- ",
        "…\u2028line\u2029para\x85next",
        "\u200b\u00a0\ufeff soft\u00ad",
        "emoji 🚀 \U00020000",
        "!!python/object:os.system",
        "&anchor *alias",
        "%TAG",
        "`@",
        "null",
        "12:30:45",
    ],
)
def test_a_title_is_read_back_as_it_is(title: str) -> None:
    assert front_matter(post(article(title=title)))["title"] == plain(title)


@settings(max_examples=examples(200))
@given(
    st.text(
        alphabet=st.one_of(st.characters(), st.sampled_from("\"\\'{}%:#-[]&*!|>\n\r\t\0 \u2028\x85\ufeff")), min_size=1
    )
)
def test_no_title_breaks_the_front_matter(title: str) -> None:
    expected = plain(title)
    if not expected:
        with pytest.raises(PublishError, match="no title"):
            post(article(title=title))
        return
    found = front_matter(post(article(title=title)))
    assert found["title"] == expected
    assert list(found) == ["layout", "title", "date", "categories", "tags"]


@settings(max_examples=examples(50))
@given(st.text(alphabet=st.characters(codec="utf-8") | st.sampled_from('"\\\n\r\t\0\x85\u2028\ufeff')))
def test_quoted_text_of_any_kind_is_read_back(text: str) -> None:
    assert read(f"a: {quoted(text)}") == {"a": text}


def test_half_a_character_is_shown_as_missing() -> None:
    assert quoted("a\ud800b") == '"a\ufffdb"'
    assert post(article(), "{{ '\\ud800' }}") == "?"


@settings(max_examples=examples(50))
@given(
    st.one_of(
        st.text(max_size=12),
        st.from_regex(r"[0-9a-zA-Z_.+: -]{1,8}", fullmatch=True),
        st.sampled_from(
            ["yes", "No", "NULL", "1e3", "0x1f", "21世纪", "2026-11-23", "1_000", ".5", "a: b", "a #b", "a "]
        ),
    )
)
def test_a_scalar_of_any_text_is_read_back_as_text(text: str) -> None:
    assert read(f"a: {scalar(text)}") == {"a": text}
    assert read(f"a: {scalar([text, text])}") == {"a": [text, text]}


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("21世纪经济报道新闻", "21世纪经济报道新闻"),
        ("TechWeb", "TechWeb"),
        ("Some Name (Hong Kong)", "Some Name (Hong Kong)"),
        ("yes", '"yes"'),
        ("21shijijingjibaodao", "21shijijingjibaodao"),
        ("36kr", "36kr"),
        ("3d-druck", "3d-druck"),
        ("100 Days", "100 Days"),
        ("5e", '"5e"'),
        ("1e5", '"1e5"'),
        ("1.5E-3", '"1.5E-3"'),
        ("0x1f", '"0x1f"'),
        ("0b1", '"0b1"'),
        ("0o17", '"0o17"'),
        ("2024-01-02", '"2024-01-02"'),
        ("2024-01-02t03", "2024-01-02t03"),
        ("1_000", '"1_000"'),
        ("36", '"36"'),
        (36, '"36"'),
        (["芯片"], "芯片"),
        (["two words"], '["two words"]'),
        ([], "[]"),
        (["a", 'b"'], '["a", "b\\""]'),
    ],
)
def test_a_scalar_has_quotes_only_where_it_needs_them(value: object, written: str) -> None:
    assert scalar(value) == written


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("<p>{{ site.secret }}</p>", "<p>&#123;{ site.secret }}</p>"),
        ("<p>{% include x %}</p>", "<p>&#123;% include x %}</p>"),
        ("<p>{{{</p>", "<p>&#123;&#123;{</p>"),
        ('<p>x</p>\n{: onclick="alert(1)"}', '<p>x</p>\n&#123;: onclick="alert(1)"}'),
        ("[click](javascript:alert(1))", "[click&#93;(javascript:alert(1))"),
        ("[click][1]\n\n[1]: javascript:alert(1)", "[click&#93;[1]\n\n[1&#93;: javascript:alert(1)"),
        ("open {", "open &#123;"),
        ("open [x]", "open [x&#93;"),
        ("<p>{ a } [b] 100% (c)</p>", "<p>{ a } [b] 100% (c)</p>"),
    ],
    ids=["output", "tag", "three", "attributes", "link", "reference", "half-brace", "half-link", "nothing"],
)
def test_text_of_feeds_is_neither_liquid_nor_markdown(text: str, written: str) -> None:
    assert post(article(content=text), "{{ content }}") == written
    assert post(article(summary=text), "> {{ summary | replace('zzz', '') }}") == f"> {written}"


def test_two_halves_of_a_liquid_tag_in_two_values_do_not_meet() -> None:
    text = post(article(title="a {", guid="{ site.secret }}"), "{{ title }}{{ guid }}")
    assert text == "a &#123;{ site.secret }}"
    assert post(article(title="{"), "{{ title }}% include x %}") == "&#123;% include x %}"


def test_plain_text_is_escaped_in_the_body_and_what_the_template_says_itself_is_not() -> None:
    item = article(title="<script>alert(1)</script> & more")
    assert post(item, "# {{ title }}") == "# &lt;script&gt;alert(1)&lt;/script&gt; &amp; more"
    assert post(item, "{% raw %}{% include x %}{{ page.id }}{% endraw %}") == "{% include x %}{{ page.id }}"


def test_a_title_is_never_a_template() -> None:
    assert post(article(title="{{ 7 * 7 }}{% for %}"), "---\na: {{ title | yaml }}\n---\n") == (
        '---\na: "{{ 7 * 7 }}{% for %}"\n---'
    )


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("---\n\n{% if %}", "template line 3: "),
        ("{{ title | nosuch }}", "template line 1: No filter named 'nosuch'"),
        ("{% include 'x' %}\n{{ title", "template line 2: "),
        ("{{ " + "(" * 9999, "template: maximum recursion"),
    ],
)
def test_a_broken_template_is_refused_with_its_line(template: str, message: str) -> None:
    with pytest.raises(PublishError, match="^" + message):
        JekyllRenderer(replace(DEFAULT, template=template), SITE)


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("\n{{ titel }}", "template line 2: 'titel' is undefined"),
        ("\n\n{{ category.nosuch }}", "template line 3: .* no attribute 'nosuch'"),
        ("{{ 1 / (tags | length) }}", "template line 1: .*zero"),
        ("{{ title.__class__.__mro__ }}", "template line 1: .*__class__"),
        ("{{ tags.append(1) }}", "template line 1: .*append"),
        ("{% include 'post.html' %}", "template line 1: no loader"),
        ("{{ lipsum() }}", "template line 1: 'lipsum' is undefined"),
        ("---\na: b\nt: {{ title }}: x\n---\n", "its front matter is not YAML: line 3: mapping values"),
        ("---\na: {{ '\\x07' }}\n---\n", "its front matter is not YAML"),
        ("---\na: b\n", "its front matter has no end"),
        ("---\nwords\n---\n", "its front matter is no mapping"),
        ("---\na: b\n--- \nc: d\n---\n", "its front matter is no mapping"),
        ("---\na: &b c\nd: *b\ne: *{{ guid }}\n---\n", "its front matter is not YAML: no &NW1 goes before"),
        ("---\n---\n", "its front matter is no mapping"),
    ],
)
def test_a_template_that_fails_on_an_item_costs_that_post(template: str, message: str) -> None:
    with pytest.raises(PublishError, match=f"^{message}"):
        renderer(template).render(view(article()))


def test_a_template_cannot_compute_at_length_what_it_never_needs() -> None:
    with pytest.raises(PublishError, match=r"^template line 1: .*too big"):
        post(article(), "{% for n in range(999999999) %}x{% endfor %}")


def test_deep_front_matter_is_an_error_and_neither_a_crash_nor_a_long_wait() -> None:
    with pytest.raises(PublishError, match="more than 20 levels deep"):
        check_front_matter(f"---\na: {'[' * 100_000}\n---\n")


@pytest.mark.parametrize("text", ["- a: 1", "[{a: 1}]", "a", "", "a: 1\n...\n--- \nb: 2"])
def test_front_matter_is_one_mapping(text: str) -> None:
    with pytest.raises(PublishError, match="is no mapping"):
        check_front_matter(f"---\n{text}\n---\n")


def test_a_post_without_front_matter_is_as_the_template_wants_it() -> None:
    check_front_matter("\n---\n{{")


@pytest.mark.parametrize(
    ("filename", "facts", "expected"),
    [
        ("{date}-{id}.md", {}, "2026-11-23-00000000-0000-5000-8000-000000000007.md"),
        ("{date}-{guid}.md", {}, "2026-11-23-NW1.md"),
        ("{date}-{slug}-{guid}.markdown", {}, "2026-11-23-jiemianxinwen-NW1.markdown"),
        ("{date}-{guid}.md", {"guid": None}, "2026-11-23-00000000-0000-5000-8000-000000000007.md"),
        ("{date}-{guid}.md", {"guid": "…/../"}, "2026-11-23-00000000-0000-5000-8000-000000000007.md"),
        ("{date}-{guid}.md", {"guid": "../../etc/passwd"}, "2026-11-23-etc-passwd.md"),
        ("{date}-{guid}.md", {"guid": "-.hidden"}, "2026-11-23-hidden.md"),
        ("{date}-{guid}.md", {"guid": "https://a.example/?p=1"}, "2026-11-23-https-a.example-p-1.md"),
        ("{date}-{guid}.md", {"guid": "{date}"}, "2026-11-23-date.md"),
    ],
)
def test_the_name_of_a_post_is_one_safe_name(filename: str, facts: dict[str, object], expected: str) -> None:
    assert name(filename, article(**facts)) == expected


def test_two_long_guids_with_one_beginning_have_two_names() -> None:
    first, second = (name("{date}-{guid}.md", article(guid="a" * 900 + end)) for end in "xy")
    assert first != second
    assert len(first) == len(second) == 70


@settings(max_examples=examples(50))
@given(st.text())
def test_any_guid_gives_a_safe_name(guid: str) -> None:
    found = name("{date}-{guid}.md", article(guid=guid))
    assert found.startswith("2026-11-23-")
    assert found.isascii()
    assert "/" not in found
    assert found[11] not in ".-"


@pytest.mark.parametrize(
    "filename", ["{guid}.md", "{date}-{title}.md", "{date}-{0}.md", "{date}-{", "{date}-{id.x}.md", "{date}-a/{id}.md"]
)
def test_a_file_name_that_cannot_work_is_refused_at_once(filename: str) -> None:
    with pytest.raises(PublishError):
        JekyllRenderer(replace(DEFAULT, filename=filename), SITE)


def test_a_name_too_long_costs_that_post() -> None:
    with pytest.raises(PublishError, match="at most 135 bytes"):
        name("{date}-{guid}-{guid}-{guid}.md", article(guid="g" * 56))


@pytest.mark.parametrize(("today", "folder"), [(25, "_posts"), (26, "_posts"), (27, "old/posts")])
def test_a_post_belongs_to_the_archive_after_its_days_in_the_zone_of_the_site(today: int, folder: str) -> None:
    short = JekyllRenderer(PostSettings(keep_days=3, archive="old/posts", filename="{date}-{guid}.md"), SITE)
    assert short.path(view(article()), date(2026, 11, today)) == f"{folder}/2026-11-23-NW1.md"
    assert short.render(view(article())).path == "_posts/2026-11-23-NW1.md"


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"title": ""}, "no title"),
        ({"title": " \u200e\n"}, "no title"),
        ({"published_at": datetime.max.replace(tzinfo=UTC)}, "no date"),
    ],
)
def test_a_post_without_title_or_date_has_no_name_and_no_file(facts: dict[str, object], message: str) -> None:
    with pytest.raises(PublishError, match=message):
        renderer().path(view(article(**facts)), TODAY)
    with pytest.raises(PublishError, match=message):
        renderer().render(view(article(**facts)))
