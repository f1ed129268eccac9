"""Statuses, reasons and actions in words."""

import pytest

from trusted_devices.types import Binding, DeviceStatus, EventAction, StatusReason, TrustReason, VerifiedBy
from trusted_devices.words import reasons

TABLES = {
    DeviceStatus: reasons.STATUSES,
    StatusReason: reasons.STATUS_REASONS,
    Binding: reasons.BINDINGS,
    EventAction: reasons.ACTIONS,
    TrustReason: reasons.TRUST_REASONS,
    VerifiedBy: reasons.VERIFIED_BY,
}


@pytest.mark.parametrize("enum", TABLES, ids=lambda enum: enum.__name__)
def test_every_value_has_words(enum):
    assert list(TABLES[enum]) == list(enum)
    assert all(str(words) for words in TABLES[enum].values())


@pytest.mark.parametrize(
    ("reason", "words"),
    [("staff_stopped", "Trust stopped by staff"), ("risk", "Unusual sign-in"), ("mfa", "With a second factor")],
)
def test_a_reason_of_the_log_is_put_into_words_whatever_kind_it_is(reason, words):
    assert reasons.describe(reason) == words


def test_a_reason_without_words_is_shown_as_it_is():
    assert reasons.describe("code_mismatch") == "code_mismatch"
