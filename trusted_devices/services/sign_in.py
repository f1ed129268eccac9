"""Sign-in as a small state machine that every backend serves.

``begin`` takes the first factor; the ``answer_*`` take the answer to the challenge in hand. All return a
:class:`Challenge` to put to the user or :class:`SignedIn`. Between two steps the door keeps :class:`SignInState`:
ids and a time, never a password.
"""

from __future__ import annotations

import dataclasses
import logging
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.db import Error
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.views.decorators.debug import sensitive_variables

from trusted_devices import conf
from trusted_devices.backends import get_backend
from trusted_devices.backends.base import FirstFactor
from trusted_devices.cookies import DeviceCookie
from trusted_devices.exceptions import BackendUnavailable, InvalidPeriod, SignInExpired, TrustNotAllowed
from trusted_devices.models import Device
from trusted_devices.policy import CLOCK_SKEW
from trusted_devices.services import credentials, devices, granting, second_factor, trust
from trusted_devices.services.granting import TrustChoice
from trusted_devices.services.site_policy import get_policy
from trusted_devices.services.stamps import password_stamp
from trusted_devices.types import (
    By,
    ClientInfo,
    DeviceCredential,
    MfaMethod,
    MfaVerification,
    NewPassword,
    StatusReason,
    TrackingMode,
    TrustDecision,
    TrustOffer,
    VerifiedBy,
)

logger = logging.getLogger(__name__)


class Step(StrEnum):
    """What the user is being asked."""

    NEW_PASSWORD = "new_password"  # noqa: S105 - a step, not a secret
    SECOND_FACTOR = "second_factor"
    OFFER_TRUST = "offer_trust"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInState:
    """A half-finished sign-in. Bound to one user with one password, and to a time."""

    id: str
    user_id: str
    auth_backend: str
    password_stamp: str = field(repr=False)
    started_at: datetime
    step: Step
    method_id: str = ""
    verified: MfaVerification | None = None
    backend_state: Mapping[str, str] = field(default_factory=dict, repr=False)

    def dump(self) -> dict[str, Any]:
        """Return the state as something that any session serializer can store."""
        verified = self.verified
        return {
            "id": self.id,
            "user": self.user_id,
            "auth_backend": self.auth_backend,
            "stamp": self.password_stamp,
            "started": self.started_at.timestamp(),
            "step": self.step.value,
            "method": self.method_id,
            "verified": verified and [verified.kind, verified.factor_id, verified.at.timestamp(), verified.recovery],
            "backend": dict(self.backend_state),
        }

    @classmethod
    def load(cls, raw: Any) -> SignInState:
        """Read what :meth:`dump` made. Raises ``SignInExpired`` for anything else."""
        try:
            verified = None
            if raw["verified"] is not None:
                kind, factor_id, at, recovery = raw["verified"]
                verified = MfaVerification(
                    kind=kind, factor_id=factor_id, at=datetime.fromtimestamp(at, UTC), recovery=recovery
                )
            return cls(
                id=raw["id"],
                user_id=raw["user"],
                auth_backend=raw["auth_backend"],
                password_stamp=raw["stamp"],
                started_at=datetime.fromtimestamp(raw["started"], UTC),
                step=Step(raw["step"]),
                method_id=raw["method"],
                verified=verified,
                backend_state=dict(raw["backend"]),
            )
        except (TypeError, KeyError, ValueError, OverflowError, OSError) as error:
            raise SignInExpired from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """What to ask the user next: a second factor (one of ``methods``, now ``method``), ``new_password`` or ``offer``.

    ``device_lost`` says that the client's credential is of no more use.
    """

    state: SignInState
    user: Any
    methods: Sequence[MfaMethod] = ()
    method: MfaMethod | None = None
    new_password: NewPassword | None = None
    offer: TrustOffer | None = None
    device: Device | None = None
    device_lost: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """The end of the road: make a session for ``user`` and hand ``credential``, if any, to the client.

    ``device`` is the one that the user has in front of them, trusted or not, if it is known. ``trust_failed`` says
    that the user wanted to trust it and something went wrong; the sign-in stands. ``device_lost`` says that the
    client's credential is of no more use. ``session_data`` goes into the session.
    """

    user: Any
    by: VerifiedBy
    auth_backend: str
    device: Device | None = None
    credential: DeviceCredential | None = None
    verification: MfaVerification | None = None
    decision: TrustDecision | None = None
    mfa_active: bool = True
    trust_failed: bool = False
    device_lost: bool = False
    session_data: Mapping[str, str] = field(default_factory=dict, repr=False)


@sensitive_variables("credentials")
def begin(
    *, credentials: Mapping[str, str], cookie: DeviceCookie, client: ClientInfo, now: datetime | None = None
) -> Challenge | SignedIn:
    """Take the first factor. Raises ``InvalidCredentials``, ``TooManyAttempts``, ``BackendUnavailable``."""
    now = now or timezone.now()

    def recall(user: AbstractBaseUser) -> DeviceCredential | None:
        return trust.recall(user=user, presented=cookie.present(str(user.pk)), by=By(client=client, at=now))

    first = get_backend().first_factor(credentials=credentials, client=client, recall=recall)
    return _after_first_factor(first, cookie, client, now)


@sensitive_variables("password")
def answer_new_password(
    state: SignInState,
    *,
    password: str,
    attributes: Mapping[str, str],
    cookie: DeviceCookie,
    client: ClientInfo,
    now: datetime | None = None,
) -> Challenge | SignedIn:
    """Take the new password that was asked for, with ``attributes`` of the user that are due as well.

    Raises ``PasswordRefused``, ``TooManyAttempts``, ``SignInExpired``, ``ActionRequired``, ``BackendUnavailable``.
    """
    now = now or timezone.now()
    user = _user(state, now)
    if state.step is not Step.NEW_PASSWORD:
        raise SignInExpired
    backend = get_backend().during(state.backend_state)
    first = backend.new_password(user, password, attributes, state=state.backend_state, client=client)
    return _after_first_factor(first, cookie, client, now)


def _after_first_factor(
    first: FirstFactor, cookie: DeviceCookie, client: ClientInfo, now: datetime
) -> Challenge | SignedIn:
    user, checked = first.user, None
    presented = cookie.present(str(user.pk))
    if first.new_password is None:
        checked = trust.check(
            user=user, presented=presented, mfa_active=first.mfa_active, proof=first.proof, by=By(client=client, at=now)
        )
    if first.device_lost:
        trust.lose(user=user, credential=presented.credential, by=By(client=client, at=now))
    if first.new_password is not None:
        # Whoever manages the account has set the password: it has changed already.
        devices.end_trust(user=user, reason=StatusReason.PASSWORD_CHANGED, end_sessions=True, by=By(at=now))
    elif any(method.set_up_key for method in first.methods):
        devices.end_trust(user=user, reason=StatusReason.MFA_CHANGED, by=By(at=now))
    elif checked is not None and (checked.decision.allowed or not first.methods):
        return _signed_in_at_once(first, checked, cookie)
    method = first.methods[0] if first.methods else None
    state = SignInState(
        id=secrets.token_hex(16),
        user_id=str(user.pk),
        auth_backend=getattr(user, "backend", ""),
        password_stamp=password_stamp(user),
        started_at=now,
        step=Step.SECOND_FACTOR if method else Step.NEW_PASSWORD,
        method_id=method.id if method else "",
        backend_state=dict(first.state),
    )
    return Challenge(
        state=state,
        user=user,
        methods=first.methods,
        method=method,
        new_password=first.new_password,
        device_lost=first.device_lost,
    )


def _signed_in_at_once(first: FirstFactor, checked: trust.TrustCheck, cookie: DeviceCookie) -> SignedIn:
    trusted = checked.decision.allowed
    if first.mfa_active and not trusted:
        raise BackendUnavailable("The backend asked for no second factor where one was due.")
    device = checked.device if trusted else _known(first.user, cookie)
    return SignedIn(
        user=first.user,
        by=VerifiedBy.TRUSTED_DEVICE if trusted else VerifiedBy.PASSWORD,
        auth_backend=getattr(first.user, "backend", ""),
        device=device,
        credential=checked.credential,
        decision=checked.decision,
        mfa_active=first.mfa_active,
        device_lost=first.device_lost,
        session_data=get_backend().during(first.state).session_data(device.device_key if device else ""),
    )


def resume(state: SignInState, *, client: ClientInfo, cookie: DeviceCookie, now: datetime | None = None) -> Challenge:
    """Return the challenge in hand again, to show it. Raises ``SignInExpired``, and ``UnknownMethod`` if the factor
    that was asked for is gone."""
    user = _user(state, now or timezone.now())
    if state.step is Step.OFFER_TRUST and state.verified is not None:
        offer = trust.offer(user=user, verification=state.verified, client=client)
        if offer is None:
            raise SignInExpired
        return Challenge(state=state, user=user, offer=offer, device=_known(user, cookie))
    if state.step is Step.NEW_PASSWORD:
        new_password = get_backend().during(state.backend_state).asks_new_password()
        if new_password is None:
            raise SignInExpired
        return Challenge(state=state, user=user, new_password=new_password)
    methods = second_factor.methods(user, state=state.backend_state)
    if not methods:
        raise SignInExpired
    return Challenge(state=state, user=user, methods=methods, method=second_factor.find(methods, state.method_id))


def choose_method(state: SignInState, *, method_id: str, client: ClientInfo, now: datetime | None = None) -> Challenge:
    """Ask for another of the user's factors; send the code where it needs one.

    Raises ``UnknownMethod``, ``TooManyAttempts`` (codes asked for too often), ``SignInExpired``.
    """
    user = _user(state, now or timezone.now())
    if state.step is not Step.SECOND_FACTOR:
        raise SignInExpired
    methods = second_factor.methods(user, state=state.backend_state)
    method = second_factor.find(methods, method_id)
    backend_state = second_factor.send(user, method, state=state.backend_state, client=client)
    state = dataclasses.replace(state, method_id=method.id, backend_state=dict(backend_state))
    return Challenge(state=state, user=user, methods=methods, method=method)


@sensitive_variables("code")
def answer_code(
    state: SignInState, *, code: str, cookie: DeviceCookie, client: ClientInfo, now: datetime | None = None
) -> Challenge | SignedIn:
    """Take the second factor. Raises ``CodeMismatch``, ``TooManyAttempts``, ``SignInExpired``, ``BackendUnavailable``,
    ``UnknownMethod`` if the factor that was asked for is gone, and, where every device is remembered,
    ``AlreadyAnswered``."""
    now = now or timezone.now()
    user = _user(state, now)
    if state.step is not Step.SECOND_FACTOR:
        raise SignInExpired
    method = second_factor.find(second_factor.methods(user, state=state.backend_state), state.method_id)
    verified = second_factor.verify(
        user,
        method,
        code,
        state=state.backend_state,
        client=client,
        credential=cookie.present(state.user_id).credential,
        now=now,
    )
    state = dataclasses.replace(state, backend_state=dict(verified.backend_state))
    offer = trust.offer(user=user, verification=verified, client=client)
    always = get_policy().tracking(user) is TrackingMode.ALWAYS
    if offer is None or (state.user_id in cookie.declined and not always):
        return _signed_in(state, user, verified, _known(user, cookie))
    if always:
        try:
            return _grant(state, user, verified, offer.default, "", cookie, client, now)
        except (InvalidPeriod, TrustNotAllowed):
            # Nobody asked for trust, so what keeps it from being given keeps nobody out.
            return dataclasses.replace(_signed_in(state, user, verified, _known(user, cookie)), trust_failed=True)
    state = dataclasses.replace(state, step=Step.OFFER_TRUST, verified=verified)
    return Challenge(state=state, user=user, offer=offer, device=_known(user, cookie))


def answer_offer(
    state: SignInState,
    *,
    period: timedelta | None,
    name: str = "",
    cookie: DeviceCookie,
    client: ClientInfo,
    now: datetime | None = None,
) -> SignedIn:
    """Take the answer to "trust this device?": a period that was offered, or ``None`` for not now.

    Raises ``InvalidPeriod``, ``InvalidDeviceName``, ``TrustNotAllowed``, ``AlreadyAnswered``, ``SignInExpired``.
    """
    now = now or timezone.now()
    user = _user(state, now)
    if state.step is not Step.OFFER_TRUST or state.verified is None:
        raise SignInExpired
    if period is None:
        return _signed_in(state, user, state.verified, _known(user, cookie))
    return _grant(state, user, state.verified, period, name, cookie, client, now)


def _grant(
    state: SignInState,
    user: Any,
    verified: MfaVerification,
    period: timedelta,
    name: str,
    cookie: DeviceCookie,
    client: ClientInfo,
    now: datetime,
) -> SignedIn:
    try:
        granted = granting.grant(
            user=user,
            choice=TrustChoice(period=period, name=name, question_id=state.id),
            verification=verified,
            presented=cookie.present(state.user_id),
            owner=get_backend().during(state.backend_state).owner,
            by=By(client=client, at=now),
        )
    except (Error, BackendUnavailable) as error:
        # Not the error itself: databases quote the row.
        logger.error("Trust could not be granted (%s).", type(error).__name__)  # noqa: TRY400
        return dataclasses.replace(_signed_in(state, user, verified, None), trust_failed=True)
    signed_in = _signed_in(state, user, verified, granted.device)
    return dataclasses.replace(signed_in, credential=granted.credential)


def _known(user: Any, cookie: DeviceCookie) -> Device | None:
    return credentials.recognise(user=user, credential=cookie.present(str(user.pk)).credential)


def _signed_in(state: SignInState, user: Any, verified: MfaVerification, device: Device | None) -> SignedIn:
    return SignedIn(
        user=user,
        by=VerifiedBy.RECOVERY if verified.recovery else VerifiedBy.MFA,
        auth_backend=state.auth_backend,
        device=device,
        verification=verified,
        session_data=get_backend().during(state.backend_state).session_data(device.device_key if device else ""),
    )


def _user(state: SignInState, now: datetime) -> Any:
    """Return the user of a half-finished sign-in as stored now. Raises ``SignInExpired``."""
    if not -CLOCK_SKEW <= now - state.started_at < conf.get_settings().SIGN_IN_TIMEOUT:
        raise SignInExpired
    try:
        user = get_user_model()._default_manager.filter(pk=state.user_id).first()
    except (TypeError, ValueError, ValidationError) as error:
        raise SignInExpired from error
    if user is None or not user.is_active:
        raise SignInExpired
    if not constant_time_compare(password_stamp(user), state.password_stamp):
        raise SignInExpired
    return user
