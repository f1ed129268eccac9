"""Sign-in as a small state machine: the same questions with every backend that signs people in (``signin``).

:func:`begin` takes the first factor; the ``answer_*`` take the answer to a :class:`Challenge`. All return the next
:class:`Challenge` to put to the user or :class:`SignedIn`. Between two requests a door keeps ``Challenge.state`` and
gets the challenge back with :func:`load`.
"""

from __future__ import annotations

import dataclasses
import logging
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import Error
from django.views.decorators.debug import sensitive_variables

from trusted_devices.cookies import DeviceCookie
from trusted_devices.exceptions import BackendUnavailable, InvalidPeriod, SignInExpired, TrustNotAllowed
from trusted_devices.models import Device
from trusted_devices.services import devices, enrolment, granting, second_factor, stamps, trust
from trusted_devices.services.credentials import recognise
from trusted_devices.services.granting import TrustChoice
from trusted_devices.services.sign_in_state import Question, SignInState
from trusted_devices.services.site_policy import get_policy
from trusted_devices.services.trust import TrustCheck
from trusted_devices.signin import get_sign_in
from trusted_devices.signin.base import Conversation
from trusted_devices.types import (
    By,
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """What to ask the user next: a new password, a second factor (one of ``methods``, now ``method``), or ``offer``.

    ``state`` is what a door keeps of it. ``cookie`` and ``by`` are those of the request that put or loaded it.
    """

    state: SignInState
    conversation: Conversation = field(repr=False)
    cookie: DeviceCookie = field(repr=False)
    by: By = field(repr=False)
    methods: Sequence[MfaMethod] = ()
    method: MfaMethod | None = None
    offer: TrustOffer | None = None
    device: Device | None = None

    @property
    def question(self) -> Question:
        """Which of the questions it is."""
        return self.state.question

    @property
    def user(self) -> AbstractBaseUser:
        """Who is signing in."""
        return self.conversation.user

    @property
    def new_password(self) -> NewPassword | None:
        """What is asked for where a new password is."""
        return self.conversation.new_password

    @property
    def device_lost(self) -> bool:
        """Whether the client's credential is of no more use."""
        return self.conversation.device_lost


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """The end of a sign-in: make a session for ``user`` and hand ``credential``, if any, to the client.

    ``device`` is the one in front of the user, trusted or not, if it is known. ``trusted_until`` is the date that this
    sign-in has stored for it, ``None`` where it granted no trust. ``trust_failed`` says that the user wanted to trust
    it and something went wrong; the sign-in stands. ``device_lost`` says that the client's credential is of no more
    use. ``session_data`` goes into the session.
    """

    user: AbstractBaseUser
    verified_by: VerifiedBy
    auth_backend: str
    device: Device | None = None
    credential: DeviceCredential | None = None
    verification: MfaVerification | None = None
    decision: TrustDecision | None = None
    mfa_active: bool = True
    trusted_until: datetime | None = None
    trust_failed: bool = False
    device_lost: bool = False
    session_data: Mapping[str, str] = field(default_factory=dict, repr=False)


@sensitive_variables("credentials")
def begin(credentials: Mapping[str, str], *, cookie: DeviceCookie, by: By) -> Challenge | SignedIn:
    """Take the first factor.

    Raises ``InvalidCredentials``, ``TooManyAttempts``, ``ActionRequired``, ``BackendUnavailable``.
    """

    def recall(user: AbstractBaseUser) -> DeviceCredential | None:
        return trust.recall(user=user, presented=cookie.present(str(user.pk)), by=by)

    conversation = get_sign_in().begin(credentials, client=by.client, recall=recall)
    return _after_password(conversation, cookie, by)


def load(state: SignInState, *, cookie: DeviceCookie, by: By) -> Challenge:
    """Return the challenge that left ``state``, if it still stands.

    Reads everything that its question needs, once. Raises ``SignInExpired``,
    ``BackendUnavailable``, and ``UnknownMethod`` if the factor that was asked for is gone.
    """
    user = state.user(at=by.at)
    credential = cookie.present(state.user_id).credential
    conversation = get_sign_in().resume(user, state.backend_state, client=by.client, credential=credential)
    if not stamps.has_password(state.stamp, user):
        raise SignInExpired
    challenge = Challenge(state=state, conversation=conversation, cookie=cookie, by=by)
    if state.question is Question.SECOND_FACTOR:
        return _ask_for_code(challenge)
    if state.question is Question.NEW_PASSWORD:
        if conversation.new_password is None:
            raise SignInExpired
        return challenge
    offer = trust.offer(user=user, verification=_verified(state), client=by.client)
    if offer is None:
        raise SignInExpired
    return dataclasses.replace(challenge, offer=offer, device=_known_device(challenge))


def _ask_for_code(challenge: Challenge) -> Challenge:
    methods = challenge.conversation.methods()
    _require_credentials(challenge)
    return dataclasses.replace(
        challenge, methods=methods, method=second_factor.find(methods, challenge.state.method_id)
    )


def _require_credentials(challenge: Challenge) -> None:
    """Raise ``SignInExpired`` if the password or any factor has changed since the sign-in began."""
    current = stamps.credential_stamp(challenge.user, challenge.conversation.methods())
    if not stamps.stands(challenge.state.stamp, current):
        raise SignInExpired


@sensitive_variables("password")
def answer_new_password(challenge: Challenge, *, password: str, attributes: Mapping[str, str]) -> Challenge | SignedIn:
    """Take the new password that was asked for, with ``attributes`` of the user that are due as well.

    Raises ``PasswordRefused``, ``TooManyAttempts``, ``SignInExpired``, ``ActionRequired``, ``BackendUnavailable``.
    """
    _require(challenge, Question.NEW_PASSWORD)
    following = challenge.conversation.set_new_password(password, attributes)
    return _after_password(following, challenge.cookie, challenge.by)


def choose_method(challenge: Challenge, method_id: str) -> Challenge:
    """Ask for another of the user's factors; send the code where it needs one.

    Raises ``UnknownMethod``, ``TooManyAttempts`` (codes asked for too often), ``SignInExpired``,
    ``BackendUnavailable``.
    """
    _require(challenge, Question.SECOND_FACTOR)
    method = second_factor.find(challenge.methods, method_id)
    second_factor.send(challenge.conversation, method)
    backend_state = dict(challenge.conversation.state)
    state = dataclasses.replace(challenge.state, method_id=method.id, backend_state=backend_state)
    return dataclasses.replace(challenge, state=state, method=method)


@sensitive_variables("code")
def answer_code(challenge: Challenge, code: str) -> Challenge | SignedIn:
    """Take the second factor.

    Raises ``CodeMismatch``, ``TooManyAttempts``, ``SignInExpired``, ``ActionRequired``, ``BackendUnavailable``,
    ``UnknownMethod`` if the factor that was asked for is gone, and, where every device is remembered,
    ``AlreadyAnswered``.
    """
    method = challenge.method
    if method is None:
        raise SignInExpired
    if method.set_up_key and not enrolment.may_change(challenge.user, verified=False):
        raise SignInExpired  # the user has set a factor up elsewhere since this sign-in began
    verified = second_factor.verify(challenge.conversation, method, code, by=challenge.by)
    backend_state = dict(challenge.conversation.state)
    state = dataclasses.replace(
        challenge.state, question=Question.OFFER_TRUST, verified=verified, backend_state=backend_state
    )
    user, cookie = challenge.user, challenge.cookie
    offer = trust.offer(user=user, verification=verified, client=challenge.by.client)
    challenge = dataclasses.replace(challenge, state=state, methods=(), method=None, offer=offer)
    always = get_policy().tracking(user) is TrackingMode.ALWAYS
    if offer is None or (state.user_id in cookie.declined and not always):
        return _complete(challenge, _known_device(challenge))
    if always:
        try:
            return _trust_device(challenge, offer.default)
        except (InvalidPeriod, TrustNotAllowed):
            # The user did not ask for trust, so the sign-in stands where it cannot be given.
            outcome = _complete(challenge, _known_device(challenge))
            return dataclasses.replace(outcome, trust_failed=True)
    return dataclasses.replace(challenge, device=_known_device(challenge))


def answer_offer(challenge: Challenge, *, period: timedelta | None, name: str = "") -> SignedIn:
    """Take the answer to "trust this device?": a period that was offered, or ``None`` for not now.

    Raises ``InvalidPeriod``, ``InvalidDeviceName``, ``TrustNotAllowed``, ``AlreadyAnswered``, ``SignInExpired``.
    """
    _require(challenge, Question.OFFER_TRUST)
    _require_credentials(challenge)
    if period is None:
        return _complete(challenge, challenge.device)
    return _trust_device(challenge, period, name)


def _after_password(conversation: Conversation, cookie: DeviceCookie, by: By) -> Challenge | SignedIn:
    """Decide what comes after a first factor, or a new password, that was accepted."""
    user = conversation.user
    presented = cookie.present(str(user.pk))
    elsewhere = By(at=by.at)  # who changed the account did not do it from here
    new_password, checked = conversation.new_password, None
    if new_password is None:
        mfa_active, proof = conversation.mfa_active, conversation.proof
        checked = trust.check(
            user=user,
            presented=presented,
            mfa_active=mfa_active,
            proof=proof,
            stamp=stamps.credential_stamp(user, conversation.methods()),
            by=by,
        )
    if conversation.device_lost:
        trust.lose(user=user, credential=presented.credential, by=by)
    if checked is None:
        # The account's administrator has set the password: it has changed already.
        devices.end_trust(user=user, reason=StatusReason.PASSWORD_CHANGED, end_sessions=True, by=elsewhere)
        return _ask(Question.NEW_PASSWORD, conversation, (), cookie, by)
    methods = conversation.methods()
    if any(method.set_up_key for method in methods):
        devices.end_trust(user=user, reason=StatusReason.MFA_CHANGED, by=elsewhere)
    elif checked.decision.allowed or not methods:
        return _complete_without_code(conversation, checked, cookie)
    return _ask(Question.SECOND_FACTOR, conversation, methods, cookie, by)


def _ask(
    question: Question, conversation: Conversation, methods: Sequence[MfaMethod], cookie: DeviceCookie, by: By
) -> Challenge:
    user, method = conversation.user, methods[0] if methods else None
    state = SignInState(
        id=secrets.token_hex(16),
        user_id=str(user.pk),
        auth_backend=getattr(user, "backend", ""),
        stamp=stamps.credential_stamp(user, conversation.methods()),
        started_at=by.at,
        question=question,
        method_id=method.id if method else "",
        backend_state=dict(conversation.state),
    )
    return Challenge(state=state, conversation=conversation, cookie=cookie, by=by, methods=methods, method=method)


def _complete_without_code(conversation: Conversation, checked: TrustCheck, cookie: DeviceCookie) -> SignedIn:
    user, trusted = conversation.user, checked.decision.allowed
    if conversation.mfa_active and not trusted:
        raise BackendUnavailable("No second factor was asked for where one is due.")
    held = cookie.present(str(user.pk)).credential
    device = checked.device if trusted else recognise(user=user, credential=held)
    return SignedIn(
        user=user,
        verified_by=VerifiedBy.TRUSTED_DEVICE if trusted else VerifiedBy.PASSWORD,
        auth_backend=getattr(user, "backend", ""),
        device=device,
        credential=checked.credential,
        decision=checked.decision,
        mfa_active=conversation.mfa_active,
        device_lost=conversation.device_lost,
        session_data=conversation.session_data(device.device_key if device else ""),
    )


def _trust_device(challenge: Challenge, period: timedelta, name: str = "") -> SignedIn:
    state = challenge.state
    try:
        granted = granting.grant(
            user=challenge.user,
            choice=TrustChoice(period=period, name=name, question_id=state.id),
            verification=_verified(state),
            presented=challenge.cookie.present(state.user_id),
            owner=challenge.conversation.owner,
            by=challenge.by,
        )
    except (Error, BackendUnavailable) as error:
        # Not the error itself: databases quote the row.
        logger.error("Trust could not be granted (%s).", type(error).__name__)  # noqa: TRY400
        return dataclasses.replace(_complete(challenge, None), trust_failed=True)
    return dataclasses.replace(
        _complete(challenge, granted.device),
        credential=granted.credential,
        trusted_until=granted.device.trust_expires_at,
    )


def _complete(challenge: Challenge, device: Device | None) -> SignedIn:
    verified = _verified(challenge.state)
    return SignedIn(
        user=challenge.user,
        verified_by=VerifiedBy.RECOVERY if verified.recovery else VerifiedBy.MFA,
        auth_backend=challenge.state.auth_backend,
        device=device,
        verification=verified,
        session_data=challenge.conversation.session_data(device.device_key if device else ""),
    )


def _known_device(challenge: Challenge) -> Device | None:
    """Return the device in front of a user who has used a second factor, trusted or not; ``None`` if not known."""
    user, credential = challenge.user, challenge.cookie.present(challenge.state.user_id).credential
    return trust.familiar(user=user, credential=credential, by=challenge.by)


def _verified(state: SignInState) -> MfaVerification:
    if state.verified is None:
        raise SignInExpired
    return state.verified


def _require(challenge: Challenge, question: Question) -> None:
    if challenge.question is not question:
        raise SignInExpired
