// The AWS SDK for JavaScript, version 3. It has no SRP of its own: amazon-cognito-identity-js does that half.
import {
  AdminForgetDeviceCommand, AdminListDevicesCommand, CognitoIdentityProviderClient, ConfirmDeviceCommand,
  ForgetDeviceCommand, GetDeviceCommand, GetTokensFromRefreshTokenCommand, GetUserCommand, GlobalSignOutCommand,
  InitiateAuthCommand, ListDevicesCommand, RespondToAuthChallengeCommand, UpdateDeviceStatusCommand,
} from '@aws-sdk/client-cognito-identity-provider';
import helper from 'amazon-cognito-identity-js/lib/AuthenticationHelper.js';
import big from 'amazon-cognito-identity-js/lib/BigInteger.js';
import { createHmac } from 'node:crypto';
import { code, finish, site, step } from './common.mjs';

const AuthenticationHelper = helper.default ?? helper;
const BigInteger = big.default ?? big;
const client = new CognitoIdentityProviderClient({
  region: site.region,
  endpoint: site.endpoint,
  credentials: { accessKeyId: site.keyId, secretAccessKey: site.keySecret },
});
const called = (start) => new Promise((resolve, reject) => start((e, r) => (e ? reject(e) : resolve(r))));
const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

function timestamp() {
  const now = new Date();
  const time = now.toISOString().slice(11, 19);
  return `${DAYS[now.getUTCDay()]} ${MONTHS[now.getUTCMonth()]} ${now.getUTCDate()} ${time} UTC ${now.getUTCFullYear()}`;
}

const respond = (ChallengeName, ChallengeResponses, Session) => client.send(new RespondToAuthChallengeCommand({
  ClientId: site.client, ChallengeName, Session, ChallengeResponses: { USERNAME: site.username, ...ChallengeResponses },
}));

async function proveDevice(device, Session) {
  const srp = new AuthenticationHelper(device.group);
  const a = await called((callback) => srp.getLargeAValue(callback));
  const answer = await respond('DEVICE_SRP_AUTH', { DEVICE_KEY: device.key, SRP_A: a.toString(16) }, Session);
  const { SALT, SRP_B, SECRET_BLOCK } = answer.ChallengeParameters;
  const hkdf = await called((callback) => srp.getPasswordAuthenticationKey(
    device.key, device.password, new BigInteger(SRP_B, 16), new BigInteger(SALT, 16), callback,
  ));
  const TIMESTAMP = timestamp();
  const message = Buffer.concat([
    Buffer.from(device.group + device.key), Buffer.from(SECRET_BLOCK, 'base64'), Buffer.from(TIMESTAMP),
  ]);
  return respond('DEVICE_PASSWORD_VERIFIER', {
    DEVICE_KEY: device.key,
    PASSWORD_CLAIM_SECRET_BLOCK: SECRET_BLOCK,
    PASSWORD_CLAIM_SIGNATURE: createHmac('sha256', hkdf).update(message).digest('base64'),
    TIMESTAMP,
  });
}

async function signIn(device) {
  let mfa = false;
  let answer = await client.send(new InitiateAuthCommand({
    ClientId: site.client,
    AuthFlow: 'USER_PASSWORD_AUTH',
    AuthParameters: {
      USERNAME: site.username, PASSWORD: site.password, ...(device ? { DEVICE_KEY: device.key } : {}),
    },
  }));
  if (answer.ChallengeName === 'SOFTWARE_TOKEN_MFA') {
    mfa = true;
    answer = await respond('SOFTWARE_TOKEN_MFA', { SOFTWARE_TOKEN_MFA_CODE: await code() }, answer.Session);
  }
  if (answer.ChallengeName === 'DEVICE_SRP_AUTH') answer = await proveDevice(device, answer.Session);
  return { mfa, result: answer.AuthenticationResult };
}

async function confirm(result) {
  const { DeviceKey, DeviceGroupKey } = result.NewDeviceMetadata;
  const srp = new AuthenticationHelper(DeviceGroupKey);
  await called((callback) => srp.generateHashDevice(DeviceGroupKey, DeviceKey, callback));
  const base64 = (hex) => Buffer.from(hex, 'hex').toString('base64');
  const answer = await client.send(new ConfirmDeviceCommand({
    AccessToken: result.AccessToken,
    DeviceKey,
    DeviceName: 'sdk3',
    DeviceSecretVerifierConfig: {
      Salt: base64(srp.getSaltDevices()), PasswordVerifier: base64(srp.getVerifierDevices()),
    },
  }));
  const device = { key: DeviceKey, group: DeviceGroupKey, password: srp.getRandomPassword() };
  return { device, confirmationNecessary: answer.UserConfirmationNecessary };
}

async function main() {
  let { mfa, result } = await signIn();
  const { device, confirmationNecessary } = await confirm(result);
  step('first', { mfa, confirmationNecessary });
  const setStatus = (AccessToken, DeviceRememberedStatus) => client.send(new UpdateDeviceStatusCommand({
    AccessToken, DeviceKey: device.key, DeviceRememberedStatus,
  }));
  await setStatus(result.AccessToken, 'remembered');
  const listed = await client.send(new ListDevicesCommand({ AccessToken: result.AccessToken, Limit: 60 }));
  step('listed', listed.Devices.map((found) => found.DeviceKey === device.key));

  ({ mfa, result } = await signIn(device));
  step('remembered', { mfa });
  await setStatus(result.AccessToken, 'not_remembered');
  ({ mfa, result } = await signIn(device));
  step('not remembered', { mfa, newDevice: result.NewDeviceMetadata !== undefined });
  await setStatus(result.AccessToken, 'remembered');
  ({ mfa, result } = await signIn(device));
  step('remembered again', { mfa });

  const refreshed = await client.send(new GetTokensFromRefreshTokenCommand({
    ClientId: site.client, RefreshToken: result.RefreshToken, DeviceKey: device.key,
  }));
  step('refreshed', refreshed.AuthenticationResult.AccessToken !== result.AccessToken);

  const names = { UserPoolId: site.pool, Username: site.username };
  const all = await client.send(new AdminListDevicesCommand(names));
  step('admin', all.Devices[0].DeviceLastAuthenticatedDate instanceof Date);
  await client.send(new AdminForgetDeviceCommand({ ...names, DeviceKey: device.key }));
  step('forgotten', await signIn(device).catch((error) => `${error.name}: ${error.message}`));

  ({ mfa, result } = await signIn());
  step('recovered', { mfa, newDevice: result.NewDeviceMetadata.DeviceKey !== device.key });
  const own = { AccessToken: result.AccessToken, DeviceKey: (await confirm(result)).device.key };
  const got = await client.send(new GetDeviceCommand(own));
  step('got', got.Device.DeviceAttributes.length);
  await client.send(new ForgetDeviceCommand(own));
  ({ mfa, result } = await signIn());
  await client.send(new GlobalSignOutCommand({ AccessToken: result.AccessToken }));
  step('signed out', await client.send(new GetUserCommand({ AccessToken: result.AccessToken })).catch(
    (error) => error.message,
  ));
}

finish(main());
