"""Generated parts of RSS 2.0 and Atom 1.0, as publishers write them and as they should not."""

from xml.sax.saxutils import escape, quoteattr

from hypothesis import strategies as st

texts = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        [
            "",
            " ",
            "AT&T",
            "<b>bold</b> &amp; more",
            "Caf\u00c3\u00a9",
            "\x93quoted\x94",
            "银行",
            "a\nb",
            "&eacute;",
            "1 < 2",
        ]
    ),
).map(lambda text: "".join(char for char in text if char in "\t\n" or (char.isprintable() and char < "\ud800")))
addresses = st.sampled_from(
    [
        "",
        "a/b",
        "/x?y=1&z=2",
        "https://x.example/a;b",
        "HTTP://X.example",
        "https://x.example",
        "javascript:x",
        "?q",
        "https://x.example/a?b&amp;c;=1",
        "//x.example/é",
        "https:///x.example/a",
        " https://x.example/a b ",
        "mailto:a@b.c",
    ]
)
people = st.sampled_from(["Ann", "ann@x.example (Ann)", "Ann <ann@x.example>", "ann@x.example", "", "银行"])
dates = st.sampled_from(["Fri, 05 Jan 2024 08:00:00 GMT", "2024-01-05T08:00:00Z", "2024-01-05 08:00", "soon", ""])


def element(name: str, content: st.SearchStrategy[str], **attributes: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    def written(value: str, cdata: bool, given: dict[str, str]) -> str:
        inside = f"<![CDATA[{value}]]>" if cdata and "]]>" not in value else escape(value)
        told = "".join(f" {key}={quoteattr(text)}" for key, text in given.items())
        return f"<{name}{told}>{inside}</{name}>"

    options = st.fixed_dictionaries({}, optional=attributes)
    return st.builds(written, content, st.booleans(), options)


nothing = st.just("")


def several(*elements: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Any of the elements in any order, seldom one of them twice."""
    some = [st.one_of(nothing, one) for one in elements]
    twice = st.one_of(*(nothing for _ in range(3 * len(elements))), *elements)
    return st.tuples(*some, twice).flatmap(lambda parts: st.permutations([part for part in parts if part])).map("".join)


types = st.sampled_from(["text", "html", "HTML", "text/html", "text/plain", "xhtml", "image/png"])
xhtml_words = texts.map(escape)
xhtml_attributes = st.sampled_from(
    [
        "",
        " href='/x?a=1&amp;b=&quot;2&quot;'",
        " CLASS='Wide' lang='fr'",
        " rel='NoFollow'",
        " xml:lang='fr'",
        " base='/y'",
    ]
)
xhtml_tags = st.sampled_from(["p", "B", "br", "div", "script", "a", "p", "li", "em", "pre", "img", "svg"])


def xhtml_element(inside: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(
        lambda tag, told, text: f"<{tag}{told}>{text}</{tag}>" if text else f"<{tag}{told}/>",
        xhtml_tags,
        xhtml_attributes,
        inside,
    )


xhtml_parts = st.recursive(xhtml_words, lambda inside: st.lists(xhtml_element(inside), max_size=3).map("".join))
in_div = st.sampled_from(
    [
        '<div xmlns="http://www.w3.org/1999/xhtml">{}</div>',
        ' <div xmlns="http://www.w3.org/1999/xhtml" class="a">{}</div>\n',
        '<div xmlns="http://www.w3.org/1999/xhtml">{}</div><div xmlns="http://www.w3.org/1999/xhtml">more</div>',
        '<p xmlns="http://www.w3.org/1999/xhtml">{}</p>',
        'before <div xmlns="http://www.w3.org/1999/xhtml">{}</div>',
        '<x:div xmlns:x="http://www.w3.org/1999/xhtml">{}</x:div>',
        "<div>{}</div>",
        "{}",
    ]
)


def xhtml(name: str) -> st.SearchStrategy[str]:
    told = st.sampled_from(["", " xml:lang='pt_BR'", " xml:base='https://other.example/'", " xml:base='javascript:x'"])
    return st.builds(
        lambda about, frame, text: f"<{name} type='xhtml'{about}>{frame.format(text)}</{name}>",
        told,
        in_div,
        xhtml_parts,
    )


atom_author = st.builds(
    "<author>{}{}{}</author>".format,
    *(element(name, values) | nothing for name, values in (("name", people), ("uri", addresses), ("email", people))),
)
categories = element("category", texts, domain=texts)
rss_links = element("atom:link", nothing, href=addresses, rel=st.sampled_from(["self", "Alternate", "enclosure"]))
namespaces = st.sampled_from(["", " xmlns:media='http://search.yahoo.com/mrss/'", " xmlns:new='https://new.example/'"])
beside_media = several(
    element("media:title", texts, type=st.sampled_from(["plain", "html"])),
    element("media:description", texts, type=st.sampled_from(["text", "html"])),
    element("media:thumbnail", nothing, url=addresses),
    element("media:credit", people, role=texts),
    element("media:category", texts, label=texts),
    element("media:keywords", texts),
    st.just("<media:community><media:starRating count='5' average='4.2'/></media:community>"),
)
media_contents = st.builds(
    "<media:content url={}{}>{}</media:content>".format, addresses.map(quoteattr), namespaces, beside_media
)
media_groups = st.builds("<media:group>{}{}</media:group>".format, media_contents, beside_media)
foreign = st.one_of(
    element("shop:price", texts, currency=texts),
    element("shop:title", texts),
    st.builds("<shop:offer{}><shop:link href='/x'>{}</shop:link></shop:offer>".format, namespaces, texts.map(escape)),
    st.just("<new:link xmlns:new='https://new.example/' rel='self' href='/y'>z</new:link>"),
)
itunes = (
    element("itunes:author", people),
    element("itunes:title", texts),
    element("itunes:summary", texts),
    element("itunes:subtitle", texts),
    element("itunes:keywords", st.sampled_from(["", "a,b", " a , ,银行", "a"])),
    element("itunes:explicit", st.sampled_from(["yes", "clean", ""])),
    element("itunes:image", nothing, href=addresses),
)
podcast_feeds = several(
    *itunes,
    st.builds(
        "<itunes:owner>{}{}</itunes:owner>".format,
        *(element(f"itunes:{name}", people) | nothing for name in ("name", "email")),
    ),
    st.just("<itunes:category text='News'><itunes:category text='Daily'/></itunes:category>"),
    st.just("<itunes:new-feed-url>https://x.example/new</itunes:new-feed-url>"),
    foreign,
)
podcast_entries = several(
    element("title", texts),
    element("guid", texts),
    element("description", texts),
    element("itunes:duration", st.sampled_from(["61", "1:01", ""])),
    element("itunes:episode", st.just("7")),
    element("enclosure", nothing, url=addresses, type=st.just("audio/mpeg")),
    *itunes,
    media_groups,
    media_contents,
    foreign,
).map("<item>{}</item>".format)
rss_entries = several(
    element("title", texts),
    element("link", addresses),
    element("guid", texts, isPermaLink=st.sampled_from(["true", "false"])),
    element("pubDate", dates),
    element("dc:date", dates),
    element("description", texts),
    element("content:encoded", texts),
    element("author", people),
    element("dc:creator", people),
    categories,
    element("comments", addresses),
    rss_links,
    element(
        "enclosure", nothing, url=addresses, type=st.sampled_from(["audio/mpeg", "IMAGE/PNG"]), length=st.just("5")
    ),
    element("media:content", nothing, url=addresses, medium=st.just("image")),
    element("slash:comments", texts),
    element("media:thumbnail", nothing, url=addresses),
    element("source", texts, url=addresses),
).map("<item>{}</item>".format)
rss_feeds = several(
    element("language", texts),
    element("ttl", texts),
    categories,
    rss_links,
    element("description", texts),
    st.just("<image><url>https://x.example/i.png</url><title>Logo</title><link>/</link></image>"),
    element("managingEditor", people),
)
atom_links = element(
    "link", nothing, href=addresses, rel=st.sampled_from(["self", "alternate", "replies", "enclosure"]), type=types
)
atom_entries = several(
    element("title", texts, type=types),
    element("id", texts),
    element("published", dates),
    element("updated", dates),
    element("summary", texts, type=types),
    element("content", texts, type=types),
    atom_author,
    atom_links,
    element("category", texts, term=texts, label=texts, scheme=texts),
    media_groups,
    foreign,
).map("<entry>{}</entry>".format)
atom_pages = several(
    xhtml("title"),
    xhtml("summary"),
    xhtml("content"),
    element("content", texts, **{"type": types, "xml:lang": st.sampled_from(["", "de_AT"]), "xml:base": addresses}),
    atom_links,
).map("<entry>{}</entry>".format)
atom_feeds = several(atom_author, atom_links, element("subtitle", texts, type=types), element("updated", dates))
