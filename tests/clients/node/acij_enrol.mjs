// amazon-cognito-identity-js, for a user who sets an authenticator up: signed in, or on the way where MFA is required.
import identity from 'amazon-cognito-identity-js';
import { codeOf, finish, site, step } from './common.mjs';

const { AuthenticationDetails, CognitoUser, CognitoUserPool } = identity;
const pool = new CognitoUserPool({ UserPoolId: site.pool, ClientId: site.client, endpoint: `${site.endpoint}/` });

function setUp(user, callbacks) {
  user.associateSoftwareToken({
    onFailure: callbacks.onFailure,
    associateSecretCode: async (key) => user.verifySoftwareToken(await codeOf(key), 'phone', callbacks),
  });
}

function signIn() {
  const user = new CognitoUser({ Username: site.username, Pool: pool });
  const asked = [];
  return new Promise((resolve, reject) => {
    const callbacks = {
      onSuccess: () => resolve({ user, asked }),
      onFailure: reject,
      mfaSetup: (name) => { asked.push(name); setUp(user, callbacks); },
      totpRequired: (name) => { asked.push(name); resolve({ user, asked }); },
    };
    user.authenticateUser(new AuthenticationDetails({ Username: site.username, Password: site.password }), callbacks);
  });
}

async function main() {
  const { user, asked } = await signIn();
  step('asked', asked);
  if (!asked.length) await new Promise((onSuccess, onFailure) => setUp(user, { onSuccess, onFailure }));
  const called = (start) => new Promise((resolve, reject) => start((e, r) => (e ? reject(e) : resolve(r))));
  const settings = { PreferredMfa: true, Enabled: true };
  step('preferred', await called((callback) => user.setUserMfaPreference(null, settings, callback)));
  const data = await called((callback) => user.getUserData(callback, { bypassCache: true }));
  step('settings', [data.PreferredMfaSetting, data.UserMFASettingList]);
  step('asked again', (await signIn()).asked);
}

finish(main());
