"""feedhub: polls many sources, recognises every item once, republishes clean feeds per category."""

__version__ = "0.1.0"
