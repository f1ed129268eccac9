// amazon-cognito-identity-js through the whole life of a device.
import identity from 'amazon-cognito-identity-js';
import { call, code, finish, site, step } from './common.mjs';

const { AuthenticationDetails, CognitoUser, CognitoUserPool } = identity;

class Storage {
  #kept = new Map();
  setItem(key, value) { this.#kept.set(key, value); }
  getItem(key) { return this.#kept.get(key) ?? null; }
  removeItem(key) { this.#kept.delete(key); }
  clear() { this.#kept.clear(); }
}

const storage = new Storage();
const pool = new CognitoUserPool({
  UserPoolId: site.pool, ClientId: site.client, endpoint: `${site.endpoint}/`, Storage: storage,
});
const newUser = () => new CognitoUser({ Username: site.username, Pool: pool, Storage: storage });

function signIn(user) {
  let mfa = false;
  return new Promise((resolve, reject) => {
    const callbacks = {
      onSuccess: (session, confirmationNecessary) => resolve({ session, confirmationNecessary, mfa }),
      onFailure: reject,
      totpRequired: async () => {
        mfa = true;
        user.sendMFACode(await code(), callbacks, 'SOFTWARE_TOKEN_MFA');
      },
    };
    user.authenticateUser(
      new AuthenticationDetails({ Username: site.username, Password: site.password }), callbacks,
    );
  });
}

const promised = (start) => new Promise((onSuccess, onFailure) => start({ onSuccess, onFailure }));
const called = (start) => new Promise((resolve, reject) => start((e, r) => (e ? reject(e) : resolve(r))));
const key = () => storage.getItem(`CognitoIdentityServiceProvider.${site.client}.${site.username}.deviceKey`);

async function main() {
  let user = newUser();
  let result = await signIn(user);
  step('first', { mfa: result.mfa, confirmationNecessary: result.confirmationNecessary });
  const device = key();
  await promised((callbacks) => user.setDeviceStatusRemembered(callbacks));
  const listed = await promised((callbacks) => user.listDevices(10, null, callbacks));
  step('listed', listed.Devices.map((found) => found.DeviceKey === device));

  user = newUser();
  result = await signIn(user);
  step('remembered', { mfa: result.mfa, confirmationNecessary: result.confirmationNecessary ?? false });

  await promised((callbacks) => user.setDeviceStatusNotRemembered(callbacks));
  user = newUser();
  result = await signIn(user);
  step('not remembered', { mfa: result.mfa, sameDevice: key() === device });
  await promised((callbacks) => user.setDeviceStatusRemembered(callbacks));
  const got = await promised((callbacks) => user.getDevice(callbacks));
  step('got', got.Device.DeviceAttributes.find((found) => found.Name === 'dev:device_remembered_status').Value);

  const session = await called((callback) => user.refreshSession(result.session.getRefreshToken(), callback));
  step('refreshed', session.isValid());

  await call('ForgetDevice', { AccessToken: session.getAccessToken().getJwtToken(), DeviceKey: device });
  user = newUser();
  result = await signIn(user);
  step('recovered', { mfa: result.mfa, newDevice: key() !== device });

  await promised((callbacks) => user.forgetDevice(callbacks));
  step('forgotten', key());
  user = newUser();
  result = await signIn(user);
  const token = result.session.getAccessToken().getJwtToken();
  await promised((callbacks) => user.globalSignOut(callbacks));
  step('signed out', await call('GetUser', { AccessToken: token }).catch((error) => JSON.parse(error.message).message));

  user = newUser();
  result = await signIn(user);
  const other = result.session.getAccessToken().getJwtToken();
  await new Promise((resolve) => { user.signOut(resolve); });
  step('revoked', await call('GetUser', { AccessToken: other }).catch((error) => JSON.parse(error.message).message));

  const wrong = new AuthenticationDetails({ Username: site.username, Password: 'wrong' });
  step('wrong password', await promised((callbacks) => newUser().authenticateUser(wrong, callbacks)).catch(
    (error) => `${error.code}: ${error.message}`,
  ));
}

finish(main());
