"""Mails to users about their devices: a new one, a misused one, one that staff made the site forget.

Each consists of three templates, ``trusted_devices/email/<name>_subject.txt``, ``<name>.txt`` and ``<name>.html``, that
a site overrides as it pleases. None holds a secret, a picture or anything that reports back.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.template.loader import render_to_string
from django.urls import NoReverseMatch, reverse
from django.utils import timezone, translation

from trusted_devices import conf
from trusted_devices.models import Device
from trusted_devices.web import jar, mail_runner


def send_new_device(device: Device) -> bool:
    """Notify the user that ``device`` was trusted for the first time; return whether a mail went out."""
    return _send("new_device", device, at=device.trust_granted_at, by_user=True)


def send_misuse(device: Device) -> bool:
    """Notify the user that the key of ``device`` was copied and that its trust has ended."""
    return _send("misused_device", device, at=device.status_changed_at)


def send_forgotten(devices: Sequence[Device]) -> bool:
    """Tell the user whose they were that staff made the site forget ``devices``."""
    return _send("forgotten_device", *devices, at=None)


def _send(name: str, device: Device, *more: Device, at: datetime | None, by_user: bool = False) -> bool:
    """Render a mail and hand it over to be sent; return whether there is one.

    ``by_user`` says that the current request is the user's own, so that its language and time zone are theirs.
    """
    user: AbstractBaseUser = device.user
    address = getattr(user, user.get_email_field_name(), "")
    if not address or not conf.get_settings().NEW_DEVICE_EMAIL:
        return False
    zone = timezone.get_current_timezone() if by_user else timezone.get_default_timezone()
    with translation.override(_language(user, by_user=by_user)), timezone.override(zone):
        context = {
            "user": user,
            "device": device,
            "devices": [device, *more],
            "at": at or timezone.now(),
            "devices_url": _devices_url(),
        }
        subject, text, html = (
            render_to_string(f"trusted_devices/email/{name}{ending}", context)
            for ending in ("_subject.txt", ".txt", ".html")
        )
        # A subject is one line, whatever names and templates put into it.
        letter = {"to": address, "subject": " ".join(subject.split()), "text": text, "html": html}
    mail_runner.post(letter, patient=name == "forgotten_device")  # staff forget whole lists
    return True


def _language(user: AbstractBaseUser, *, by_user: bool) -> str:
    """Return the user's language: the ``language`` of the user model, if it has one, or that of their own request."""
    known = dict(settings.LANGUAGES)
    chosen = getattr(user, "language", None)
    if isinstance(chosen, str) and chosen in known:
        return chosen
    return (by_user and translation.get_language()) or settings.LANGUAGE_CODE


def _devices_url() -> str:
    """Return the address of the user's devices, empty where the site's own address is not known for certain.

    The address comes from the current request, whose host Django checks against ``ALLOWED_HOSTS``; if that lets any
    host pass, the sender of the request would choose where the link leads.
    """
    request = jar.current_request.get()
    if request is None or "*" in settings.ALLOWED_HOSTS:
        return ""
    try:
        return request.build_absolute_uri(reverse("trusted_devices:devices"))
    except NoReverseMatch:
        return ""
