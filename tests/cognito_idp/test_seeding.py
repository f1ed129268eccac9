"""What the demo seeds."""

from tests.cognito_idp.signed import Admin
from tests.cognito_idp.wire import App
from trusted_devices.cognito_idp import seeding
from trusted_devices.cognito_idp.models import AccessKey, UserPool, UserPoolClient


def test_seeding_twice_says_the_same_and_everything_works(wire, user):
    facts = seeding.seed({"maria": "correct horse", "nobody": "x"})
    assert seeding.seed({"maria": "correct horse"}) == facts
    assert set(facts) == {
        *("endpoint", "region", "user_pool_id", "client_id", "secret_client_id", "secret_client_secret"),
        *("access_key_id", "secret_access_key"),
    }
    pool = UserPool.objects.get(pool_id=facts["user_pool_id"])
    assert (pool.tracking, pool.challenge_required_on_new_device) == ("opt_in", True)
    public = App(wire, UserPoolClient.objects.get(client_id=facts["client_id"]), "maria", "correct horse")
    assert "AuthenticationResult" in public.srp_sign_in()
    assert set(UserPoolClient.objects.values_list("pool", "rotate_refresh_tokens")) == {(pool.pk, False)}
    secret = UserPoolClient.objects.get(client_id=facts["secret_client_id"])
    confidential = App(wire, secret, "maria", "correct horse", secret=facts["secret_client_secret"])
    assert "AuthenticationResult" in confidential.srp_sign_in()
    admin = Admin(wire, AccessKey.objects.get(access_key_id=facts["access_key_id"]), facts["secret_access_key"])
    assert admin.call("AdminGetUser", UserPoolId=facts["user_pool_id"], Username="maria")["Enabled"] is True


def test_secrets_that_can_no_longer_be_read_are_made_anew(user, settings):
    facts = seeding.seed({})
    settings.SECRET_KEY = "another-key-" + "y" * 40
    renewed = seeding.seed({})
    assert renewed["secret_client_id"] == facts["secret_client_id"]
    assert renewed["secret_client_secret"] != facts["secret_client_secret"]
    assert renewed["secret_access_key"] != facts["secret_access_key"]
