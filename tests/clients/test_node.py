"""The clients for JavaScript, unmodified, in Node: each script goes through the whole life of a device."""

import hashlib
import json
import os
import shutil
import subprocess
from base64 import b32decode
from pathlib import Path

import pytest
from django_otp.oath import totp

from tests.cognito_idp.factories import KEY_SECRET
from trusted_devices.cognito_idp import accounts
from trusted_devices.cognito_idp.models import UserPool

pytestmark = [pytest.mark.clients, pytest.mark.node, pytest.mark.django_db(transaction=True)]

SCRIPTS = Path(__file__).parent / "node"


@pytest.fixture(scope="session")
def packages(tmp_path_factory, request):
    """A folder with the scripts and, from the npm registry, the clients; kept for the next run."""
    wanted = (SCRIPTS / "package.json").read_bytes()
    cache = request.config.cache
    assert cache is not None
    folder = cache.mkdir(f"clients-{hashlib.sha256(wanted).hexdigest()[:16]}")
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    folder = folder / worker if worker else folder
    folder.mkdir(exist_ok=True)
    if shutil.which("npm") is None:
        _missing("npm is not installed")
    (folder / "package.json").write_bytes(wanted)
    if not (folder / "complete").exists():
        command = ["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts", "--silent"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600, check=False)
        if done.returncode != 0:
            _missing(f"npm could not install the clients: {done.stderr}")
        (folder / "complete").touch()
    for script in SCRIPTS.glob("*.mjs"):
        shutil.copy(script, folder)
    return folder


@pytest.fixture
def run(site, packages):
    """Run a script; answer what it asks; return what its steps found."""

    def start(script, **other):
        facts = {
            "endpoint": site.endpoint,
            "region": site.region,
            "pool": site.pool.pool_id,
            "client": site.client.client_id,
            "username": site.username,
            "password": site.password,
            "keyId": site.key.access_key_id,
            "keySecret": KEY_SECRET,
            **other,
        }
        found = {}
        with subprocess.Popen(
            ["node", script, json.dumps(facts)],
            cwd=packages,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.stderr is not None
            for line in process.stdout:
                if not line.startswith("{"):
                    continue
                told = json.loads(line)
                if "ask" in told:
                    _code, _of, key = told["ask"].partition(" of ")
                    process.stdin.write(f"{totp(b32decode(key)):06}\n" if key else f"{site.code()}\n")
                    process.stdin.flush()
                else:
                    found[told["step"]] = told["value"]
            errors = process.stderr.read()
            assert process.wait(timeout=60) == 0, (found, errors)
        return found

    return start


def _missing(why):
    """Skip, but not where these tests are required."""
    if os.environ.get("CI"):
        pytest.fail(why)
    pytest.skip(why)


def test_amazon_cognito_identity_js_goes_through_the_whole_life_of_a_device(run):
    assert run("acij.mjs") == {
        "first": {"mfa": True, "confirmationNecessary": True},
        "listed": [True],
        "remembered": {"mfa": False, "confirmationNecessary": False},
        "not remembered": {"mfa": True, "sameDevice": True},
        "got": "remembered",
        "refreshed": True,
        "recovered": {"mfa": True, "newDevice": True},
        "forgotten": None,
        "signed out": "Access Token has been revoked",
        "revoked": "Access Token has been revoked",
        "wrong password": "NotAuthorizedException: Incorrect username or password.",
    }


NEW_PASSWORD_STEPS = {
    "asked": {"requiredAttributes": ["given_name"]},
    "without the name": "InvalidParameterException: Invalid attributes given, given_name is missing",
    "set": {"mfa": True},
    "again": {"mfa": True},
}


def test_amazon_cognito_identity_js_sets_a_new_password(site, run):
    site.require_new_password("given_name")
    assert run("acij_new_password.mjs") == {
        **NEW_PASSWORD_STEPS,
        "attributes": {"given_name": "", "email": "maria@example.com", "email_verified": "false"},
    }


def test_aws_amplify_sets_a_new_password(site, run):
    site.require_new_password("given_name")
    assert run("amplify_new_password.mjs") == NEW_PASSWORD_STEPS


@pytest.mark.parametrize(("mfa", "asked"), [("OPTIONAL", []), ("ON", ["MFA_SETUP"])])
def test_amazon_cognito_identity_js_sets_an_authenticator_up(site, run, mfa, asked):
    site.factor.delete()
    UserPool.objects.update(mfa=mfa)
    assert run("acij_enrol.mjs") == {
        "asked": asked,
        "preferred": "SUCCESS",
        "settings": ["SOFTWARE_TOKEN_MFA", ["SOFTWARE_TOKEN_MFA"]],
        "asked again": ["SOFTWARE_TOKEN_MFA"],
    }


def test_aws_amplify_sets_an_authenticator_up(site, run):
    site.factor.delete()
    assert run("amplify_enrol.mjs") == {
        "asked": "DONE",
        "settings": {"enabled": ["TOTP"], "preferred": "TOTP"},
        "asked again": "CONFIRM_SIGN_IN_WITH_TOTP_CODE",
    }


@pytest.mark.parametrize("username", ["maria", "Maria@example.com"])
def test_aws_amplify_goes_through_the_whole_life_of_a_device(site, run, username):
    UserPool.objects.update(email_alias=True)
    accounts.keep_verifier(accounts.get_pool_user(UserPool.objects.get(), site.factor.user), site.password)
    assert run("amplify.mjs", username=username) == {
        "first": {"mfa": True, "done": True},
        "listed": [True],
        "remembered": {"mfa": False, "done": True},
        "not remembered": {"mfa": True, "done": True, "sameDevice": True},
        "refreshed": True,
        "recovered": {"mfa": True, "done": True, "newDevice": True},
        "forgotten": None,
        "signed out": "Access Token has been revoked",
        "wrong password": "NotAuthorizedException: Incorrect username or password.",
    }


def test_the_aws_sdk_for_javascript_goes_through_the_whole_life_of_a_device(run):
    assert run("sdk3.mjs") == {
        "first": {"mfa": True, "confirmationNecessary": True},
        "listed": [True],
        "remembered": {"mfa": False},
        "not remembered": {"mfa": True, "newDevice": False},
        "remembered again": {"mfa": False},
        "refreshed": True,
        "admin": True,
        "forgotten": "ResourceNotFoundException: Device does not exist.",
        "recovered": {"mfa": True, "newDevice": True},
        "got": 7,
        "signed out": "Access Token has been revoked",
    }
