"""Source kinds: name → ``module:function``; a new kind is one file and one line here."""

KINDS = {
    "feed": "feedhub.sources.readers:read_feed",
    "html": "feedhub.sources.html_page:read_html_page",
    "json": "feedhub.sources.json_api:read_json_api",
}
