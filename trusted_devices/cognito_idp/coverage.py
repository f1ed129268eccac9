"""Which of Cognito's operations are answered, from the registry and botocore's model of the service."""

from __future__ import annotations

from collections import Counter

from trusted_devices.cognito_idp.protocol import service_model
from trusted_devices.cognito_idp.registry import operations

IMPLEMENTED, DIFFERS, MISSING = "implemented", "differs", "not"

NEVER_RAISED = {
    "ConcurrentModificationException": "of two changes at once the later one holds",
    "FeatureUnavailableInTierException": "pools have no tiers",
    "ForbiddenException": "there is no web application firewall in here",
    "InvalidEmailRoleAccessPolicyException": "mails are the site's",
    "InvalidLambdaResponseException": "pools run no code of their own",
    "InvalidOAuthFlowException": "there are no hosted pages",
    "InvalidSmsRoleAccessPolicyException": "text messages are the site's",
    "InvalidSmsRoleTrustRelationshipException": "text messages are the site's",
    "LimitExceededException": "there may be any number of pools and clients",
    "OperationNotEnabledException": "older clients do not know it",
    "PasswordHistoryPolicyViolationException": "what is wrong with a password is for the site's validators to say",
    "ScopeDoesNotExistException": "there are no hosted pages",
    "TierChangeNotAllowedException": "pools have no tiers",
    "UnexpectedLambdaException": "pools run no code of their own",
    "UserImportInProgressException": "users are not imported",
    "UserLambdaValidationException": "pools run no code of their own",
    "UserNotConfirmedException": "the site's users are confirmed",
    "UserPoolTaggingException": "pools have no tags",
    "UsernameExistsException": "users are made on the site",
}
"""Errors that the service's description declares for operations answered here, and why none of them raises it."""

_HEAD = """\
# Cognito operations

What `trusted_devices.cognito_idp` answers, operation by operation, out of all that Amazon's own description of the
service names. This page is made by `manage.py cognito_operations`.

*implemented*: as on Cognito. *differs*: with the difference in the last column. *not*: answered with
`UnknownOperationException`. {counts}

| operation | | authorised by | differs |
| --- | --- | --- | --- |
"""

_ERRORS = """
## Errors

No operation answers with an error that is not declared for it, but for those of the protocol and of signatures. These
are declared, and never raised:

| error | because |
| --- | --- |
"""


def state_of(name: str) -> str:
    """Return ``implemented``, ``differs`` or ``not``."""
    known = operations().get(name)
    if known is None:
        return MISSING
    return DIFFERS if known.differs else IMPLEMENTED


def render() -> str:
    """Return the page as Markdown: what is answered first, each part in the order of the alphabet."""
    names = sorted(service_model().operation_names, key=lambda name: (state_of(name) == MISSING, name))
    count = Counter(state_of(name) for name in names)
    counts = f"{count[IMPLEMENTED]} are implemented, {count[DIFFERS]} differ, {count[MISSING]} are not."
    never = "".join(f"| `{name}` | {reason} |\n" for name, reason in NEVER_RAISED.items())
    return _HEAD.format(counts=counts) + "".join(map(_row, names)) + _ERRORS + never


def _row(name: str) -> str:
    known = operations().get(name)
    if known is None:
        return f"| `{name}` | {MISSING} | | |\n"
    return f"| `{name}` | {state_of(name)} | {known.access.value} | {known.differs} |\n"
