"""The web server's settings."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSettings:
    """Where the web server listens, and whether the daemon starts it. Port 0 takes any that is free."""

    enabled: bool = False
    host: str = "127.0.0.1"
    port: int = 8080
