from collections.abc import Callable
from typing import Any

from feedhub.config.opml import Subscription, read_opml, subscriptions_opml

Make = Callable[[str], Any]

TEXT = """
categories: {news: {title: 新闻}, rd: {title: 'R, D'}}
sources:
  - {name: free, url: https://free.org/f}
  - {name: both, url: 'https://both.org/f?a=1&b=2', category: [tech, news, rd]}
  - {name: one, url: https://one.org/f, category: news}
  - {name: local, url: local.xml, category: news}
  - {name: known, url: 'https://key.org/f?k=${KEY}', category: news}
  - {name: user, url: 'https://u:pass@user.org/f', category: tech}
"""


def test_sources_stand_in_the_folder_of_their_first_category(sited: Make) -> None:
    text = subscriptions_opml(sited(TEXT).load(KEY="abcdef")).decode()
    assert text == (
        "<?xml version='1.0' encoding='UTF-8'?>\n"
        '<opml version="2.0">\n  <head>\n    <title>T</title>\n  </head>\n  <body>\n'
        '    <outline text="新闻">\n'
        '      <outline type="rss" text="one" title="one" xmlUrl="https://one.org/f"/>\n'
        "    </outline>\n"
        '    <outline text="tech">\n'
        '      <outline type="rss" text="both" title="both" xmlUrl="https://both.org/f?a=1&amp;b=2" '
        'category="新闻,rd"/>\n'
        '      <outline type="rss" text="user" title="user" xmlUrl="https://user.org/f"/>\n'
        "    </outline>\n"
        '    <outline type="rss" text="free" title="free" xmlUrl="https://free.org/f"/>\n'
        "  </body>\n</opml>\n"
    )


def test_the_same_settings_give_the_same_bytes(sited: Make) -> None:
    project = sited(TEXT)
    assert subscriptions_opml(project.load(KEY="abcdef")) == subscriptions_opml(project.load(KEY="abcdef"))


def test_what_goes_out_comes_back_in(sited: Make) -> None:
    found = read_opml(subscriptions_opml(sited(TEXT).load(KEY="abcdef")))
    assert (
        Subscription(title="both", url="https://both.org/f?a=1&b=2", categories=("tech", "新闻", "rd"))
        in found.subscriptions
    )
    assert (found.skipped, found.repeats) == ((), ())


def test_no_sources_give_an_empty_list(sited: Make) -> None:
    assert read_opml(subscriptions_opml(sited("").load())).subscriptions == ()
