"""The HTML door: signing in and out, proving a second factor again, and a user's own devices."""

from __future__ import annotations

from trusted_devices.web.views.csrf import csrf_failure

__all__ = ["csrf_failure"]
