"""The posts of the site this began with, made again from its data by templates alone, byte for byte."""

import json
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from feedhub.errors import PublishError
from feedhub.model.item import Item, StoredItem
from feedhub.model.output import Category, PostSettings, PostView, Site
from feedhub.publish.jekyll import JekyllRenderer
from feedhub.rules.categorize import category_slug
from feedhub.rules.text import plain

ROOT = Path(__file__).parent.parent.parent
DATA = ROOT.parent / "shared" / "data" / "finews"
EXAMPLES = ROOT / "config" / "examples" / "finews"
SITE = Site(title="金融消息", url="https://finews.withounder.com", language="zh-CN", timezone="Asia/Shanghai")
LISTS = {"webapi-type102": "records", "webapi-type45": "nodeList", "newmarket": "record"}

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the data of the origin is not beside the project")


def answer(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((DATA / "api" / name).read_text("utf-8"))
    return loaded


def full_text(info_code: str, key: str) -> str:
    path = DATA / "api" / "GetNewsText" / f"{info_code}.json"
    text = json.loads(path.read_text("utf-8")).get(key, "") if path.is_file() else ""
    return str(text).replace("\u3000\u3000", "")


def views(file: str) -> dict[str, PostView]:
    """Return one view per record of a list, by the name of its post."""
    records = answer(file)[next(key for start, key in LISTS.items() if file.startswith(start))]
    made = [rolling(record) if "url_w" in record else of_a_medium(record) for record in records]
    return {f"{at[:10]}-{one.item.item.guid}.md": one for at, one in made}


def rolling(record: dict[str, str]) -> tuple[str, PostView]:
    item = Item(
        title=plain(record["title"]),
        guid=record["id"],
        link=record["url_w"] or None,
        summary=record["digest"].rpartition("】")[2],
        content=full_text(record["infoCode"], "content"),
        published_at=instant(record["showtime"]),
    )
    return record["showtime"], view(item, Category(slug="emnews", title="东财滚动新闻"))


def of_a_medium(record: dict[str, str]) -> tuple[str, PostView]:
    medium = record.get("from") or record["medianame"]
    info_code = record.get("infocode") or record["infoCode"]
    showtime = record.get("showtime") or record["datetime"]
    item = Item(
        title=plain(record["title"]),
        guid=info_code,
        link=f"http://finews.zning.xyz/html_News/NewsShare.html?infoCode={info_code}",
        content=full_text(info_code, "text"),
        published_at=instant(showtime),
    )
    return showtime, view(item, Category(slug=category_slug(medium, readings="pinyin-chars"), title=medium))


def instant(showtime: str) -> datetime | None:
    if not showtime:
        return None
    return datetime.strptime(showtime, "%Y-%m-%d %H:%M:%S").replace(tzinfo=ZoneInfo(SITE.timezone))


def view(item: Item, category: Category) -> PostView:
    at = item.published_at or datetime(2022, 6, 1, tzinfo=ZoneInfo("UTC"))
    stored = StoredItem(
        id="urn:uuid:00000000-0000-5000-8000-000000000001", item=item, source="origin", published_at=at, updated_at=at
    )
    return PostView(site=SITE, item=stored, category=category)


def renderer(template: Path) -> JekyllRenderer:
    settings = PostSettings(template=template.read_text("utf-8"), filename="{date}-{guid}.md")
    return JekyllRenderer(settings, SITE)


def posts(*variants: str) -> list[dict[str, str]]:
    return [
        post for post in json.loads((DATA / "api" / "manifest.json").read_text("utf-8")) if post["variant"] in variants
    ]


def test_every_post_of_the_last_rules_is_made_again_by_one_template() -> None:
    template, equal = renderer(EXAMPLES / "post.md.j2"), Counter[str]()
    for post in posts("EM7", "NW"):
        name = Path(post["file"]).name
        one = views(post["list"])[name]
        if name.startswith("-"):
            with pytest.raises(PublishError, match="no title"):
                template.render(one)
            continue
        rendered = template.render(one)
        assert rendered.path == f"_posts/{name}"
        assert rendered.body == (DATA / post["file"]).read_bytes(), name
        equal[post["variant"]] += 1
    assert equal == {"EM7": 4, "NW": 6}


@pytest.mark.parametrize(
    ("variant", "count"), [("V0", 2), ("V1", 1), ("V2", 4), ("V3", 1), ("V3Z", 1), ("V4", 1), ("V5", 25)]
)
def test_every_post_of_earlier_rules_is_made_again_by_its_template(variant: str, count: int) -> None:
    template, equal = renderer(EXAMPLES / "variants" / f"{variant}.md.j2"), 0
    for post in posts(variant):
        code = Path(post["upstream_path"]).name
        rendered = template.render(views(post["list"])[code])
        assert rendered.path == f"_posts/{code}"
        assert rendered.body == (DATA / post["file"]).read_bytes(), post["file"]
        equal += 1
    assert equal == count
