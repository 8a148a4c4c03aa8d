"""What ``feedhub init`` writes; it is part of the package, so it works from an installed wheel."""

from importlib.resources import files

from feedhub.config.schema import json_schema_text


def starter_files() -> dict[str, str | bytes]:
    """Return the files of a new project: paths relative to its folder, with forward slashes, and their contents."""
    starter = files("feedhub.config").joinpath("starter.yaml").read_text(encoding="utf-8")
    return {
        "config/feedhub.yaml": starter,
        "config/feedhub.schema.json": json_schema_text(),
        "output/.gitkeep": b"",
    }
