"""How the devices page tells of devices and of what happened to them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from django.utils.translation import gettext as _

from trusted_devices.models import Device, DeviceEvent
from trusted_devices.services.standings import Standing
from trusted_devices.types import EventAction, StatusReason, TrustReason
from trusted_devices.words import browsers, places, times

PLAIN_REASONS = (
    StatusReason.USER_TRUSTED,
    StatusReason.USER_STOPPED,
    StatusReason.STAFF_TRUSTED,
    StatusReason.STAFF_STOPPED,
    StatusReason.EXPIRED,
)


@dataclass(frozen=True, slots=True)
class Badge:
    """A device's state in words; ``tone`` is the stylesheet's name for its colour."""

    text: str
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One device as the list shows it."""

    standing: Standing
    now: datetime

    @property
    def device(self) -> Device:
        return self.standing.device

    @property
    def icon(self) -> str:
        return browsers.form_factor(self.device.user_agent)

    @property
    def badge(self) -> Badge:
        reason = self.standing.decision.reason
        if reason is TrustReason.TRUSTED:
            return Badge(_("Trusted"), "good")
        if self.device.status_reason == StatusReason.COMPROMISED:
            return Badge(_("Not trusted: its key was copied"), "danger")
        if reason is TrustReason.EXPIRED or self.device.status_reason == StatusReason.EXPIRED:
            return Badge(_("Trust has ended"), "warn")
        return Badge(_("Not trusted"))

    @property
    def why(self) -> str:
        """Return why a device is not trusted, where its badge does not say."""
        reason = self.standing.decision.reason
        if reason is TrustReason.CREDENTIALS_CHANGED:
            return _("Password or second factor changed")
        if reason is TrustReason.POLICY_FORBIDS:
            return _("This site asks for a code every time")
        told = (StatusReason.EXPIRED, StatusReason.COMPROMISED)
        if reason is not TrustReason.NOT_REMEMBERED or self.device.status_reason in told:
            return ""
        return self.device.get_status_reason_display()

    @property
    def explanation(self) -> str:
        """Return what may have happened, where that could alarm the user more than it must."""
        if self.device.status_reason != StatusReason.COMPROMISED:
            return ""
        return _(
            "An old copy of the key that this device keeps was used together with your password. A restored backup, a "
            "synced or copied browser profile can do that too. If you know of none, change your password. Otherwise "
            "trust the device again when you next sign in there."
        )

    @property
    def can_stop(self) -> bool:
        """Whether there is trust left to be stopped."""
        return self.device.is_remembered and self.standing.decision.reason is not TrustReason.EXPIRED

    @property
    def place(self) -> str:
        """Where it was last used, as far as the site can tell."""
        return places.find(self.device.last_ip)

    @property
    def text(self) -> str:
        """What can be searched, in lower case."""
        return f"{self.device.name} {self.device.description} {self.place}".casefold()

    @property
    def last_used(self) -> times.Moment | None:
        at = self.device.last_authenticated_at
        return times.ago(at, self.now) if at else None

    @property
    def first_seen(self) -> times.Moment:
        return times.on(self.device.created_at)

    @property
    def trusted_until(self) -> times.Moment | None:
        until = self.standing.trusted_until
        return times.until(until, self.now) if until else None


@dataclass(frozen=True, slots=True)
class Group:
    """The devices of one browser on one system."""

    name: str
    icon: str
    rows: Sequence[Row]


def _kind(row: Row) -> tuple[str, str]:
    return row.device.description, row.icon


def together(rows: Iterable[Row]) -> list[Row]:
    """Return the rows with those of one browser on one system side by side, in the order of their first."""
    kinds: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        kinds.setdefault(_kind(row), []).append(row)
    return [row for kind in kinds.values() for row in kind]


def groups(rows: Iterable[Row]) -> list[Group]:
    """Return the groups of rows that are together."""
    return [Group(name, icon, list(found)) for (name, icon), found in groupby(rows, key=_kind)]


def matching(rows: Iterable[Row], words: str, show: str) -> list[Row]:
    """Return the rows in which each of ``words`` occurs; with ``show``, only the ``trusted`` or ``not_trusted``."""
    wanted = words.casefold().split()
    found = [row for row in rows if not show or row.standing.decision.allowed is (show == "trusted")]
    return [row for row in found if all(word in row.text for word in wanted)] if wanted else found


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened, as the list of activity shows it."""

    event: DeviceEvent
    now: datetime
    current_key: str

    @property
    def what(self) -> str:
        return self.event.get_action_display()

    @property
    def why(self) -> str:
        """Return why, where that says more than what happened and who did it."""
        # A forgotten device's reason is the status that it had.
        if self.event.action == EventAction.FORGOTTEN or self.event.reason in PLAIN_REASONS:
            return ""
        return self.event.get_reason_display()

    @property
    def by_staff(self) -> bool:
        return self.event.actor_id not in (None, self.event.user_id)

    @property
    def where(self) -> str:
        """Device, browser and system, and place, as far as they are known."""
        event = self.event
        client = browsers.describe(event.user_agent) if event.user_agent else ""
        name = event.device.display_name if event.device else ""
        # Without repeating what a device without a name is called after.
        known = dict.fromkeys(("" if self.by_staff else text) for text in (client, places.find(event.ip_address)))
        return " · ".join(filter(None, dict.fromkeys([name, *known])))

    @property
    def when(self) -> times.Moment:
        return times.ago(self.event.created_at, self.now)

    @property
    def stranger(self) -> Device | None:
        """The device that was signed in from, if that is still known and not the current one."""
        device = self.event.device
        signed_in = self.event.action == EventAction.SIGNED_IN
        return device if signed_in and device and device.device_key != self.current_key else None
