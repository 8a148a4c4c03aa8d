"""Signs requests to cls.cn: ``sign`` is the MD5 of the hexadecimal SHA-1 of the sorted query."""

from dataclasses import replace
from hashlib import md5, sha1
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from feedhub.model.document import Request
from feedhub.model.source import Source


def sign(request: Request, source: Source) -> Request:
    """Return ``request`` with its query sorted and signed."""
    parts = urlsplit(request.url)
    pairs = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0] != "sign"]
    query = urlencode(sorted(pairs))
    # The service's own scheme; nothing is kept secret by it.
    inner = sha1(query.encode(), usedforsecurity=False).hexdigest()
    signature = md5(inner.encode(), usedforsecurity=False).hexdigest()
    return replace(request, url=urlunsplit(parts._replace(query=f"{query}&sign={signature}")))
