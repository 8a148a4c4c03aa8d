"""The pictures of the README: the demo's site in Chromium, light, dark and on a phone. `make screenshots`.

Needs Debian's chromium and fonts-noto-cjk; asks nothing of any other host. CHROMIUM names another browser.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from playwright.sync_api import Browser, sync_playwright

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
WIDE, PHONE = (1180, 800), (390, 780)


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder and says nothing."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve a folder on a free loopback port; give its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def take(browser: Browser, address: str, target: Path, size: tuple[int, int], scheme: str) -> None:
    """Write a picture of what is seen without scrolling."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if scheme == "dark" else "light",
        device_scale_factor=2 if size == PHONE else 1,
    )
    page = context.new_page()
    page.goto(address)
    page.screenshot(path=str(target), full_page="--full" in sys.argv)
    context.close()
    print(target)


def main() -> None:
    """Run the demo and take the pictures into the folder named on the command line, or docs/images."""
    named = [argument for argument in sys.argv[1:] if not argument.startswith("--")]
    images = Path(named[0]) if named else Path(__file__).parent.parent / "docs" / "images"
    images.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "feedhub", "demo", "--dir", folder], check=True, capture_output=True)
        output = Path(folder) / "output"
        # The longest article: one with headings, pictures and further reports.
        article = max(output.glob("items/*/*/*.html"), key=lambda path: (path.stat().st_size, path.name))
        with serving(output) as site, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
            item = f"{site}/{article.relative_to(output).as_posix()}"
            take(browser, f"{site}/index.html", images / "front-light.png", WIDE, "light")
            take(browser, f"{site}/index.html", images / "front-dark.png", WIDE, "dark")
            take(browser, f"{site}/category/caijing.html", images / "category-phone.png", PHONE, "light")
            take(browser, item, images / "item-phone-dark.png", PHONE, "dark")
            take(browser, item, images / "item-light.png", WIDE, "light")
            browser.close()


if __name__ == "__main__":
    main()
