"""Templates of posts: Jinja2 in a sandbox. The template is the site owner's; every value in it may be hostile.

A value is never evaluated. Not by Jinja2: values are data. Not by Liquid, with which Jekyll reads the whole post, and
not by Markdown: in a value ``{{``, ``{%``, ``{:`` and ``](``, ``][``, ``]:`` lose their meaning, because their first
character is written as an HTML entity, which readers see as itself. So a text cannot make a tag, an attribute list or a
link with a scheme that the sanitiser refused. Plain text (a title) is escaped as HTML too. A value without any of this
stands byte for byte as it came. What goes through ``yaml`` or ``scalar`` is for the front matter and gets nothing else.
"""

import re
from collections.abc import Mapping
from typing import Final

from jinja2 import StrictUndefined, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup, escape

from feedhub.errors import PublishError
from feedhub.publish.front_matter import Scalar, quoted, scalar

# At the end of a value too: the template, or the next value, may go on with the other half.
_ACTIVE = re.compile(r"\{(?=[{%:]|\Z)|\](?=[(\[:]|\Z)")
_ENTITIES: Final = {"{": "&#123;", "]": "&#93;"}
_NAME: Final = "<template>"


class PostTemplate:
    """A compiled template. ``{% … %}`` on a line of its own leaves no line; one line end at the very end is dropped."""

    def __init__(self, text: str) -> None:
        """Raises PublishError, with the line, when ``text`` is no template."""
        environment = ImmutableSandboxedEnvironment(
            autoescape=True,
            undefined=StrictUndefined,
            finalize=_inert,
            trim_blocks=True,
            lstrip_blocks=True,
            newline_sequence="\n",
            keep_trailing_newline=False,
        )
        # Same input, same bytes: nothing random may be asked for.
        environment.filters.pop("random")
        environment.globals.pop("lipsum")
        environment.filters.update(yaml=quoted, scalar=scalar)
        try:
            self._template = environment.from_string(text)
        except TemplateSyntaxError as exc:
            raise PublishError(f"template line {exc.lineno}: {exc.message}") from exc
        except Exception as exc:  # what the compiler meets when it works out constants
            raise PublishError(f"template: {exc}") from exc

    def render(self, values: Mapping[str, object]) -> str:
        """Return the text of a post; raises PublishError, with the line, when the template fails on these values."""
        try:
            return self._template.render(values)
        except Exception as exc:  # a template can raise whatever Python can
            place = f"template line {line}" if (line := _line_of(exc)) else "template"
            raise PublishError(f"{place}: {str(exc) or type(exc).__name__}") from exc


def _inert(value: object) -> Markup:
    """Return a value as it may stand in the post: text escaped, nothing in it active."""
    if isinstance(value, Scalar):
        return value
    return Markup(_ACTIVE.sub(lambda match: _ENTITIES[match[0]], str(escape(value))))  # noqa: S704 - just escaped


def _line_of(error: Exception) -> int | None:
    """Return the innermost line of the template that was at work; Jinja2 puts it into the traceback."""
    line, trace = None, error.__traceback__
    while trace:
        if trace.tb_frame.f_code.co_filename == _NAME:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
