"""Sign-in events, read from the activity log, and what users and staff say of them."""

from __future__ import annotations

import uuid
from typing import Any

from trusted_devices.cognito_idp import accounts, errors
from trusted_devices.cognito_idp.models import AuthEventFeedback, PoolUser, UserPool
from trusted_devices.cognito_idp.operations.admin import pool_user_of
from trusted_devices.cognito_idp.pages import NEWEST_FIRST, next_token, place_in
from trusted_devices.cognito_idp.registry import Access, Answer, Call, operation
from trusted_devices.cognito_idp.sealed import record
from trusted_devices.crypto.sealing import Unsealable
from trusted_devices.exceptions import CodeMismatch
from trusted_devices.models import DeviceEvent
from trusted_devices.querysets import DeviceEventQuerySet
from trusted_devices.types import EventAction, VerifiedBy
from trusted_devices.words.browsers import describe

PAGE = 60
ACTIONS = (EventAction.SIGNED_IN, EventAction.SIGN_IN_FAILED)
_FEEDBACK = record("feedback")


@operation(
    "AdminListUserAuthEvents",
    Access.SIGNED,
    differs="Sign-ins through every door of the site, finished or failed; risk is not assessed.",
)
def admin_list_user_auth_events(call: Call) -> Answer:
    pool_user = pool_user_of(call)
    _require_enabled(pool_user.pool)
    name, size = f"events of {pool_user.pk}", call.params.get("MaxResults") or PAGE
    page = NEWEST_FIRST.page(_events(pool_user), place_in(name, call.params.get("NextToken")), size=size)
    feedback = {given.event_id: given for given in AuthEventFeedback.objects.filter(event__in=page.rows)}
    events = [_described(event, feedback.get(event.pk)) for event in page.rows]
    return {"AuthEvents": events, **next_token(name, "NextToken", page)}


@operation("AdminUpdateAuthEventFeedback", Access.SIGNED)
def admin_update_auth_event_feedback(call: Call) -> Answer:
    _give_feedback(pool_user_of(call), call, provider="Admin")
    return {}


@operation("UpdateAuthEventFeedback", Access.FEEDBACK, differs="The site puts the feedback tokens into its own mails.")
def update_auth_event_feedback(call: Call) -> Answer:
    params = call.params
    try:
        opened = _FEEDBACK.open(params["FeedbackToken"])
    except Unsealable:
        raise errors.not_authorized("Invalid feedback token") from None
    if (opened["pool"], opened["event"]) != (params["UserPoolId"], params["EventId"]):
        raise errors.not_authorized("Invalid feedback token")
    pool = UserPool.objects.filter(pool_id=params["UserPoolId"]).first()
    if pool is None:
        raise errors.pool_not_found(params["UserPoolId"])
    _give_feedback(accounts.require_for_admin(pool, params["Username"]), call, provider="User")
    return {}


def feedback_token(pool: UserPool, event: DeviceEvent) -> str:
    """Return what authorises its holder to say whether that sign-in was theirs: for a link in a mail."""
    return _FEEDBACK.seal({"pool": pool.pool_id, "event": _event_id(event)})


def _events(pool_user: PoolUser) -> DeviceEventQuerySet[DeviceEvent]:
    # The log only ever grows: its primary key is its order, and a page can begin behind one.
    return DeviceEvent.objects.filter(user=pool_user.user, action__in=ACTIONS)


def _require_enabled(pool: UserPool) -> None:
    if not pool.threat_protection:
        raise errors.WireError("UserPoolAddOnNotEnabledException", "Threat protection is not enabled for the pool.")


def _give_feedback(pool_user: PoolUser, call: Call, *, provider: str) -> None:
    _require_enabled(pool_user.pool)
    try:
        pk = uuid.UUID(call.params["EventId"]).int
    except ValueError:
        pk = 0
    event = _events(pool_user).filter(pk=pk).first() if 0 < pk < 2**63 else None
    if event is None:
        raise errors.not_found("The event does not exist.")
    AuthEventFeedback.objects.update_or_create(
        event=event,
        defaults={"value": call.params["FeedbackValue"], "provider": provider, "created_at": call.now},
    )


def _described(event: DeviceEvent, feedback: AuthEventFeedback | None) -> dict[str, Any]:
    context = {"IpAddress": event.ip_address, "DeviceName": describe(event.user_agent)}
    described: dict[str, Any] = {
        "EventId": _event_id(event),
        "EventType": "SignIn",
        "CreationDate": round(event.created_at.timestamp(), 3),
        "EventResponse": "Pass" if event.action == EventAction.SIGNED_IN else "Fail",
        "EventRisk": {"RiskDecision": "NoRisk", "CompromisedCredentialsDetected": False},
        "ChallengeResponses": _challenges(event),
        "EventContextData": {name: value for name, value in context.items() if value},
    }
    if feedback is not None:
        described["EventFeedback"] = {
            "FeedbackValue": feedback.value,
            "Provider": feedback.provider,
            "FeedbackDate": round(feedback.created_at.timestamp(), 3),
        }
    return described


def _challenges(event: DeviceEvent) -> list[dict[str, str]]:
    passed = [_challenge("Password", passed=True)]
    if event.action == EventAction.SIGNED_IN:
        return [*passed, _challenge("Mfa", passed=True)] if event.reason == VerifiedBy.MFA else passed
    if event.reason == CodeMismatch.code:
        return [*passed, _challenge("Mfa", passed=False)]
    return [_challenge("Password", passed=False)]


def _challenge(name: str, *, passed: bool) -> dict[str, str]:
    return {"ChallengeName": name, "ChallengeResponse": "Success" if passed else "Failure"}


def _event_id(event: DeviceEvent) -> str:
    return str(uuid.UUID(int=event.pk))
