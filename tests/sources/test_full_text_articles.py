"""``detail: {extract: article}`` on pages as they are found: boilerplate gone, paragraphs, pictures and links kept."""

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from feedhub.errors import ParseError
from feedhub.model.document import Document
from feedhub.model.item import ParsedItem
from feedhub.model.source import DetailMap, Source
from feedhub.sources.mapped.full_text import read_detail
from feedhub.sources.markup import HtmlCleaner

PAGES = Path(__file__).parent / "pages"
URL = "https://site.example/2026/11/story.html"
SOURCE = Source(name="s", url="https://site.example/", detail=DetailMap(extract="article"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What must be in the cleaned article of a page, in this order, and what must not."""

    name: str
    kept: tuple[str, ...]
    gone: tuple[str, ...]
    charset: str = "utf-8"


CASES = (
    Case(
        name="chinese_news",
        kept=(
            "这是该数据连续第五个月回升。</p>",
            "分货类看，集装箱与铁矿石增长最快",
            'src="https://site.example/images/2026/port-chart.png"',
            'href="https://site.example/data/ports/"',
            "<h3>运价仍在低位</h3>",
            'src="https://img.example.com/2026/freight.jpg"',
            "以避免春节前后可能出现的波动。</p>",
        ),
        gone=(
            "登录",
            "首页",
            "您的位置",
            "来源",
            "分享",
            "责任编辑",
            "郑重声明",
            "相关阅读",
            "航运指数",
            "热门排行",
            "基金经理",
            "版权所有",
            "<h1>",
        ),
    ),
    Case(
        name="english_blog",
        kept=(
            "For most of a year nobody noticed",
            'href="https://blog.example.com/posts/measuring.html"',
            'src="https://blog.example.com/posts/img/build-times.png"',
            "<figcaption>Build times by week, in minutes.</figcaption>",
            "<h2>What we removed</h2>",
            "<li>A step that compressed pictures nobody had changed.</li>",
            "<pre><code>wait_until(lambda: server.is_ready(), timeout=5)</code></pre>",
            "<blockquote><p>What is not measured",
            "on the way to the coffee machine.",
        ),
        gone=(
            "Archive",
            "cookies",
            "Posted on",
            "Share this",
            "You might also",
            "Caches that lie",
            "Newsletter",
            "Recent posts",
            "Copyright",
            "tracking",
            "<h1>",
        ),
    ),
    Case(
        name="page_with_comments",
        kept=(
            "after fourteen months",
            "before noon.",
            'href="https://site.example/news/library-plan"',
            "removal firm.",
        ),
        gone=("comments", "reader one", "parking", "bus every ten minutes", "music collection", "Weather", "Privacy"),
    ),
    Case(
        name="short_flash",
        kept=("<p>央行今日开展一千二百亿元七天期逆回购操作，中标利率与此前持平。</p>",),
        gone=("首页", "2026-11-23", "更多快讯", "国际油价", "版权所有"),
    ),
    Case(
        name="old_tables",
        charset="gbk",
        kept=(
            "古镇的修复工程昨天完成第一期",
            "年过七十的老人。<br><br>",
            'src="https://site.example/2026/11/pic/old-town.jpg"',
            "第二期工程将在明年春天开始",
        ),
        gone=("返回首页", "栏目导航", "教育频道", "镇志办公室", "网站备案"),
    ),
    Case(
        name="plain_divs",
        kept=(
            "The night train between the two capitals",
            "a window that opens.",
            'src="https://cdn.example.com/train.jpg"',
            'href="https://site.example/travel/january"',
            "what it replaces.",
        ),
        gone=("Home", "Contact", "Ferries in winter", "Imprint"),
    ),
)


def article(body: bytes) -> str:
    """Return the article as it would be stored."""
    content = read_detail(Document(url=URL, body=body, digest=""), SOURCE).content
    item = ParsedItem(position=0, title="t", text_digest="", link=URL, content=content)
    return HtmlCleaner().clean(item, SOURCE).content or ""


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_article_is_whole_and_alone(case: Case) -> None:
    page = (PAGES / f"{case.name}.html").read_text(encoding="utf-8")
    found = article(page.encode(case.charset))

    places = [found.find(part) for part in case.kept]
    assert -1 not in places, found
    assert places == sorted(places), found
    assert [part for part in case.gone if part in found] == []


def test_extracting_twice_gives_the_same() -> None:
    body = (PAGES / "chinese_news.html").read_bytes()

    assert article(body) == article(body)


PARAGRAPH = (
    "<p>A paragraph that is long enough to be believed by anyone who reads it, number {}, and a little more.</p>"
)


def page_of(*inside: str) -> bytes:
    paragraphs = [PARAGRAPH.format(number) for number in range(4)]
    text = "".join((paragraphs[0], *inside, *paragraphs[1:]))
    return f"<html><body><div id=wrap><div class=article>{text}</div></div>".encode()


@pytest.mark.parametrize(
    ("inside", "kept"),
    [
        ("<table><tr><td>2025</td><td>9.3</td></tr></table>", True),
        ("<figure><img src=/a.png><figcaption>Caption</figcaption></figure>", True),
        ("<table><tr><td><a href=/a>Related story</a></td></tr></table>", False),
        ("<aside>Aside words</aside>", False),
        ("<form><button>Subscribe</button></form>", False),
        ("<nav><a href=/>Menu</a></nav>", False),
    ],
)
def test_within_the_article_tables_and_figures_stay_and_menus_go(inside: str, kept: bool) -> None:
    word = {True: ("9.3", "Caption"), False: ("Related", "Aside", "Subscribe", "Menu")}[kept]

    assert any(part in article(page_of(inside)) for part in word) is kept


def test_a_page_without_words_has_no_article() -> None:
    with pytest.raises(ParseError, match="detail: no article was found in the page"):
        article(b"<html><body><img src=a><nav><a href=/>x</a></nav></body></html>")


def test_without_the_extra_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trafilatura", None)

    with pytest.raises(ParseError, match=r"needs the extra fulltext: docs/full-text\.md tells how"):
        article(page_of())


def test_an_article_in_a_page_without_body_is_found() -> None:
    assert "number 3" in article(PARAGRAPH.format(3).encode() * 3)


PARAGRAPHS = (
    "The harbour of the small town was rebuilt over four years, and on Monday the first ships came in.",
    "The council had set aside far less money than the work took in the end, because the ground was soft.",
    "The mayor kept her speech short and went on to explain {} what it would mean for the villages inland.",
    "A ferry line to the island is planned for the summer; how often it will go depends on a grant.",
)
INSIDE = (
    "<time>on 5 May</time>",
    "<label>once more</label>",
    "<ruby>港<rp>(</rp><rt>minato</rt><rp>)</rp></ruby>",
    '<svg width="9"><text>w</text></svg>',
    '<span class="katex"><math><mi>a</mi><mo>+</mo><mi>b</mi></math></span>',
    '<span class="author">Ann</span>',
    "<output>o</output>",
    "<script>1</script>",
)
FIGURE = '<figure><img src="/lead.jpg"><figcaption>The old quay</figcaption></figure>'
TEASER = '<figure><a href="/x"><img src="/other.jpg"></a><figcaption><a href="/x">Other news</a></figcaption></figure>'


def article_of(body: str) -> str:
    page = f"<title>t</title><body><nav><a href='/'>Home</a></nav><main>{body}</main><footer>Imprint</footer>"
    content = read_detail(Document(url=URL, body=page.encode(), digest=""), SOURCE).content
    return content.value if content else ""


@pytest.mark.parametrize("inside", INSIDE)
def test_a_paragraph_stays_whatever_stands_within_it(inside: str) -> None:
    text = "".join(f"<p>{paragraph.format(inside)}</p>" for paragraph in PARAGRAPHS)
    found = article_of(f"<article><h1>Harbour</h1>{text}</article>")
    assert "kept her speech short" in found
    assert "for the villages inland" in found


def test_figures_around_the_text_stay_and_teasers_go() -> None:
    text = "".join(f"<p>{paragraph}</p>" for paragraph in PARAGRAPHS)
    last = FIGURE.replace("lead", "last")
    found = article_of(f"<article><h1>H</h1>{FIGURE}<div>{text}</div>{last}{TEASER}</article>")
    assert found.index("lead.jpg") < found.index("The harbour") < found.index("last.jpg")
    assert "other.jpg" not in found


@pytest.mark.parametrize(
    "page",
    [
        "<main><h1>H</h1>{figure}<article>{text}</article></main>",
        "<main>{figure}<article><h1>H</h1>{text}</article></main>",
        '<div class="top"><h1>H</h1>{figure}</div><div class="body">{text}</div>',
        '<article><h1>H</h1><div class="wp-caption"><img src="/lead.jpg"><p>Words</p></div>{text}</article>',
        "<main><article><h1>H</h1>{text}</article>{figure}</main>",
    ],
)
def test_a_figure_next_to_the_article_belongs_to_it(page: str) -> None:
    text = "".join(f"<p>{paragraph}</p>" for paragraph in PARAGRAPHS)
    assert "lead.jpg" in article_of(page.format(figure=FIGURE, text=text))


@pytest.mark.parametrize(
    "page",
    [
        "<header>{figure}</header><main><article><h1>H</h1>{text}</article></main>",
        "<main><section>{figure}</section><article><h1>H</h1>{text}</article></main>",
        "<main>{teaser}<article><h1>H</h1>{text}</article>{teaser}</main>",
    ],
)
def test_a_figure_of_something_else_stays_out(page: str) -> None:
    text = "".join(f"<p>{paragraph}</p>" for paragraph in PARAGRAPHS)
    found = article_of(page.format(figure=FIGURE, text=text, teaser=TEASER))
    assert "lead.jpg" not in found
    assert "other.jpg" not in found


@pytest.mark.parametrize("paragraph", ["<div>{}</div>", '<p class="author">{}</p>', '<p class="caption">{}</p>'])
def test_a_long_paragraph_among_others_stays_whatever_it_is_called(paragraph: str) -> None:
    first, *rest = (f"<p>{text}</p>" for text in PARAGRAPHS)
    own = paragraph.format(
        "Nobody had asked about the villages behind the dunes <b>before</b>, which is a pity in itself."
    )
    box = f'<div class="box"><a href="/1">{own}</a> <a href="/2">More</a></div>'
    found = article_of(f"<article><h1>H</h1>{first}{own}{box}{''.join(rest)}</article>")
    assert found.count("villages behind the dunes") == 1


def test_a_gallery_of_figures_stays() -> None:
    first, *rest = (f"<p>{text}</p>" for text in PARAGRAPHS)
    found = article_of(f"<article><h1>H</h1>{first}<div>{FIGURE}{FIGURE}</div>{''.join(rest)}</article>")
    assert found.count("lead.jpg") == 2
