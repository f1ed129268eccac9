"""A browser and system in words: by the client hints that it sends, else by the ua-parser library (``user-agents``).

Browsers of the Chromium family call themselves Chrome and their system by a frozen name in ``User-Agent``; who they
are stands in the hints (https://wicg.github.io/ua-client-hints/). Both are kept as one text: what the hints say
follows in the comment that RFC 9110, section 10.1.5, allows there, ``(hints: browser=Edge; system=Windows 11)``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from django.utils.translation import gettext as _

parse: Any
try:
    from ua_parser import parse
except ImportError:  # the extra is not installed
    parse = None

MAX_LENGTH = 512
MAX_HINT = 40
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_BRAND = re.compile(r'"([^"]*)"\s*;\s*v=')
_GREASE = re.compile(r"\W*not\W*a\W*brand\W*", re.IGNORECASE)
"""A brand that stands there so that nobody relies on the form of the list."""
_NOT_IN_HINTS = re.compile(r"[^\w .+-]+", re.ASCII)
_HINTS = re.compile(r"\(hints: (?:browser=([^;()]+))?(?:; )?(?:system=([^;()]+))?\)$")
_SHORT_NAMES = {"Google Chrome": "Chrome", "Microsoft Edge": "Edge", "Chromium OS": "Chrome OS", "Unknown": ""}
_FIRST_WINDOWS_11 = 13
"""The major number that ``Sec-CH-UA-Platform-Version`` has on Windows 11 and later."""


def stated(headers: Mapping[str, str]) -> str:
    """Return what a request's headers say of browser and system: ``User-Agent``, and the client hints if there are any.

    Fit for storing and logging, like the outcome of :func:`clean`.
    """
    hinted = {"browser": _brand(headers.get("Sec-CH-UA", "")), "system": _system(headers)}
    hints = "; ".join(f"{what}={name}" for what, name in hinted.items() if name)
    hints = f" (hints: {hints})" if hints else ""
    user_agent = clean(headers.get("User-Agent", ""))
    return (user_agent[: MAX_LENGTH - len(hints)] + hints).lstrip()


def _brand(brands: str) -> str:
    """Return the brand that tells browsers of one engine apart; empty where there is none beside the engine's."""
    named = _BRAND.findall(brands[:MAX_LENGTH])
    return _hint(next((name for name in named if name != "Chromium" and not _GREASE.fullmatch(name)), ""))


def _system(headers: Mapping[str, str]) -> str:
    system = _hint(headers.get("Sec-CH-UA-Platform", ""))
    version = headers.get("Sec-CH-UA-Platform-Version", "").strip('"').partition(".")[0]
    if system == "Windows" and version.isascii() and version.isdigit() and len(version) < MAX_HINT:
        return "Windows 11" if int(version) >= _FIRST_WINDOWS_11 else "Windows"
    return system


def _hint(text: str) -> str:
    name = _NOT_IN_HINTS.sub("", text)[:MAX_HINT].strip()
    return _SHORT_NAMES.get(name, name)


def clean(user_agent: str) -> str:
    """Return ``user_agent`` fit for storing and logging: nothing that cannot be shown, at most 512 characters."""
    return _CONTROL.sub(" ", user_agent).strip()[:MAX_LENGTH]


def describe(user_agent: str) -> str:
    """Return words such as "Chrome on Windows"; "Web browser" where nothing is known."""
    browser, system = families(user_agent)
    if browser and system:
        return _("%(browser)s on %(system)s") % {"browser": browser, "system": system}
    return browser or system or _("Web browser")


@lru_cache(maxsize=256)
def families(user_agent: str) -> tuple[str, str]:
    """Return the families of browser and operating system, empty where unknown."""
    hints = _HINTS.search(user_agent)
    browser, system = hints.groups("") if hints else ("", "")
    if (browser and system) or parse is None or not user_agent:
        return browser, system
    parsed = parse(user_agent[:MAX_LENGTH])
    browser = browser or (parsed.user_agent.family if parsed.user_agent else "")
    system = system or (parsed.os.family if parsed.os else "")
    return browser, system


def form_factor(user_agent: str) -> str:
    """Return ``phone``, ``tablet`` or ``computer``: enough to choose a picture by, and nothing more."""
    if "iPad" in user_agent or "Tablet" in user_agent or ("Android" in user_agent and "Mobile" not in user_agent):
        return "tablet"
    return "phone" if "Mobile" in user_agent or "iPhone" in user_agent else "computer"
