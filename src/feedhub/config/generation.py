"""A configuration as one text that another machine can load: all files that it is made of, and no secret."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from feedhub.config.reading import MOST_BYTES, Facts, LimitedReader
from feedhub.errors import UsageError
from feedhub.model.settings import Settings

_FORM: Final = 1


def written_generation(main: str, overrides: Sequence[str], settings: Settings, facts: Facts) -> str:
    """Return the configuration ``main``, of which a reader found these facts, as one text: the same for the same files.

    Raises:
        UsageError: a secret stands in a file, where it must be ``${NAME}``; or a file was changed meanwhile.
    """
    files: dict[str, str | None] = {}
    reader = LimitedReader()
    for path, _, digest in facts["files"]:
        try:
            files[path] = reader.text(path) if digest else None
        except (OSError, ValueError):
            files[path] = ""
        if digest and reader.tried[path] != digest:
            raise UsageError(f"{path} was changed while it was read: try again")
    texts = {**{path: text for path, text in files.items() if text}, "--set": "\n".join(overrides)}
    user = urlsplit(settings.store).username or ""  # by itself no secret
    _refuse_secrets(texts, [secret for secret in settings.secrets if secret != unquote(user)])
    document = {
        "form": _FORM,
        "main": main,
        "overrides": list(overrides),
        "files": files,
        "patterns": [[folder, pattern, [path for path, _ in found]] for folder, pattern, found in facts["patterns"]],
        "names": facts["names"],
    }
    return json.dumps(document, ensure_ascii=False, sort_keys=True)


def _refuse_secrets(texts: Mapping[str, str], secrets: Iterable[str]) -> None:
    for secret in secrets:
        for path, text in texts.items():
            place = text.find(secret)
            if place >= 0:
                line = text.count("\n", 0, place) + 1
                raise UsageError(
                    f"{path}:{line}: a secret stands here: write ${{NAME}} instead, and give every machine the variable"
                )


def digest_of(document: str) -> str:
    """Return what tells whether two configurations are the same."""
    return hashlib.sha256(document.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(slots=True, kw_only=True)
class GivenReader(LimitedReader):
    """Answers out of such a text what ``LimitedReader`` reads from the disk."""

    given: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, document: str) -> "GivenReader":
        """Return the reader of a text.

        Raises:
            UsageError: it is of another version of feedhub.
        """
        given = json.loads(document)
        if given.get("form") != _FORM:
            raise UsageError("the configuration was applied by another version of feedhub: `feedhub apply` it anew")
        return cls(given=given, edited={path: text for path, text in given["files"].items() if text is not None})

    @property
    def main(self) -> str:
        """The path of the first file, on the machine where it was applied."""
        path: str = self.given["main"]
        return path

    @property
    def overrides(self) -> tuple[str, ...]:
        """What was given by ``--set``."""
        return tuple(self.given["overrides"])

    def text(self, path: str, *, most: int = MOST_BYTES) -> str:
        """See ``LimitedReader``."""
        self.require(path)
        return LimitedReader.text(self, path, most=most)

    def require(self, path: str) -> None:
        """See ``LimitedReader``."""
        if path not in self.edited:
            raise FileNotFoundError(2, "No such file or directory", path)

    def names(self, folder: str, endings: tuple[str, ...]) -> list[str]:
        """See ``LimitedReader``."""
        for known, ended, found in self.given["names"]:
            if (known, tuple(ended)) == (folder, endings):
                return list(found)
        raise FileNotFoundError(2, "No such file or directory", folder)

    def matches(self, folder: str, pattern: str) -> list[str]:
        """See ``LimitedReader``."""
        asked = (folder, pattern)
        return next((list(found) for *known, found in self.given["patterns"] if tuple(known) == asked), [])
