"""Settings of a sweep in a process of its own, at the pool that ``COGNITO`` describes."""

import json
import os

from tests.settings import *  # noqa: F403
from tests.settings import TRUSTED_DEVICES as SITE

TRUSTED_DEVICES = {
    **{name: value for name, value in SITE.items() if name != "MFA"},
    "BACKEND": "cognito",
    "COGNITO": json.loads(os.environ["COGNITO"]),
}
