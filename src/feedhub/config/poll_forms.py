"""The forms of single values that say how sources are polled."""

import math
import re
from typing import Annotated, Final

from pydantic import AfterValidator, PlainValidator, WithJsonSchema

from feedhub.config.forms import DURATION_FORMS, Form, parse_duration, show_duration

_HOST_GLOB: Final = re.compile(r"[\w*?-]+(?:\.[\w*?-]+)*\.?")
_NEVER: Final = "never"


def _host_glob(text: str) -> str:
    if not _HOST_GLOB.fullmatch(text):
        raise ValueError("expected a host name without scheme, port and path, such as *.example.org")
    return text.lower().rstrip(".")


def _parse_silence(value: object) -> float:
    if value == _NEVER:
        return math.inf
    try:
        seconds = parse_duration(value)
    except ValueError as error:
        raise ValueError(f"{error}, or never") from error
    if seconds < 1:
        raise ValueError("expected a duration of at least 1s, or never")
    return seconds


HostGlob = Annotated[str, AfterValidator(_host_glob), Form("host name with `*`")]
Silence = Annotated[
    float,
    PlainValidator(_parse_silence),
    WithJsonSchema({"anyOf": [{"const": _NEVER}, *DURATION_FORMS], "examples": ["12d", _NEVER]}),
    Form("duration, or `never`", show_duration),
]
