"""Templates of pages and posts, in the sandbox of Jinja2: whoever writes one is trusted with nothing but its text."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache, cached_property
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from feedhub.errors import PublishError

if TYPE_CHECKING:
    from jinja2 import BaseLoader, Environment
    from jinja2.sandbox import ImmutableSandboxedEnvironment

# Jinja2 is imported when the first page is rendered: mostly no poll brings anything new.


def sandbox(
    loader: "BaseLoader | None" = None,
    *,
    finalize: Callable[[object], object] | None = None,
    keep_trailing_newline: bool = False,
) -> "ImmutableSandboxedEnvironment":
    """Return an environment that escapes, refuses unknown names, and knows nothing random: same input, same bytes."""
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    facts = {**_environment_facts(), "keep_trailing_newline": keep_trailing_newline}
    environment = ImmutableSandboxedEnvironment(loader=loader, finalize=finalize, **facts)
    environment.filters.pop("random")
    environment.globals.pop("lipsum")
    return environment


def _environment_facts() -> dict[str, Any]:
    from jinja2 import StrictUndefined

    return {
        "autoescape": True,
        "undefined": StrictUndefined,
        "trim_blocks": True,
        "lstrip_blocks": True,
        "newline_sequence": "\n",
        "keep_trailing_newline": True,
        "auto_reload": False,
    }


def _trusted(texts: Mapping[str, str]) -> "Environment":
    """Return an environment for templates of ours alone: the sandbox asks about every name that they use."""
    from jinja2 import DictLoader, Environment

    return Environment(loader=DictLoader(dict(texts)), **_environment_facts())  # noqa: S701 - it escapes


def line_of(error: Exception) -> str:
    """Return `` line 7`` for the innermost line of a template that failed; Jinja2 puts it into the traceback."""
    line, trace = "", error.__traceback__
    while trace:
        if "__jinja_template__" in trace.tb_frame.f_globals or trace.tb_frame.f_code.co_filename == "<template>":
            line = f" line {trace.tb_lineno}"
        trace = trace.tb_next
    return line


@cache
def built_in_templates() -> dict[str, str]:
    """Return the texts of our own templates of published pages, by name."""
    return templates_in("feedhub.publish")


def templates_in(package: str) -> dict[str, str]:
    """Return the texts of the templates that lie in a package, by name."""
    folder = files(package).joinpath("templates")
    return {
        file.name: file.read_text("utf-8")
        for file in sorted(folder.iterdir(), key=lambda file: file.name)
        if file.name.endswith((".html", ".css", ".svg"))
    }


class PageTemplates:
    """The templates of one site. One of its owner's may extend ours: ``{% extends "feedhub/base.html" %}``.

    One that cannot be used fails when it is rendered: it costs its pages, and no feed. ``added`` are templates of ours
    that only pages on request have.
    """

    def __init__(self, overrides: Sequence[tuple[str, str]], added: Mapping[str, str] = MappingProxyType({})) -> None:
        self._ours = {**built_in_templates(), **added}
        self.texts: Mapping[str, str] = {**self._ours, **dict(overrides)}
        self.is_ours = not overrides
        """Whether nothing is of the owner, so that pages may be made of parts that were rendered before."""

    @cached_property
    def _environment(self) -> "Environment":
        from jinja2 import ChoiceLoader, DictLoader, PrefixLoader

        if self.is_ours:
            return _trusted(self._ours)
        ours = PrefixLoader({"feedhub": DictLoader(self._ours)})
        loader = ChoiceLoader([DictLoader(dict(self.texts)), ours])
        return sandbox(loader, keep_trailing_newline=True)

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
            raise PublishError(f"template {name}{line_of(exc)}: {str(exc) or type(exc).__name__}") from exc

    def macros(self, name: str, values: Mapping[str, object]) -> dict[str, Callable[..., str]]:
        """Return the macros of a template, by name."""
        module = self._environment.get_template(name).make_module(dict(values))
        return {name: getattr(module, name) for name in vars(module) if not name.startswith("_")}


MakeTemplates = Callable[[Sequence[tuple[str, str]], Mapping[str, str]], PageTemplates]
"""Makes the templates of a site of those of its owner and those that only pages on request have."""
