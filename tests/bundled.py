"""Arguments of services as tests like to vary them, one by one."""

from trusted_devices.services.granting import TrustChoice
from trusted_devices.types import By

BY = {"actor": "actor", "note": "note", "client": "client", "now": "at"}
CHOICE = {"period": "period", "name": "name", "grant_id": "question_id"}


def bundled(arguments, *, choice=False):
    """Return ``arguments`` with who, why, whence and when in ``by``, and with what the user chose in ``choice``."""
    rest = dict(arguments)
    given = {"by": By(**_taken(rest, BY))}
    if choice:
        given["choice"] = TrustChoice(**_taken(rest, CHOICE))
    return rest | given


def _taken(rest, names):
    return {names[name]: rest.pop(name) for name in list(rest) if name in names}
