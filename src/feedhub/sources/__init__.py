"""Source kinds: name → ``module:function``; a new kind is one file and one line here."""

KINDS = {
    "feed": "feedhub.sources.kinds:read_feed",
    "html": "feedhub.sources.mapped.html_page:read_html_page",
    "json": "feedhub.sources.mapped.json_api:read_json_api",
}
