"""The one place that calls boto3: where it calls, how long it waits, what it does again, what it never tells."""

import pytest
from botocore import UNSIGNED
from botocore.awsrequest import AWSResponse
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)
from botocore.parsers import ResponseParserError

from trusted_devices.cognito import client, conf, errors
from trusted_devices.cognito.client import PoolClient
from trusted_devices.exceptions import BackendUnavailable, InvalidCredentials

URL = "https://example.com/"
GIVEN = {"USER_POOL_ID": "eu-central-1_AbCdEf123", "CLIENT_ID": "1example23456789"}


def options(**changes):
    return conf.Options(**{**GIVEN, **changes})


@pytest.fixture
def slept(monkeypatch):
    found = []
    monkeypatch.setattr(client, "sleep", found.append)
    return found


class Answers:
    """A boto3 client that fails in this way until it has failed often enough."""

    def __init__(self, *failures, then=None):
        self.failures = list(failures)
        self.then = {} if then is None else then
        self.calls = 0

    def __getattr__(self, operation):
        def call(**params):
            self.calls += 1
            if self.failures:
                raise self.failures.pop(0)
            return self.then

        return call


@pytest.fixture
def answers(monkeypatch, slept):
    def put(*failures, then=None):
        fake = Answers(*failures, then=then)
        monkeypatch.setattr(client, "_client", lambda options, signed: fake)
        return fake

    return put


def refusal(code, status=400):
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "Operation")


LOST = [
    ReadTimeoutError(endpoint_url=URL),
    ConnectTimeoutError(endpoint_url=URL),
    EndpointConnectionError(endpoint_url=URL),
    ResponseParserError("<html>"),
    ValueError("not JSON"),
]


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("eu-central-1", "cognito-idp.eu-central-1.amazonaws.com"),
        ("us-gov-west-1", "cognito-idp.us-gov-west-1.amazonaws.com"),
        ("cn-north-1", "cognito-idp.cn-north-1.amazonaws.com.cn"),
    ],
)
def test_every_partition_of_amazon_has_its_endpoint_and_its_issuer(region, host):
    found = options(USER_POOL_ID=f"{region}_AbCdEf123")
    assert client._client(found, signed=False).meta.endpoint_url == f"https://{host}"
    assert found.issuer == f"https://{host}/{region}_AbCdEf123"


def test_an_own_endpoint_is_called_and_is_the_issuer_by_default():
    found = options(ENDPOINT_URL="http://127.0.0.1:9/cognito-idp/")
    assert client._client(found, signed=True).meta.endpoint_url == "http://127.0.0.1:9/cognito-idp/"
    assert found.issuer == "http://127.0.0.1:9/cognito-idp/eu-central-1_AbCdEf123"
    assert options(ISSUER="https://example.com/pool/").issuer == "https://example.com/pool"


def test_the_region_may_be_another_than_the_one_in_the_pool_s_id():
    found = options(USER_POOL_ID="local_AbCdEf123", REGION="eu-west-1")
    assert client._client(found, signed=False).meta.region_name == "eu-west-1"


def test_the_time_outs_are_the_options_and_boto3_repeats_nothing():
    config = client._client(options(CONNECT_TIMEOUT=0.5, READ_TIMEOUT=1.5), signed=True).meta.config
    assert (config.connect_timeout, config.read_timeout) == (0.5, 1.5)
    assert config.retries["total_max_attempts"] == 1


class Raw:
    """The body of an answer that came over the network."""

    def __init__(self, body):
        self.body = body

    def stream(self):
        yield self.body


@pytest.fixture
def answered(slept):
    """What the pool answers, as its answer comes, to whatever it is asked without a signature."""
    client._built.cache_clear()

    def put(body):
        response = AWSResponse(URL, 200, {"content-type": "application/x-amz-json-1.1"}, Raw(body))
        events = client._client(options(), signed=False).meta.events
        events.register("before-send", lambda **_: response)

    yield put
    client._built.cache_clear()


@pytest.mark.parametrize("body", [b'{"UserConfirmation', b"[1, 2]", b'"{}"', b"3", b"null", b"<html>"])
def test_a_success_that_is_cut_short_or_no_object_is_malformed(answered, body):
    answered(body)
    with pytest.raises(errors.Lost):
        PoolClient(options()).call("update_device_status", AccessToken="a", DeviceKey="local_1")


@pytest.mark.parametrize("body", [b"{}", b""])
def test_a_success_without_members_is_one(answered, body):
    answered(body)
    assert PoolClient(options()).call("update_device_status", AccessToken="a", DeviceKey="local_1")


@pytest.mark.parametrize(
    ("operation", "signed"),
    [
        ("initiate_auth", False),
        ("respond_to_auth_challenge", False),
        ("confirm_device", False),
        ("update_device_status", False),
        ("get_tokens_from_refresh_token", False),
        ("admin_initiate_auth", True),
        ("admin_get_user", True),
        ("admin_update_device_status", True),
        ("describe_user_pool", True),
        ("get_user_pool_mfa_config", True),
    ],
)
def test_only_what_amazon_wants_signed_is_signed(operation, signed):
    assert client._is_signed(operation) is signed
    config = client._client(options(), signed=signed).meta.config
    assert (config.signature_version is UNSIGNED) is not signed


def test_without_credentials_a_signed_call_says_that_the_pool_cannot_be_reached(answers, caplog):
    answers(*[NoCredentialsError()] * 3)
    with pytest.raises(BackendUnavailable):
        PoolClient(options()).call("admin_get_user")
    assert "NoCredentialsError" in caplog.text


@pytest.mark.parametrize("lost", LOST, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize(
    ("operation", "calls"),
    [("admin_update_device_status", 3), ("initiate_auth", 3), ("respond_to_auth_challenge", 1), ("confirm_device", 1)],
)
def test_a_lost_answer_is_asked_for_again_only_where_twice_is_the_same_as_once(answers, lost, operation, calls):
    fake = answers(*[lost] * 5)
    with pytest.raises(errors.Lost):
        PoolClient(options()).call(operation)
    assert fake.calls == calls


@pytest.mark.parametrize("operation", ["respond_to_auth_challenge", "confirm_device", "admin_forget_device"])
def test_what_was_refused_for_load_is_always_asked_again(answers, slept, operation):
    fake = answers(*[refusal("TooManyRequestsException")] * 2, then={"Fine": "yes"})
    assert PoolClient(options()).call(operation) == {"Fine": "yes"}
    assert fake.calls == 3
    assert len(slept) == 2
    assert all(0 <= wait <= client.FIRST_WAIT * 2**attempt for attempt, wait in enumerate(slept, 1))


@pytest.mark.parametrize(("operation", "calls"), [("admin_forget_device", 3), ("confirm_device", 1)])
@pytest.mark.parametrize("code", ["InternalErrorException", "500", "502", ""])
def test_a_pool_that_breaks_down_may_have_done_it_all_the_same(answers, operation, calls, code):
    fake = answers(*[refusal(code, 500)] * 5)
    with pytest.raises(errors.OutOfOrder):
        PoolClient(options()).call(operation)
    assert fake.calls == calls


def test_what_cannot_be_put_right_by_asking_again_is_asked_once(answers):
    fake = answers(*[refusal("NotAuthorizedException")] * 3)
    with pytest.raises(InvalidCredentials):
        PoolClient(options()).call("initiate_auth")
    assert fake.calls == 1


@pytest.mark.parametrize("answer", [[], "text", 3])
def test_an_answer_that_is_no_object_is_no_answer(answers, answer):
    answers(then=answer)
    with pytest.raises(errors.MalformedAnswer):
        PoolClient(options()).call("initiate_auth")


def test_a_lost_answer_is_logged_without_what_was_sent(answers, caplog):
    answers(ValueError("password=hunter2"))
    with pytest.raises(errors.Lost) as raised:
        PoolClient(options()).call("confirm_device")
    assert "hunter2" not in caplog.text + str(raised.value)
    assert raised.value.__cause__ is None
    assert "confirm_device: no answer from the user pool (ValueError)." in caplog.text


def test_the_client_s_secret_is_proved_as_amazon_says_and_is_in_no_repr():
    # base64(HMAC-SHA256(secret, user name + client id))
    found = options(CLIENT_SECRET="0123456789abcdef")
    assert PoolClient(found).secret_hash("maria") == {"SECRET_HASH": "s7OsM9wTykaCmTtj8+Cal1lkM7EtJ9bcHMg3Hd1AAWk="}
    assert PoolClient(options()).secret_hash("maria") == {}
    assert "0123456789abcdef" not in repr(found)


def test_waits_spread_from_nothing_to_a_bound_that_doubles_up_to_the_longest():
    for attempt, bound in ((1, 1.0), (2, 2.0), (3, 4.0), (9, 5.0)):
        drawn = [client.full_jitter(attempt, first=0.5, longest=5.0) for _ in range(300)]
        assert 0 <= min(drawn) < bound / 4
        assert bound * 3 / 4 < max(drawn) <= bound


@pytest.mark.parametrize(
    ("headers", "good"),
    [
        ({"x-amzn-requestid": "1"}, True),
        ({"content-type": "application/x-amz-json-1.1"}, True),
        ({"content-type": "text/html"}, False),
        ({}, False),
    ],
)
def test_a_success_that_no_pool_has_sent_is_none(answers, headers, good):
    answers(then={"ResponseMetadata": {"HTTPStatusCode": 200, "HTTPHeaders": headers}})
    if good:
        PoolClient(options()).call("confirm_device")
    else:
        with pytest.raises(errors.MalformedAnswer):
            PoolClient(options()).call("confirm_device")
