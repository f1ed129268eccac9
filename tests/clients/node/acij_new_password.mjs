// amazon-cognito-identity-js, for a user who has to set a new password and give a name along with it.
import identity from 'amazon-cognito-identity-js';
import { code, finish, site, step } from './common.mjs';

const { AuthenticationDetails, CognitoUser, CognitoUserPool } = identity;
const NEW_PASSWORD = 'a much better staple';

const pool = new CognitoUserPool({ UserPoolId: site.pool, ClientId: site.client, endpoint: `${site.endpoint}/` });

function signIn(password, newPasswordRequired) {
  const user = new CognitoUser({ Username: site.username, Pool: pool });
  let mfa = false;
  return new Promise((resolve, reject) => {
    const callbacks = {
      onSuccess: () => resolve({ mfa }),
      onFailure: reject,
      newPasswordRequired: (attributes, required) => newPasswordRequired(user, attributes, required, callbacks),
      totpRequired: async () => {
        mfa = true;
        user.sendMFACode(await code(), callbacks, 'SOFTWARE_TOKEN_MFA');
      },
    };
    user.authenticateUser(new AuthenticationDetails({ Username: site.username, Password: password }), callbacks);
  });
}

async function setNewPassword(user, attributes, requiredAttributes, callbacks) {
  step('asked', { requiredAttributes });
  step('attributes', attributes);
  const refused = await new Promise((resolve, reject) => {
    user.completeNewPasswordChallenge(NEW_PASSWORD, {}, { onSuccess: reject, onFailure: resolve });
  });
  step('without the name', `${refused.code}: ${refused.message}`);
  user.completeNewPasswordChallenge(NEW_PASSWORD, { given_name: 'Maria' }, callbacks);
}

async function main() {
  step('set', await signIn(site.password, setNewPassword));
  step('again', await signIn(NEW_PASSWORD));
}

finish(main());
