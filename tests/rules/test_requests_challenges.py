"""Which pages are walls against programs."""

import pytest

from feedhub.rules.requests import is_challenge, is_surely_challenge

LONG = "<p>" + "news " * 1000

# Page, whether it looks like a wall when it is not what was asked for, whether it surely is one.
PAGES = {
    "cloudflare": ("<!DOCTYPE html><html><head><title>Just a moment...</title></head></html>", True, True),
    "cloudflare's script": ("<html><script>window._cf_chl_opt={}</script></html>", True, True),
    "datadome": ("<html><script src='https://geo.captcha-delivery.com/c.js'></script>", True, True),
    "perimeterx": ('<html><body><div id="px-captcha"></div>', True, True),
    "amazon": ("<html><script>window.awsWafCookieDomainList = []</script>", True, True),
    "akamai": ("<HTML><HEAD>\n<TITLE>Access Denied</TITLE>\n</HEAD><BODY>", True, True),
    "a captcha in a form": ("<html><form><div class=g-recaptcha></div></form>", True, False),
    "a script of cloudflare on any page": (
        "<html><script src=/cdn-cgi/challenge-platform/scripts/jsd/main.js>",
        True,
        False,
    ),
    "an article about walls": ("<html><title>Just a moment... please</title>" + LONG, False, False),
    "an article on access": ("<html><title>Access denied to the archives</title>", True, False),
    "a page": ("<html><title>News</title><p>Nothing</p>", False, False),
    "a feed": ("<rss><channel><title>Just a moment...</title></channel></rss>", False, False),
    "JSON": ('{"title": "captcha"}', False, False),
    "nothing": ("", False, False),
}


@pytest.mark.parametrize(("text", "looks", "surely"), PAGES.values(), ids=PAGES)
def test_a_wall_is_known_by_its_marks_and_its_few_words(text: str, looks: bool, surely: bool) -> None:
    assert (is_challenge(text), is_surely_challenge(text)) == (looks, surely)
