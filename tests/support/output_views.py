"""Views to render in tests: a rich one with everything an item can hold, and smaller ones."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from feedhub.model.item import Enclosure, Item, Person, StoredItem
from feedhub.model.output import OutputFeed, OutputView, Site

SITE = Site(
    title="金融消息",
    url="https://news.example.org",
    language="zh-CN",
    timezone="Asia/Shanghai",
    author="The editors",
    description="What moved the markets",
)
NOON = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)


def stored(number: int, item: Item, **facts: object) -> StoredItem:
    """Return an item of a source called ``wire``; a higher number is an older item."""
    at = NOON - timedelta(minutes=number)
    base = StoredItem(
        id=f"urn:uuid:00000000-0000-5000-8000-{number:012}",
        item=item,
        source="wire",
        published_at=at,
        updated_at=at,
        source_title="The Wire & Sons",
        source_link="https://wire.example.com/",
        source_url="https://wire.example.com/rss.xml",
    )
    return replace(base, **facts)  # type: ignore[arg-type]


def view(*items: StoredItem, slug: str = "tech", **facts: object) -> OutputView:
    """Return a view of ``items`` for the category 科技."""
    base = OutputView(
        site=SITE,
        feed=OutputFeed(slug=slug, title="科技", description="Chips & more", entries=100),
        items=items,
        updated_at=max((item.updated_at for item in items), default=NOON),
    )
    return replace(base, **facts)  # type: ignore[arg-type]


def rich_view() -> OutputView:
    """Return items with every field, without almost any, in several scripts, and with text that looks like markup."""
    return view(
        stored(0, _FULL, categories=("科技", "Markets"), updated_at=NOON + timedelta(hours=2)),
        stored(
            1,
            Item(
                title="芯片股大涨：“国产替代”加速",
                link="https://wire.example.com/a/1",
                content="<p>正文。</p>",
                language="zh_CN",
            ),
        ),
        stored(
            2, Item(title="R&D <b>is</b> not 'bold' ]]> \"at all\"", link="https://wire.example.com/a/2", tags=("R&D",))
        ),
        stored(3, Item(title="", summary="<p>No title &amp; <em>no link</em></p>", guid="x")),
        stored(4, Item(title="", content="<p>Only a content</p>")),
        stored(
            5,
            Item(
                title="עברית וגם العربية", link="https://wire.example.com/ע?q=א ב", summary="<p>rtl</p>", language="he"
            ),
        ),
        stored(6, Item(title="No link, no text"), source_url=None, source_link=None, source_title=""),
        stored(7, Item(title="", link="https://wire.example.com/a/7")),
        stored(
            8, Item(title="Same twice", content="<p>once</p>", summary="<p>once</p>"), source_url="file:///srv/feed.xml"
        ),
        stored(9, Item(title="Emoji 🚀 \U00020000", content="<pre>  two\n\tlines  </pre>", tags=("科技", "科技", " "))),
    )


def wordy_view(entries: int, words: int = 45) -> OutputView:
    """Return ``entries`` items with text of about 40 bytes a word."""
    text = "<p>" + "半导体 chips &amp; 股市 <b>bold</b> " * words + "</p>"
    return view(
        *(
            stored(
                number,
                Item(
                    title=f"第{number}条 & more",
                    link=f"https://wire.example.com/a/{number}",
                    summary="<p>摘要</p>",
                    content=text,
                ),
                categories=("科技",),
            )
            for number in range(entries)
        )
    )


_FULL = Item(
    title="Everything at once",
    guid="https://wire.example.com/?p=1",
    link="https://wire.example.com/a/0?x=1&y=2#top",
    summary="<p>In short: <b>all</b></p>",
    content='<p>At length: <a href="https://wire.example.com/b?x=1&amp;y=2">all</a> &lt;of&gt; it &amp; more</p>',
    authors=(
        Person(name="Ann Writer", email="ann@wire.example.com"),
        Person(name="李 四", uri="https://wire.example.com/people/李四"),
        Person(name="O'Neil & Co <x>", uri="javascript:alert(1)", email="not an address"),
    ),
    tags=("芯片", "Markets", "R&D"),
    language="en_us",
    image="https://wire.example.com/i/0.jpg?w=800&h=600",
    comments="https://wire.example.com/a/0#comments",
    enclosures=(
        Enclosure(
            url="https://wire.example.com/e/0.mp3",
            media_type="Audio/MPEG; codecs=mp3",
            length=1234567,
            duration=3725,
            title="Listen & learn",
        ),
        Enclosure(url="https://wire.example.com/e/0 final.pdf", media_type="application/pdf", title="The report"),
        Enclosure(url="ftp://wire.example.com/e/0.iso", media_type="application/octet-stream"),
        Enclosure(url="https://wire.example.com/e/0.bin", duration=0, length=-1),
    ),
)
