"""Templates of pages: Jinja2 in a sandbox, ours and those of the site's owner, who may replace any of them.

Every value is text and escaped, but for the sanitised content of an item. A value is never evaluated.
"""

from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from importlib.resources import files
from typing import TYPE_CHECKING

from feedhub.errors import PublishError

# Jinja2 is imported when the first page is rendered: mostly no poll brings anything new.
if TYPE_CHECKING:
    from jinja2 import Environment


class PageTemplates:
    """The templates of one site. One of its owner's may extend ours: ``{% extends "feedhub/base.html" %}``.

    One that cannot be used fails when it is rendered: it costs its pages, and no feed.
    """

    def __init__(self, overrides: Sequence[tuple[str, str]]) -> None:
        self.texts: Mapping[str, str] = {**built_in(), **dict(overrides)}

    @cached_property
    def _environment(self) -> "Environment":
        from jinja2 import ChoiceLoader, DictLoader, PrefixLoader, StrictUndefined
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        ours = built_in()
        environment = ImmutableSandboxedEnvironment(
            loader=ChoiceLoader([DictLoader(dict(self.texts)), PrefixLoader({"feedhub": DictLoader(dict(ours))})]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            newline_sequence="\n",
            keep_trailing_newline=True,
            auto_reload=False,
        )
        # Same input, same bytes: nothing random may be asked for.
        environment.filters.pop("random")
        environment.globals.pop("lipsum")
        return environment

    def render(self, name: str, values: Mapping[str, object]) -> bytes:
        """Return a page.

        Raises:
            PublishError: with the name and the line, when a template cannot be used, or fails on these values.
        """
        from jinja2 import TemplateSyntaxError

        try:
            return self._environment.get_template(name).render(values).encode("utf-8", "replace")
        except TemplateSyntaxError as exc:
            raise PublishError(f"template {exc.name} line {exc.lineno}: {exc.message}") from exc
        except Exception as exc:  # a template can raise whatever Python can
            raise PublishError(f"template {name}{_line_of(exc)}: {str(exc) or type(exc).__name__}") from exc


@cache
def built_in() -> dict[str, str]:
    """Return the text of our own templates, by name."""
    folder = files("feedhub.publish").joinpath("templates")
    return {
        file.name: file.read_text("utf-8")
        for file in sorted(folder.iterdir(), key=lambda file: file.name)
        if file.name.endswith((".html", ".css", ".svg"))
    }


def _line_of(error: Exception) -> str:
    """Return the innermost line of a template that was at work; Jinja2 puts it into the traceback."""
    line, trace = "", error.__traceback__
    while trace:
        if "__jinja_template__" in trace.tb_frame.f_globals or trace.tb_frame.f_code.co_filename == "<template>":
            line = f" line {trace.tb_lineno}"
        trace = trace.tb_next
    return line
