"""What the admin says of a device, in words: the columns of its lists and the facts on its page."""

from __future__ import annotations

from datetime import datetime

from django.contrib import admin
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from trusted_devices.models import Device
from trusted_devices.policy import effective_expiry
from trusted_devices.services import sessions, site_policy
from trusted_devices.words import times

NOTHING = "-"


class DeviceFacts:
    """For a model admin or an inline of devices."""

    @admin.display(description=_("device"))
    def label(self, device: Device) -> str:
        """Its name, and browser and system in words."""
        return f"{device.name} ({device.description})" if device.name else device.description

    @admin.display(description=_("browser and system"))
    def description(self, device: Device) -> str:
        """Browser and system in words."""
        return device.description

    @admin.display(description=_("status"))
    def status_words(self, device: Device) -> str:
        """The status; not by colour alone."""
        kind = "td-remembered" if device.is_remembered else "td-not-remembered"
        return format_html('<span class="td-status {}">{}</span>', kind, device.get_status_display())

    @admin.display(description=_("trusted until"))
    def trusted_until(self, device: Device) -> str:
        """What the policy makes of the date that was given, marked once it has passed."""
        expiry, now = _effective_expiry(device), timezone.now()
        return NOTHING if expiry is None else _marked(times.until(expiry, now), ended=expiry <= now)

    @admin.display(description=_("last used"))
    def last_used(self, device: Device) -> str:
        """How long ago a user signed in from it."""
        at = device.last_authenticated_at
        return _time(times.ago(at, timezone.now())) if at else NOTHING

    @admin.display(description=_("chosen period"))
    def chosen_period(self, device: Device) -> str:
        """For how long its user trusted it."""
        return times.period(device.trust_period) if device.trust_period else NOTHING

    @admin.display(description=_("trusted until"))
    def given_expiry(self, device: Device) -> str:
        """The date that was given, to the minute."""
        return times.exact(device.trust_expires_at) if device.trust_expires_at else NOTHING

    @admin.display(description=_("in effect until"))
    def effective_expiry(self, device: Device) -> str:
        """What the policy makes of that date now."""
        expiry = _effective_expiry(device)
        return NOTHING if expiry is None else _marked(times.exact(expiry), ended=expiry <= timezone.now())

    @admin.display(description=_("live sessions"))
    def live_sessions(self, device: Device) -> int:
        """How many sessions are noted for it."""
        return sessions.count([device])


def _effective_expiry(device: Device) -> datetime | None:
    """Return when trust really ends; ``None`` unless the device is remembered."""
    if not device.is_remembered:
        return None
    maximum = site_policy.get_policy().limits(device.user).maximum
    return effective_expiry(device.trust_granted_at, device.trust_expires_at, maximum)


def _time(moment: times.Moment) -> str:
    return format_html('<time datetime="{}" title="{}">{}</time>', moment.at.isoformat(), moment.exact, moment)


def _marked(words: times.Moment | str, *, ended: bool) -> str:
    shown = words if isinstance(words, str) else _time(words)
    return format_html('{} <span class="td-ended">{}</span>', shown, gettext("ended")) if ended else shown
