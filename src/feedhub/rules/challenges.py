"""Tells pages that keep programs out (challenges, captchas, blocks) from what was asked for."""

import re
from typing import Final

from feedhub.rules.lazy_patterns import lazy_pattern
from feedhub.rules.text import visible_text

_BEGINS_AS_PAGE: Final = lazy_pattern(
    r"[\s\ufeff]*<(?:!doctype\s+html|html|head|body|title|meta|script|!--)", re.IGNORECASE
)
_HINTS: Final = lazy_pattern(
    r"cf-chl|challenge-platform|just a moment\.\.\.|attention required!|ddos-guard|_incapsula_|px-captcha"
    r"|captcha|datadome|sucuri website firewall|checking your browser|enable javascript and cookies"
    r"|verify (?:that )?you are (?:a )?human|are you a robot|unusual traffic|awswaf|access denied",
    re.IGNORECASE,
)
# What only a challenge has: its title, or the script that runs it. On ordinary pages the same services have another
# script.
_PROOFS: Final = lazy_pattern(
    r"<title>\s*(?:just a moment\.\.\.|attention required! \| cloudflare|ddos-guard|checking your browser"
    r"|access denied\s*</title>|security check|are you a robot\?|human verification|robot check"
    r"|please wait\.\.\. \| cloudflare|vercel security checkpoint)"
    r"|_cf_chl_opt|/cdn-cgi/challenge-platform/h/|captcha-delivery\.com|id=[\"']px-captcha[\"']|window\.awswafcookiedomainlist"
    r"|/_incapsula_resource\?swudnsai",
    re.IGNORECASE,
)
_HEAD: Final = 65_536
_FEW_WORDS: Final = 2_000


def is_challenge(text: str) -> bool:
    """Tell whether a page that is not what was asked for looks like a challenge."""
    return bool(_HINTS.search(text[:_HEAD]) or _PROOFS.search(text[:_HEAD])) and _is_short_page(text)


def is_surely_challenge(text: str) -> bool:
    """Tell whether a page is a challenge, whatever was asked for; an ordinary page with a captcha in a form is none."""
    return bool(_PROOFS.search(text[:_HEAD])) and _is_short_page(text)


def _is_short_page(text: str) -> bool:
    """Tell whether a page has little text, as challenges do; a page that only mentions one has more."""
    return bool(_BEGINS_AS_PAGE.match(text)) and len(visible_text(text[: 4 * _HEAD]).strip()) < _FEW_WORDS
