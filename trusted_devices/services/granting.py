"""Granting trust to the device in front of the user, right after a second factor."""

from __future__ import annotations

import dataclasses
import logging
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import IntegrityError

from trusted_devices.exceptions import (
    AlreadyAnswered,
    BackendUnavailable,
    FreshMfaRequired,
    InvalidPeriod,
    TrustedDevicesError,
    TrustNotAllowed,
)
from trusted_devices.models import Device
from trusted_devices.owners import get_owner
from trusted_devices.owners.base import Change, DeviceOwner
from trusted_devices.policy import TrustPolicy
from trusted_devices.services import credentials, devices, proofs, registration, stamps, transitions
from trusted_devices.services.site_policy import get_policy
from trusted_devices.services.transitions import Trust
from trusted_devices.services.trust import familiar
from trusted_devices.types import (
    Binding,
    By,
    DeviceCredential,
    MfaVerification,
    NewDevice,
    Presented,
    SecretMatch,
    StatusReason,
    TrackingMode,
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustChoice:
    """What a user chose when asked whether to trust the device: for how long, under which name.

    ``question_id`` identifies the question, so that it is answered once.
    """

    period: timedelta
    name: str = ""
    question_id: str = field(default_factory=lambda: uuid.uuid4().hex)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A device that is trusted now, and the credential to hand to the client."""

    device: Device
    credential: DeviceCredential


def grant(
    *,
    user: AbstractBaseUser,
    choice: TrustChoice,
    verification: MfaVerification,
    presented: Presented,
    by: By,
    owner: DeviceOwner | None = None,
) -> Grant:
    """Trust the device in front of the user. Only in the same flow, right after a second factor.

    A device that the client still holds the secret of is trusted again with its name and history, or, where its owner
    gives out the keys, replaced by one of the same name; otherwise a new one is registered. ``owner`` is the owner as
    the running sign-in reaches it.

    The trust counts only while the credentials that ``verification`` was given under stand.

    Call it outside of transactions where the devices have a remote owner, who is asked over a network.

    Raises ``TrustNotAllowed``, ``FreshMfaRequired``, ``InvalidPeriod``, ``InvalidDeviceName``, ``AlreadyAnswered``,
    ``BackendUnavailable``.
    """
    by, owner, policy = dataclasses.replace(by, actor=user), owner or get_owner(), get_policy()
    if not policy.may_trust(user, verification, by.client):
        raise TrustNotAllowed
    if choice.period not in policy.periods(user):
        raise InvalidPeriod
    if proofs.is_outdated(verification, user=user):
        raise FreshMfaRequired
    name = devices.clean_name(choice.name) if choice.name else ""
    trust = Trust(
        since=by.at,
        period=choice.period,
        factor_id=verification.factor_id,
        stamp=verification.stamp or stamps.current(user),
        question_id=choice.question_id,
    )
    grantor = _Grantor(
        user=user,
        trust=trust,
        verified_at=verification.at,
        reason=_reason(policy, user),
        name=name,
        owner=owner,
        by=by,
    )
    try:
        return grantor.grant(presented.credential)
    except IntegrityError:
        # In another tab the same question was answered at the same moment; or it is an error like any other.
        if _is_answered(trust):
            raise AlreadyAnswered from None
        raise


def _reason(policy: TrustPolicy, user: AbstractBaseUser) -> StatusReason:
    always = policy.tracking(user) is TrackingMode.ALWAYS
    return StatusReason.TRACKING_ALWAYS if always else StatusReason.USER_TRUSTED


def _is_answered(trust: Trust) -> bool:
    return Device.objects.filter(grant_id=trust.question_id).exists()


class _CannotBeTrustedAgain(TrustedDevicesError):
    """The device was forgotten or its secret copied meanwhile; the user trusts a new one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Grantor:
    """Gives ``trust`` that has been earned to the device in front of the user."""

    user: AbstractBaseUser
    trust: Trust
    verified_at: datetime
    reason: StatusReason
    name: str
    owner: DeviceOwner
    by: By

    def grant(self, credential: DeviceCredential | None) -> Grant:
        """Return the device that is trusted now: the one that ``credential`` is of, or a new one."""
        new = self.owner.new_device()
        if new is not None and _is_answered(self.trust):
            raise AlreadyAnswered  # before the owner is asked for anything
        former = familiar(user=self.user, credential=credential, by=self.by)
        if former is None or credential is None:
            return self._register(new, former=None)
        if new is not None or former.binding == Binding.SRP:
            granted = self._register(new, former=former)
            self._forget(former)
            return granted
        try:
            return self._trust_again(former, credential)
        except _CannotBeTrustedAgain:
            return self._register(new, former=None)

    def _register(self, new: NewDevice | None, *, former: Device | None) -> Grant:
        name = self.name or (former.name if former is not None else "")
        device, credential = registration.draft(self.user, new, name=name, by=self.by)
        registration.register(
            device,
            owner=self.owner,
            remembered=self.reason,
            trust=self.trust,
            known=former is not None,
            by=self.by,
        )
        return self._granted(device, credential)

    def _trust_again(self, former: Device, credential: DeviceCredential) -> Grant:
        """Raises ``_CannotBeTrustedAgain``: after a copy nobody can tell how many hold what the client holds."""
        with self.owner.changing([former], Change.REMEMBERED):
            known = Device.objects.select_for_update().exclude(status_reason=StatusReason.COMPROMISED)
            device = known.with_key(former.device_key)
            how = credentials.match(device, credential) if device is not None else SecretMatch.WRONG
            if device is None or how not in credentials.GOOD:
                raise _CannotBeTrustedAgain
            if device.grant_id == self.trust.question_id:
                raise AlreadyAnswered
            if proofs.has_ended(device, since=self.verified_at):
                raise FreshMfaRequired
            rotation = credentials.rotate(device, credential, how, at=self.by.at)
            transitions.remembered(
                device, reason=self.reason, trust=self.trust, rotation=rotation, name=self.name, by=self.by
            )
        return self._granted(device, rotation.credential)

    def _granted(self, device: Device, credential: DeviceCredential) -> Grant:
        return Grant(device=device, credential=credentials.with_expiry(credential, self.trust.expires_at))

    def _forget(self, former: Device) -> None:
        by = By(note="replaced", client=self.by.client, at=self.by.at)
        try:
            devices.forget([former], by=by)
        except BackendUnavailable:
            logger.warning("Device %s was replaced and could not be forgotten.", former.device_key)
