"""A real browser without a window, for pages that must open in one."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest

NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Asked of the page itself, once everything is loaded.
_PROBE: Final = """
<script>
window.faults = [];
document.addEventListener("securitypolicyviolation", e => window.faults.push(e.blockedURI));
window.addEventListener("load", () => {
  const images = [...document.images].map(i => ({alt: i.alt, width: i.naturalWidth}));
  const found = {
    title: document.title,
    headings: [...document.querySelectorAll("h1, h2, h3")].map(h => h.textContent),
    images: images,
    tables: document.querySelectorAll("table").length,
    scripts: document.scripts.length - 1,
    fetched: performance.getEntriesByType("resource").map(r => r.name)
      .filter(name => !name.startsWith("data:")),
    overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    faults: window.faults,
  };
  const told = document.createElement("pre");
  told.id = "told-by-the-page";
  told.textContent = JSON.stringify(found);
  document.body.appendChild(told);
});
</script>
"""


def find_browser() -> str:
    """Path of Chromium or Chrome; skips the test where there is none (`make browser` gets one)."""
    for name in NAMES:
        path = shutil.which(name)
        if path is not None:
            return path
    pytest.skip("no Chromium: make browser installs one")


def look_at(page: Path, folder: Path, *, width: int = 1100) -> dict[str, Any]:
    """Open a copy of a page in a browser that has no network, and ask it what it shows."""
    text = page.read_text(encoding="utf-8")
    text = text.replace("default-src 'none'", "default-src 'none'; script-src 'unsafe-inline'")
    probed = folder / "probed.html"
    probed.write_text(text.replace("</head>", _PROBE + "</head>"), encoding="utf-8")
    shown = run_browser(folder, probed, "--dump-dom", f"--window-size={width},1000")
    told = re.search(r'<pre id="told-by-the-page">(.*?)</pre>', shown, re.DOTALL)
    assert told is not None, shown[-2000:]
    found: dict[str, Any] = json.loads(html.unescape(told[1]))
    return found


def run_browser(folder: Path, page: Path, *options: str) -> str:
    """What the browser prints for a page."""
    done = subprocess.run(
        [
            find_browser(),
            "--headless",
            "--no-sandbox",  # which root, as in CI, cannot have; the page is our own
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-first-run",
            "--host-resolver-rules=MAP * ~NOTFOUND",
            f"--user-data-dir={folder / 'profile'}",
            *options,
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout
