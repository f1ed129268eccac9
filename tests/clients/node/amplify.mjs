// aws-amplify v6 through the whole life of a device.
import { call, code, finish, site, step } from './common.mjs';

// Node before 21 has no navigator, and without one the client silently confirms no device.
globalThis.navigator ??= { userAgent: 'node-test/1.0' };

const { Amplify } = await import('aws-amplify');
const auth = await import('aws-amplify/auth');
const { cognitoUserPoolsTokenProvider } = await import('aws-amplify/auth/cognito');

const kept = new Map();

async function signIn() {
  let mfa = false;
  let answer = await auth.signIn({ username: site.username, password: site.password });
  if (answer.nextStep.signInStep === 'CONFIRM_SIGN_IN_WITH_TOTP_CODE') {
    mfa = true;
    answer = await auth.confirmSignIn({ challengeResponse: await code() });
  }
  return { mfa, done: answer.isSignedIn };
}

const key = () => [...kept].find(([name]) => name.endsWith('.deviceKey'))?.[1];
const token = async (options) => (await auth.fetchAuthSession(options)).tokens.accessToken.toString();

async function main() {
  Amplify.configure({
    Auth: { Cognito: { userPoolId: site.pool, userPoolClientId: site.client, userPoolEndpoint: `${site.endpoint}/` } },
  });
  cognitoUserPoolsTokenProvider.setKeyValueStorage({
    setItem: async (name, value) => { kept.set(name, value); },
    getItem: async (name) => kept.get(name) ?? null,
    removeItem: async (name) => { kept.delete(name); },
    clear: async () => { kept.clear(); },
  });

  step('first', await signIn());
  const device = key();
  await auth.rememberDevice();
  step('listed', (await auth.fetchDevices()).map((found) => found.id === device));
  await auth.signOut();
  step('remembered', await signIn());

  await call('UpdateDeviceStatus', {
    AccessToken: await token(), DeviceKey: device, DeviceRememberedStatus: 'not_remembered',
  });
  await auth.signOut();
  step('not remembered', { ...(await signIn()), sameDevice: key() === device });
  await auth.rememberDevice();

  const before = await token();
  const after = await token({ forceRefresh: true });
  step('refreshed', before !== after);

  await call('ForgetDevice', { AccessToken: after, DeviceKey: device });
  await auth.signOut();
  step('recovered', { ...(await signIn()), newDevice: key() !== device });

  await auth.forgetDevice();
  step('forgotten', key() ?? null);
  await auth.signOut();

  await signIn();
  const last = await token();
  await auth.signOut({ global: true });
  step('signed out', await call('GetUser', { AccessToken: last }).catch((error) => JSON.parse(error.message).message));

  step('wrong password', await auth.signIn({ username: site.username, password: 'wrong' }).catch(
    (error) => `${error.name}: ${error.message}`,
  ));
}

finish(main());
