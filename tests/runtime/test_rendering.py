"""Templates of the owner are rendered under limits: one that takes too long or too much costs its page (SPEC §6)."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from feedhub.errors import PublishError
from feedhub.publish.jekyll import PostTemplate
from feedhub.publish.templating import PageTemplates
from feedhub.runtime.rendering import LimitedTemplates

NESTED = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
GROWING = "{% set ns = namespace(s='x' * 1000) %}{% for a in range(40) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}"
LARGE = "{{ 'x' * n }}"


@pytest.fixture(scope="module")
def templates() -> Iterator[LimitedTemplates]:
    made = LimitedTemplates(timeout=1.0, rest=0.0)
    yield made
    made.close()


def test_a_page_is_what_it_is_without_limits(templates: LimitedTemplates) -> None:
    own = (("a.html", "{% extends 'feedhub/base.html' %}{{ x }} {{ y | join('&') }}"), ("b.html", "<p>{{ x }}</p>"))
    values = {"x": "1 < 2", "y": ["a", "b"]}
    assert templates.page(own, {}).render("b.html", values) == b"<p>1 &lt; 2</p>"
    assert templates.page(own, {}).render("b.html", values) == PageTemplates(own, {}).render("b.html", values)
    assert templates.page(own, {"c.html": "{{ x }}"}).render("c.html", values) == b"1 &lt; 2"
    assert templates.page(own, {}).texts == PageTemplates(own, {}).texts


def test_a_post_is_what_it_is_without_limits(templates: LimitedTemplates) -> None:
    text, values = "---\ntitle: {{ t | yaml }}\n---\n{{ t }}\n", {"t": "{{ x }} <b>"}
    assert templates.post(text).render(values) == PostTemplate(text).render(values)


@pytest.mark.parametrize("text", ["{% if %}", "{{ nothing }}", "{{ 1 / 0 }}"])
def test_what_is_wrong_with_a_template_is_said_as_without_limits(templates: LimitedTemplates, text: str) -> None:
    with pytest.raises(PublishError) as limited:
        templates.page((("a.html", f"\n{text}"),), {}).render("a.html", {})
    with pytest.raises(PublishError) as unlimited:
        PageTemplates((("a.html", f"\n{text}"),)).render("a.html", {})
    assert str(limited.value) == str(unlimited.value)
    assert "line 2" in str(limited.value)
    with pytest.raises(PublishError):
        templates.post(text).render({})


@contextmanager
def refused(reason: str, within: float = 8.0) -> Iterator[None]:
    began = time.monotonic()
    with pytest.raises(PublishError, match=reason):
        yield
    assert time.monotonic() - began < within


def test_a_template_without_an_end_costs_its_page(templates: LimitedTemplates) -> None:
    pages = templates.page((("a.html", NESTED), ("b.html", "well")), {})
    with refused("template a.html: it took longer than 1 s"):
        pages.render("a.html", {})
    assert pages.render("b.html", {}) == b"well"
    with refused("template: it took longer than 1 s"):
        templates.post(NESTED).render({})


def test_a_template_that_grows_without_bound_costs_its_page(templates: LimitedTemplates) -> None:
    for text in (GROWING, "{{ 'x' * 10 ** 10 }}"):
        with refused("it needs too much memory|its process died|it took longer"):
            templates.page((("a.html", text),), {}).render("a.html", {})
        with refused("it needs too much memory|its process died|it took longer"):
            templates.post(text).render({})
    with refused("gives more than 20 MB"):
        templates.page((("a.html", LARGE),), {}).render("a.html", {"n": 20_000_001})
    assert len(templates.page((("a.html", LARGE),), {}).render("a.html", {"n": 20_000_000})) == 20_000_000


def test_what_took_too_long_is_not_tried_again_and_its_template_rests_meanwhile() -> None:
    templates = LimitedTemplates(timeout=0.7, rest=2.0)
    try:
        text = f"{{% if slow %}}{NESTED}{{% endif %}}{{{{ name }}}}"
        post, other = templates.post(text), templates.post("{{ name }}")
        assert post.render({"slow": False, "name": "one"}) == "one"
        slow = {"slow": True, "name": "two"}
        with refused("it took longer than 0.7 s"):
            post.render(slow)
        began = time.monotonic()
        for values in (slow, {"slow": False, "name": "three"}):
            with refused("it took longer than 0.7 s", within=0.2):
                post.render(values)
        assert other.render({"name": "four"}) == "four"
        time.sleep(max(0.0, 2.0 - (time.monotonic() - began)))
        with refused("it took longer than 0.7 s", within=0.2):
            post.render(slow)
        assert post.render({"slow": False, "name": "three"}) == "three"
    finally:
        templates.close()
