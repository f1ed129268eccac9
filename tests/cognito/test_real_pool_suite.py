"""The suite for a real pool is one: it passes against the pool of these tests, named as Amazon's would be."""

import os
import subprocess
import sys

from tests.cognito.conftest import new_person
from tests.shared_database import ROOT

SUITE = "tests/cognito/test_real_pool.py"


def run(*arguments, **environ):
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COGNITO_TEST_"))}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", *arguments],
        cwd=ROOT,
        env={**clean, "TEST_DATABASE": "sqlite", **environ},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_it_passes_at_a_pool_that_the_variables_name(process, db):
    person = new_person(process, totp=True)
    done = run(
        SUITE,
        COGNITO_TEST_USER_POOL_ID=process.facts["pool_id"],
        COGNITO_TEST_CLIENT_ID=process.facts["secret_client_id"],
        COGNITO_TEST_CLIENT_SECRET=process.facts["client_secret"],
        COGNITO_TEST_ENDPOINT_URL=process.endpoint,
        COGNITO_TEST_USERNAME=person.username,
        COGNITO_TEST_PASSWORD=person.password,
        COGNITO_TEST_TOTP_SECRET=process.act("totp_secret", username=person.username)["secret"],
        COGNITO_TEST_STEPS_AHEAD="1",
    )
    assert done.returncode == 0, done.stdout
    assert "4 passed" in done.stdout


def test_it_is_not_even_collected_otherwise():
    done = run("tests/cognito", "--collect-only", STRICT_SERVICES="1")
    assert "test_sign_in.py" in done.stdout
    assert "test_real_pool.py" not in done.stdout
