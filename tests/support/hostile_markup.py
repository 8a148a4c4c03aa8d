"""Markup that parsers read in two ways (mXSS), and names that hide a page's own (DOM clobbering), by what they try.

Each is a place where a sanitiser and a browser may see different trees: text that one takes for an attribute, a
comment or another namespace, and the other for an element. ``PAYLOAD`` is what would run.
"""

PAYLOAD = "<img src=x onerror=window.pwned=1>"
_IN_ATTRIBUTE = f'<p title="%s{PAYLOAD}">'
# Elements whose content is text, as long as they are where HTML expects them.
_RAW = (
    "noscript style script textarea title xmp noembed noframes iframe plaintext listing select option template".split()
)
# Where HTML elements stand inside svg and math, and the other way round.
_POINTS = (
    "<svg><foreignObject>",
    "<svg><desc>",
    "<svg><title>",
    "<svg><p>",
    "<math><mi>",
    "<math><mtext>",
    '<math><annotation-xml encoding="text/html">',
    '<math><annotation-xml encoding="application/xhtml+xml"><svg>',
    "<math><mtext><mglyph>",
    "<math><mtext><malignmark>",
    "<svg><desc><math><mi>",
    "<math><mi><svg><foreignObject>",
    "<table><svg><desc>",
    "<select><svg>",
    "<template><svg>",
    "<noscript><math>",
)


def _ends_inside_an_attribute() -> dict[str, str]:
    return {
        f"{name} ended in an attribute": f"<{name}>{_IN_ATTRIBUTE % f'</{name}>'}</{name}>" for name in (*_RAW, "svg")
    }


def _raw_text_in_another_namespace() -> dict[str, str]:
    return {
        f"{name} in {point}": f"{point}<{name}>{_IN_ATTRIBUTE % f'</{name}>'}" for point in _POINTS for name in _RAW[:6]
    }


def _comments() -> dict[str, str]:
    openings = ("<!-->", "<!--->", "<!--x--!>", "<!-- --", "<![CDATA[", "<!x", "<?x", "</ x", "<%", "<!--><!--")
    inside = {f"{start} {PAYLOAD[:4]}": f"{start}{PAYLOAD}-->]]>?>" for start in openings}
    foreign = {
        f"{point}{start}": f"{point}{start}{_IN_ATTRIBUTE % '-->]]>'}" for point in _POINTS for start in openings
    }
    return inside | foreign


_MOVED = {
    "form in form": f"<form><div></form><form><math><mtext></form><form><mglyph><style></math>{PAYLOAD}",
    "table out of p": f"<p><table><p><math><mi><table><mglyph><style><!--</style>{_IN_ATTRIBUTE % '--></style>'}",
    "fostered style": f"<table><style><!--</style><td>{_IN_ATTRIBUTE % '--></style>'}",
    "adopted a": f"<a><table><a><svg><style>{_IN_ATTRIBUTE % '</style></svg>'}",
    "adopted b": f"<b><p><svg><b></p><style>{_IN_ATTRIBUTE % '</style>'}",
    "nobr": f"<nobr><svg><nobr><title>{_IN_ATTRIBUTE % '</title>'}",
    "br ends svg": f"<svg></br><style>{_IN_ATTRIBUTE % '</style>'}",
    "p ends math": f"<math></p><style><!--</style>{_IN_ATTRIBUTE % '--></style>'}",
    "select in table": f"<table><tr><select><tr><style>{_IN_ATTRIBUTE % '</style>'}",
    "frameset": f"<frameset><frame src=javascript:1></frameset><noframes>{_IN_ATTRIBUTE % '</noframes>'}",
    "body": "<body onload=window.pwned=1><html onmouseover=window.pwned=1>",
    "deep": f"{'<div>' * 240}<svg><style>{_IN_ATTRIBUTE % '</style>'}",
    "too deep": f"{'<div>' * 600}<svg><style>{_IN_ATTRIBUTE % '</style>'}",
    "deep fonts": f"{'<font>' * 249}<table><b>{'<i>' * 240}<math><style>{_IN_ATTRIBUTE % '</style>'}",
}
_WRITTEN_TWICE = {
    "escaped": "&lt;img src=x onerror=window.pwned=1&gt;",
    "escaped twice": "&amp;lt;img src=x onerror=window.pwned=1&amp;gt;",
    "escaped in an attribute": '<a title="&quot;&gt;&lt;img src=x onerror=window.pwned=1&gt;">x</a>',
    "backquote": "<a title=`x` href=http://e.example/`onmouseover=window.pwned=1`>x</a>",
    "without quotes": "<img alt=x/onerror=window.pwned=1 src=http://e.example/x/onerror=window.pwned=1>",
    "slashes": "<img/src=x/onerror=window.pwned=1/alt=x>",
    "form feed": "<img\x0csrc=x\x0conerror=window.pwned=1>",
    "null": "<im\x00g src=x onerr\x00or=window.pwned=1><scr\x00ipt>window.pwned=1</scr\x00ipt>",
    "controls": "<\x01script>window.pwned=1</script><scr&#1;ipt>window.pwned=1</script>",
    "wide": "＜img src=x onerror=window.pwned=1＞<ımg src=x onerror=window.pwned=1>",
    "long s and kelvin": "<\u017fcript>window.pwned=1</\u017fcript><lin\u212a rel=stylesheet href=//e.example>",
    "equals in a name": '<img alt="x"="y" ="onerror=window.pwned=1" src=x>',
    "lazy picture": """<img data-src="x' onerror=window.pwned=1 '" alt='" onerror=window.pwned=1 "'>""",
    "lazy with a tag": """<img data-src='x"><script>window.pwned=1</script>' alt="><svg onload=window.pwned=1>">""",
    "noscript of a lazy one": f"<img data-src=x.png><noscript>{_IN_ATTRIBUTE % '</noscript>'}</noscript>",
    "noscript in noscript": f"<noscript><noscript></noscript><style></noscript>{PAYLOAD}</style></noscript>",
    "noscript put together": "<scr<noscript></noscript>ipt>window.pwned=1</script>",
    "speck put together": "<scr<img width=1>ipt>window.pwned=1</scr<img width=1>ipt>",
    "heading": '<h1 title="<h1 onclick=window.pwned=1>">x</h1 onclick=window.pwned=1>',
    "frame title": """<iframe src="https://player.vimeo.com/video/1<iframe title='" title='" onload=window.pwned=1'>""",
    "frame name": """<iframe src='https://player.vimeo.com/video/"onload="window.pwned=1'></iframe>""",
    "picture in a title": """<p title='<img onerror="window.pwned=1" src=x>'>x""",
    "added attributes": """<p title="<img >"><a title="<iframe ><audio <video ">x</a>""",
}
_SCHEMES = {
    f"scheme {address!a}": f'<a href="{address}">x</a><img src="{address}"><q cite="{address}">x</q>'
    f'<video poster="{address}"></video><iframe src="{address}"></iframe>'
    for address in (
        "javascript:window.pwned=1",
        "JaVaScRiPt:window.pwned=1",
        " &#14;javascript:window.pwned=1",
        "java\tscript:window.pwned=1",
        "java&NewLine;script&colon;window.pwned=1",
        "javascript&#58window.pwned=1",
        "\u2028javascript:window.pwned=1",
        "http:javascript:window.pwned=1",
        "https://user:pass@javascript:1",
        "//javascript:%0awindow.pwned=1",
        "data:text/html,<script>window.pwned=1</script>",
        "data:image/svg+xml,<svg onload=window.pwned=1>",
        "data:image/png,<svg onload=window.pwned=1>",
        "view-source:javascript:1",
        "blob:https://e.example/1",
        "filesystem:https://e.example/1",
        "mailto:a@e.example?body=<script>window.pwned=1</script>",
        "vbscript:1",
        "file:///etc/passwd",
    )
}
_CLOBBERING = {
    f"clobbering {name}": f'<a id="{name}" name="{name}" href="//e.example">x</a><form id="{name}" name="{name}">'
    f'<input name="{name}" id="{name}"></form><img name="{name}" id="{name}" src=x><iframe name="{name}"></iframe>'
    f'<object name="{name}"></object><embed name="{name}"><p class="{name}" is="{name}" slot="{name}" part="{name}">'
    for name in (
        "document",
        "cookie",
        "getElementById",
        "location",
        "body",
        "parentNode",
        "attributes",
        "__proto__",
        "csp",
    )
}

MARKUP: dict[str, str] = {
    **_ends_inside_an_attribute(),
    **_raw_text_in_another_namespace(),
    **_comments(),
    **_MOVED,
    **_WRITTEN_TWICE,
    **_SCHEMES,
    **_CLOBBERING,
}
