"""What our pages may load: one list of players, for the sanitiser, the pages and the web server."""

from typing import Final

PLAYERS: Final = (
    ("www.youtube.com", "/embed/"),
    ("youtube.com", "/embed/"),
    ("www.youtube-nocookie.com", "/embed/"),
    ("youtube-nocookie.com", "/embed/"),
    ("player.vimeo.com", "/video/"),
    ("player.bilibili.com", "/"),
    ("open.spotify.com", "/embed"),
    ("w.soundcloud.com", "/player"),
)
"""Hosts whose players may be shown in a frame, and how the paths of those begin."""

PAGE_POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self' http: https: data:; media-src http: https:; "
    f"frame-src {' '.join(f'https://{host}' for host, _ in PLAYERS)}; base-uri 'none'; form-action 'self'"
)
"""The Content-Security-Policy of every page: nothing runs; pictures, sound and film of articles come from anywhere."""
