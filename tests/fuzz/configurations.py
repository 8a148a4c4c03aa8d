"""Configurations as nobody should save them: real ones, broken by rule, and all that was found to stop a daemon."""

import os
import random
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import yaml

# Written by Python alone, a configuration takes ten times as long to write as to load.
DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
EXAMPLES = Path(__file__).resolve().parents[2] / "config"
FULL = r"""
site: {title: News, url: "https://news.example.org/a", language: zh-CN, timezone: Asia/Shanghai, author: A}
store: sqlite:///var/feedhub.db?timeout=5
include: [more.yaml, "sources/*.yaml", "deep/**/*.yaml"]
output:
  formats: [atom, rss, json]
  entries: 50
  content: summary
  pages: true
  templates: theme
  jekyll: {dir: _posts, template: post.md, filename: "{date}-{id}.md", keep_days: 9, archive: old}
poll:
  every: 15m
  min: 1m
  max: 24h
  workers: 8
  timeout: 30s
  max_size: 10MB
  per_host: {concurrent: 2, gap: 1s, groups: [{hosts: "*.example.com", gap: 5s}], retry_after: host}
  user_agent: "feedhub"
  allow_private: ["127.0.0.1:8099", 10.0.0.0/8, "[::1]:80", localhost]
dedupe: {ignore_parameters: [ref, "src*"], same_title: {within: 7d, across: category}}
retention: {days: 90, items: null}
web: {enabled: true, host: 127.0.0.1, port: 8080, search: true}
websub: {hub: "https://hub.example.org/"}
identity:
  infoCode: {from: [id, link], pattern: '(?:infoCode=|/a/|^)(?:NW)?(\d{18})'}
categories:
  jiemianxinwen: {title: 界面新闻, description: D, entries: 200}
  tech: {title: Tech}
sources:
  - &one
    name: hn
    url: https://news.ycombinator.com/rss
    category: tech
    every: 5m
  - {name: cron, url: feed.xml, schedule: "*/5 9-15 * * 1-5", category: [economy, tech], encoding: gb18030}
  - {name: auto, url: "https://user:pass@example.com/", every: auto, limit: 50, stale_after: 12d, paused: true}
  - {name: signed, url: "https://example.net/${TOKEN:-x}", headers: {Authorization: "Bearer ${TOKEN}"}, proxy: "http://127.0.0.1:1"}
  - name: choice
    kind: json
    url: "https://h.example/web?count={page}"
    items: nodeList
    fields:
      id: infocode
      title: [title, simtitle]
      published: {path: showtime, format: ["%Y-%m-%d %H:%M:%S", epoch]}
      link: {template: "https://h.example/{id}"}
      summary: {path: simdigest, strip: '^【[^】]*】', match: "(.*)", limit: 9}
      tags: "tag[*].name"
      author: from
    category: {from: author, title: "{author}", slug: pinyin, also: [all-news]}
    detail: {url: "https://h.example/t?id={id}", content: text, replace: [["a", "b"]], headers: {X: y}}
    where: "extras.ad == `false`"
    error: "errno != `0`"
    method: POST
    body: {a: 1, b: [x, "2", null], c: {d: true}}
    pages: {start: 1, max: 3, step: 2}
    identity: {code: {from: id, pattern: '\d+'}}
    dedupe: {same_title: 3d}
  - name: page
    kind: html
    url: https://p.example/
    items: "ul.news li"
    fields: {title: "a", link: "a@href", published: {css: "time@datetime"}}
    detail: {css: article}
rules:
  - {name: no advertising, when: {title: '广告|推广'}, then: {drop: true}}
  - name: chips
    when: {any: [{title: '芯片'}, {tags: [semi], all: [{language: zh}]}], not: {source: 'blog-*'}}
    then: {category: [chips], tag: [芯片], replace: {field: title, pattern: '^【([^】]*)】', with: '\1 '}, stop: true}
"""

ENDLESS = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
DOUBLING = ", ".join("{field: content, pattern: '[a-z]', with: aa}" for _ in range(28))
NAMED = {
    "a date pattern with one part twice": (
        "sources: [{name: b, url: x, kind: json, fields: {title: t, published: {path: p, format: '%y %y'}}}]"
    ),
    "an include of 300 characters": f"include: [{'x' * 300}]",
    "an include in a closed folder": "include: [closed/x.yaml, 'closed/*.yaml']",
    "a template that is a device": "output: {jekyll: {template: /dev/zero}}",
    "a template that is a pipe": "output: {jekyll: {template: pipe}}",
    "a theme with a pipe in it": "output: {templates: piped}",
    "an include that is a pipe": "include: [pipe]",
    "a pattern without an end": "include: ['/proc/self/**/*.yaml']",
    "a template without an end": "output: {jekyll: {template: endless.md}}",
    "a theme without an end": "output: {templates: endless}",
    "a store in memory": "store: 'sqlite:///f.db?mode=memory&cache=shared'",
    "rules that double a text": f"rules: [{{name: double, when: {{source: '*'}}, then: {{replace: [{DOUBLING}]}}}}]",
    "a date that never comes": "sources: [{name: b, url: x, schedule: '0 0 30 2 *'}]",
    "a file larger than memory": "include: [huge.yaml]",
    "aliases of a long text": f"sources: [{{name: b, url: x, body: {{a: &x '{'y' * 9_000}', b: [{'*x, ' * 900}*x]}}}}]",
    "files that include themselves": "include: [round.yaml]",
    "a long chain of files": "include: [chain/0.yaml]",
    "a host that no name service takes": f"web: {{enabled: true, host: '{'x' * 300}'}}",
}
"""What once ended or hung the daemon: what each of these says is added to a whole configuration."""

NASTY: tuple[Any, ...] = (
    "", " ", "x" * 300, "a" * 70_000, "界面" * 50, "\u202e", "\0", "\x1b[31m", "\u2028", "..", "../..", "/", "~",
    "~nobody/x", "/dev/zero", "/dev/null", "pipe", "piped", "closed", "folder", "loop", "binary.yaml", "latin.yaml",
    "huge.yaml", "round.yaml", "chain/0.yaml", "endless.md", "endless", "**", "**/**/*", "/proc/self/**/*.yaml",
    "/dev/*", "[", "[]", "[!", "{", "}", "{x}", "{page}", "{cursor}", "{0}", "{a!r}", "{a.b[0]}", "${", "${}",
    "${HOME}", "${NOT_THERE}", "$${", "${A:-${B}}", "%y %y", "%", "%Y%", "%Q %Y", "* * * * *", "0 0 30 2 *",
    "*/0 * * * *", "60 * * * *", "1s", "0s", "-1s", "9999999999d", "0.001s", "0B", "9999999999GB", "1e999", "NaN",
    "-1", "0", "1", "65536", "9" * 400, "true", "no", "null", "auto", "never", "(", "[a-z", "(?=x)", "(a*)*b", r"\1",
    r"\9", "(?P<x>a)(?P<x>b)", "a{1001}", ".{1000}.{1000}", "x" * 9_000, "[[[[[", "a.b.c[?d", "`", ":has(", "a::html",
    "@", "ul > > li", "gopher://x", "http://", "http://[::1", "https://x:99999/", "file:///etc/passwd",
    "http://user:pass@", "//x", "javascript:alert(1)", "127.0.0.1/99", "::1/129", "idna", "undefined",
    "unicode_escape", "../etc", "right/UTC", "zh-CN-x-" + "y" * 50, "con", "all", "index", None, True, 7, 1.5, [], {},
    [[]], [None], {"": ""}, {"a": {"b": {"c": []}}}, ["x"] * 2_000, {f"k{n}": n for n in range(500)},
)  # fmt: skip
_TEXTS = tuple(
    text.encode()
    for text in (*(each for each in NASTY if isinstance(each, str)), "&a ", "*a", "<<: ", "? ", "!!set ", "---\n", "\t")
)


_LIKELY: tuple[Any, ...] = (
    "title", "link", "a", "tech", "news", "feed.xml", "more.yaml", "sources/*.yaml", "theme", "post.md", "_posts",
    "5m", "1h", "7d", "10MB", "1", "20", "full", "none", "UTC", "en", "Europe/Berlin", "utf-8", "big5", "json",
    "html", "feed", "atom", "0 8 * * *", "芯片|半导体", r"(\d+)", "{id}", "https://a.example/{id}",
    "https://b.example/feed", "127.0.0.1", "localhost", "true", "false", "POST", "tag[*].name", "h2 > a", "%Y-%m-%d",
    "epoch", "never", "auto", None, True, 3, ["a", "b"], [], {"title": "x"}, {"path": "x"}, {"title": "Tech"},
    {"drop": True}, ["tech", "news"],
)  # fmt: skip


def furnish(folder: Path) -> None:
    """Make the files that these configurations name."""
    for name in ("theme", "sources", "deep/er", "closed", "folder", "chain", "piped", "endless"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for pipe in ("pipe", "piped/item.html", "sources/pipe.yaml.no"):
        os.mkfifo(folder / pipe)
    files: dict[str, str | bytes] = {
        "more.yaml": "sources: [{name: more, url: more.xml}]",
        "sources/a.yaml": "sources: [{name: a1, url: a1.xml, category: tech}]",
        "deep/er/b.yaml": "categories: {deep: {title: Deep}}",
        "binary.yaml": bytes(range(256)),
        "latin.yaml": b"site: {title: caf\xe9}",
        "round.yaml": "include: [round.yaml, feedhub.yaml]",
        "theme/item.html": "{% extends 'feedhub/item.html' %}",
        "theme/style.css": "body {}",
        "endless/item.html": ENDLESS,
        "endless.md": ENDLESS,
        "post.md": "---\ntitle: {{ title | yaml }}\n---\n{{ content }}\n",
        **{f"chain/{number}.yaml": f"include: [{number + 1}.yaml]" for number in range(100)},
    }
    for name, content in files.items():
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    (folder / "loop").symlink_to("loop")
    (folder / "deep" / "again").symlink_to(folder)
    with (folder / "huge.yaml").open("wb") as file:
        file.truncate(1 << 40)
    (folder / "closed").chmod(0)


def wholes() -> tuple[Any, ...]:
    """Return whole configurations, as values: a small one, the examples, and the full one as often as all others."""
    small = {"site": {"title": "T", "url": "https://news.example.org"}}
    examples = [yaml.safe_load(path.read_text("utf-8")) for path in sorted(EXAMPLES.rglob("*.yaml"))]
    others = (small, *({**small, **each} for each in examples if isinstance(each, dict)))
    return (*others, *(yaml.safe_load(FULL) for _ in others))


def configurations(sites: Sequence[Any], seed: int) -> Iterator[tuple[str, bytes]]:
    """Yield without end what to call a configuration, and its bytes.

    First come the faults that are named above, added to the first of ``sites``; then ``sites`` broken at random.
    """
    for name, text in NAMED.items():
        added = yaml.safe_load(text)
        sources = [*sites[0].get("sources", ()), *added.get("sources", ())]
        yield name, _written({**sites[0], **added, "sources": sources}, None)
    for number in count():
        chance = random.Random(f"{seed} {number}")
        yield f"number {number} of {seed}", _broken(chance, chance.choice(sites))


def _written(value: Any, flow: bool | None) -> bytes:
    text = yaml.dump(value, Dumper=DUMPER, allow_unicode=True, sort_keys=False, default_flow_style=flow)
    return text.encode("utf-8", "replace")


def _broken(chance: random.Random, value: Any) -> bytes:
    """Return a configuration with a few values exchanged, left out or doubled, and sometimes broken as a text."""
    values = NASTY if chance.random() < 0.5 else _LIKELY
    for _ in range(chance.choice((1, 1, 1, 2, 5))):
        value = _changed(chance, value, values)
    written = _written(value, chance.choice((None, True, False)))
    return _cut(chance, written) if chance.random() < 0.3 else written


def _changed(chance: random.Random, value: Any, values: Sequence[Any], depth: int = 0) -> Any:
    """Return a value with a change somewhere in it; the deeper, the likelier."""
    goes_on = chance.random() < (1.0, 0.95)[depth] if depth < 2 else chance.random() < 0.85
    if isinstance(value, dict) and value and goes_on:
        key = chance.choice(list(value))
        match chance.randrange(8):
            case 0:
                return {each: part for each, part in value.items() if each != key}
            case 1:
                return {**value, chance.choice(("x", "url", "include", "", key + "s", "a" * 300)): value[key]}
            case _:
                return {**value, key: _changed(chance, value[key], values, depth + 1)}
    if isinstance(value, list) and value and goes_on:
        at = chance.randrange(len(value))
        match chance.randrange(8):
            case 0:
                return value[:at] + value[at + 1 :]
            case 1:
                return [*value, *value[: at + 1] * chance.choice((1, 50))]
            case _:
                return [*value[:at], _changed(chance, value[at], values, depth + 1), *value[at + 1 :]]
    if chance.random() < 0.1:
        for _ in range(chance.choice((3, 70))):
            value = chance.choice(([value], {"all": [value]}, {"a": value}))
        return value
    return chance.choice(values)


def _cut(chance: random.Random, text: bytes) -> bytes:
    data = bytearray(text)
    for _ in range(chance.randint(1, 4)):
        at, end = sorted(chance.randrange(len(data) + 1) for _ in range(2))
        end = min(end, at + chance.choice((1, 8, 100)))
        match chance.randrange(5):
            case 0:
                del data[at:end]
            case 1:
                data[at:at] = data[at:end] * chance.choice((1, 3))
            case 2:
                data[at:at] = chance.choice(_TEXTS)
            case 3:
                data[at:end] = chance.choice(_TEXTS)
            case _:
                del data[at:]
    return bytes(data)
