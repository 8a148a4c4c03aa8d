"""Source kinds: name → ``module:function``; a new kind is one file and one line here."""

KINDS = {
    "feed": "feedhub.sources.readers:read_feed",
}
