"""How devices look on the wire, and paging through them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from trusted_devices.cognito_idp import conf, pool_devices
from trusted_devices.cognito_idp.models import PoolUser
from trusted_devices.cognito_idp.pages import OLDEST_FIRST, next_token, place_in
from trusted_devices.cognito_idp.pool_policy import PoolPolicy
from trusted_devices.keyset import Page
from trusted_devices.models import Device
from trusted_devices.services import standings
from trusted_devices.types import DeviceStatus

PAGE = 60
"""The longest page, and the one where none is asked for."""


def own_page(pool_user: PoolUser, *, limit: int, token: str | None, now: datetime) -> dict[str, Any]:
    """Return the remembered devices as their user lists them, three attributes each. Raises ``WireError``."""
    name, limit = f"own devices {pool_user.pk}", limit or PAGE
    counts = _remembered_at(now, pool_user)
    rest = OLDEST_FIRST.beyond(pool_devices.of(pool_user).remembered(), place_in(name, token))
    found = [device for device in rest if counts(device)]
    page = Page(found[:limit], has_next=len(found) > limit, has_previous=token is not None)
    listed = [_described(device, _common(device) + _last_ip(device)) for device in page.rows]
    return {"Devices": listed, **next_token(name, "PaginationToken", page)}


def full_page(pool_user: PoolUser, *, limit: int, token: str | None, now: datetime) -> dict[str, Any]:
    """Return all confirmed devices as staff see them, seven attributes each. Raises ``WireError``."""
    name = f"all devices {pool_user.pk}"
    counts = _remembered_at(now, pool_user)
    page = OLDEST_FIRST.page(pool_devices.of(pool_user), place_in(name, token), size=limit or PAGE)
    listed = [_full(pool_user, device, remembered=counts(device)) for device in page.rows]
    return {"Devices": listed, **next_token(name, "PaginationToken", page)}


def full(pool_user: PoolUser, device: Device, *, now: datetime) -> dict[str, Any]:
    """Return one device as it stands at ``now``, even if its trust has ended and no sweep has run since."""
    counts = _remembered_at(now, pool_user)
    return _full(pool_user, device, remembered=counts(device))


def _remembered_at(now: datetime, pool_user: PoolUser) -> Callable[[Device], bool]:
    return standings.remembered_at(now, user=pool_user.user, policy=PoolPolicy(pool_user.pool))


def _full(pool_user: PoolUser, device: Device, *, remembered: bool) -> dict[str, Any]:
    options = conf.get_options()
    pool = pool_user.pool
    owner = f"{pool_user.user.get_username()}.{pool.pool_id}"
    arn = f"arn:aws:cognito-idp:{pool.region}:{options.ACCOUNT_ID}:owner/{owner}/device/{device.device_key}"
    attributes = [
        *_common(device),
        _attribute("dev:device_arn", arn),
        _attribute("dev:device_owner", owner),
        *_last_ip(device),
        _attribute(
            "dev:device_remembered_status", DeviceStatus.REMEMBERED if remembered else DeviceStatus.NOT_REMEMBERED
        ),
        _attribute("dev:device_sdk", "aws-sdk"),
    ]
    return _described(device, attributes)


def _described(device: Device, attributes: list[dict[str, str]]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "DeviceKey": device.device_key,
        "DeviceAttributes": attributes,
        "DeviceCreateDate": round(device.created_at.timestamp(), 3),
        "DeviceLastModifiedDate": round(device.modified_at.timestamp(), 3),
    }
    if device.last_authenticated_at is not None:
        described["DeviceLastAuthenticatedDate"] = float(int(device.last_authenticated_at.timestamp()))
    return described


def _common(device: Device) -> list[dict[str, str]]:
    attributes = [_attribute("device_status", "valid")]
    if device.name:
        attributes.append(_attribute("device_name", device.name))
    return attributes


def _last_ip(device: Device) -> list[dict[str, str]]:
    return [_attribute("last_ip_used", device.last_ip)] if device.last_ip else []


def _attribute(name: str, value: str) -> dict[str, str]:
    return {"Name": name, "Value": str(value)}
