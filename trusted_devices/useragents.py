"""A browser and system in words, by the ua-parser library where it is installed (extra ``user-agents``)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from django.utils.translation import gettext as _

parse: Any
try:
    from ua_parser import parse
except ImportError:  # the extra is not installed
    parse = None

MAX_LENGTH = 512
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")


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
    if parse is None or not user_agent:
        return "", ""
    parsed = parse(user_agent[:MAX_LENGTH])
    browser = parsed.user_agent.family if parsed.user_agent else ""
    system = parsed.os.family if parsed.os else ""
    return browser, system


def form_factor(user_agent: str) -> str:
    """Return ``phone``, ``tablet`` or ``computer``: enough to choose a picture by, and nothing more."""
    if "iPad" in user_agent or "Tablet" in user_agent or ("Android" in user_agent and "Mobile" not in user_agent):
        return "tablet"
    return "phone" if "Mobile" in user_agent or "iPhone" in user_agent else "computer"
