"""pycognito, unmodified but for the hard-coded address of its three device methods, which would leave the machine."""

import pycognito.aws_srp
import pytest
from botocore.exceptions import ClientError
from pycognito import Cognito
from pycognito.aws_srp import AWSSRP
from pycognito.exceptions import ForceChangePasswordException, SoftwareTokenMFAChallengeException

from trusted_devices.cognito_idp.models import UserPool

NEW_PASSWORD = "a much better staple"

pytestmark = [pytest.mark.clients, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def redirected(site, monkeypatch):
    """pycognito's own HTTP calls go to the site."""
    post = pycognito.aws_srp.requests.post

    def redirect(url, *arguments, **options):
        assert url == f"https://cognito-idp.{site.region}.amazonaws.com/"
        answer = post(site.endpoint, *arguments, **options)
        assert answer.status_code == 200, answer.text
        return answer

    monkeypatch.setattr("pycognito.aws_srp.requests.post", redirect)


def srp(site, **extra):
    return AWSSRP(
        username=extra.pop("username", site.username),
        password=site.password,
        pool_id=site.pool.pool_id,
        client_id=extra.pop("client_id", site.client.client_id),
        client=site.boto3(),
        **extra,
    )


def mfa_sign_in(site, idp):
    """Sign in with SRP and a code; return the AuthenticationResult or the next challenge."""
    with pytest.raises(SoftwareTokenMFAChallengeException) as challenge:
        idp.authenticate_user()
    answer = challenge.value.get_tokens()
    responses = {"USERNAME": site.username, "SOFTWARE_TOKEN_MFA_CODE": site.code()}
    if idp.client_secret is not None:
        responses["SECRET_HASH"] = idp.get_secret_hash(site.username, idp.client_id, idp.client_secret)
    return site.boto3().respond_to_auth_challenge(
        ClientId=idp.client_id,
        ChallengeName="SOFTWARE_TOKEN_MFA",
        Session=answer["Session"],
        ChallengeResponses=responses,
    )


def prove_device(site, idp):
    """Sign in with SRP and a code, then as far as the client goes by itself after a password; return the result."""
    answer = mfa_sign_in(site, idp)
    assert answer["ChallengeName"] == idp.DEVICE_SRP_CHALLENGE
    boto = site.boto3()
    challenge = boto.respond_to_auth_challenge(
        ClientId=idp.client_id,
        ChallengeName=idp.DEVICE_SRP_CHALLENGE,
        ChallengeResponses={
            "USERNAME": site.username,
            "DEVICE_KEY": idp.device_key,
            "SRP_A": f"{idp.large_a_value:x}",
        },
    )
    assert challenge["ChallengeName"] == "DEVICE_PASSWORD_VERIFIER"
    return boto.respond_to_auth_challenge(
        ClientId=idp.client_id,
        ChallengeName="DEVICE_PASSWORD_VERIFIER",
        ChallengeResponses=idp.process_device_challenge(challenge["ChallengeParameters"]),
    )["AuthenticationResult"]


def signed_in(site, result):
    """pycognito's user with the tokens of a sign-in."""
    user = Cognito(
        site.pool.pool_id,
        site.client.client_id,
        username=site.username,
        id_token=result["IdToken"],
        access_token=result["AccessToken"],
        refresh_token=result["RefreshToken"],
        boto3_client_kwargs={"endpoint_url": site.endpoint, "region_name": site.region},
    )
    site.opened.append(user.client)
    return user


def test_pycognito_goes_through_the_whole_life_of_a_device(site):
    first = srp(site)
    result = mfa_sign_in(site, first)["AuthenticationResult"]
    metadata = result["NewDeviceMetadata"]
    response, device_password = first.confirm_device({"AuthenticationResult": result})
    assert response.json() == {"UserConfirmationNecessary": True}
    first.update_device_status(True, result["AccessToken"], metadata["DeviceKey"])
    known = {
        "device_key": metadata["DeviceKey"],
        "device_group_key": metadata["DeviceGroupKey"],
        "device_password": device_password,
    }
    idp = site.boto3()
    assert [d["DeviceKey"] for d in idp.list_devices(AccessToken=result["AccessToken"])["Devices"]] == [
        metadata["DeviceKey"]
    ]

    again = srp(site, **known).authenticate_user()["AuthenticationResult"]
    assert "NewDeviceMetadata" not in again

    first.update_device_status(False, again["AccessToken"], metadata["DeviceKey"])
    assert idp.list_devices(AccessToken=again["AccessToken"])["Devices"] == []
    asked = prove_device(site, srp(site, **known))
    assert "NewDeviceMetadata" not in asked
    first.update_device_status(True, asked["AccessToken"], metadata["DeviceKey"])
    again = srp(site, **known).authenticate_user()["AuthenticationResult"]

    refreshed = idp.get_tokens_from_refresh_token(
        ClientId=site.client.client_id, RefreshToken=again["RefreshToken"], DeviceKey=metadata["DeviceKey"]
    )
    first.forget_device(refreshed["AuthenticationResult"]["AccessToken"], metadata["DeviceKey"])
    with pytest.raises(ClientError, match="Device does not exist\\."):
        srp(site, **known).authenticate_user()
    result = mfa_sign_in(site, srp(site))["AuthenticationResult"]
    assert result["NewDeviceMetadata"]["DeviceKey"] != metadata["DeviceKey"]

    user = signed_in(site, result)
    user.verify_tokens()
    user.logout()
    for signed_out in (result["AccessToken"], refreshed["AuthenticationResult"]["AccessToken"]):
        with pytest.raises(idp.exceptions.NotAuthorizedException, match="Access Token has been revoked"):
            idp.get_user(AccessToken=signed_out)


def test_pycognito_refreshes_and_signs_out_with_an_unconfirmed_device(site):
    UserPool.objects.filter(pk=site.pool.pk).update(refresh_without_device=True)
    result = mfa_sign_in(site, srp(site))["AuthenticationResult"]
    user = signed_in(site, result)
    user.verify_tokens()
    assert user.id_claims["cognito:username"] == site.username
    user.renew_access_token()
    assert user.access_token != result["AccessToken"]
    assert user.get_user().email == "maria@example.com"
    renewed = user.access_token
    user.logout()
    with pytest.raises(ClientError, match="Access Token has been revoked"):
        site.boto3().get_user(AccessToken=renewed)


def test_pycognito_sets_a_new_password(site):
    site.require_new_password()
    # Its Cognito has no step for a code after this one.
    UserPool.objects.filter(pk=site.pool.pk).update(mfa="OFF")
    with pytest.raises(ForceChangePasswordException):
        srp(site).authenticate_user()
    user = Cognito(
        site.pool.pool_id,
        site.client.client_id,
        username=site.username,
        boto3_client_kwargs={"endpoint_url": site.endpoint, "region_name": site.region},
    )
    site.opened.append(user.client)
    with pytest.raises(user.client.exceptions.InvalidParameterException, match=r"challengeResponses\.NEW_PASSWORD"):
        user.new_password_challenge(site.password, " padded staple")
    user.new_password_challenge(site.password, NEW_PASSWORD)
    user.verify_tokens()
    assert user.get_user().email == "maria@example.com"
    again = srp(site)
    again.password = NEW_PASSWORD
    assert "AccessToken" in again.authenticate_user()["AuthenticationResult"]


def test_pycognito_goes_on_with_a_code_after_a_new_password(site):
    site.require_new_password()
    idp = srp(site, client_id=site.secret_client.client_id, client_secret=site.secret)
    assert idp.set_new_password_challenge(NEW_PASSWORD)["ChallengeName"] == "SOFTWARE_TOKEN_MFA"
    idp.password = NEW_PASSWORD
    assert mfa_sign_in(site, idp)["AuthenticationResult"]["TokenType"] == "Bearer"


def test_pycognito_signs_in_with_a_client_secret(site):
    idp = srp(site, client_id=site.secret_client.client_id, client_secret=site.secret)
    assert mfa_sign_in(site, idp)["AuthenticationResult"]["TokenType"] == "Bearer"


def test_pycognito_hears_of_a_wrong_password_and_of_no_such_user_alike(site):
    idp = srp(site)
    idp.password = "wrong"
    with pytest.raises(ClientError, match="Incorrect username or password\\."):
        idp.authenticate_user()
    with pytest.raises(ClientError, match="Incorrect username or password\\."):
        srp(site, username="nobody").authenticate_user()
