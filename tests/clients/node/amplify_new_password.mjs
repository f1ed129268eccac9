// aws-amplify v6, for a user who has to set a new password and give a name along with it.
import { code, finish, site, step } from './common.mjs';

globalThis.navigator ??= { userAgent: 'node-test/1.0' };

const { Amplify } = await import('aws-amplify');
const auth = await import('aws-amplify/auth');
const NEW_PASSWORD = 'a much better staple';

async function goOn(answer) {
  if (answer.nextStep.signInStep !== 'CONFIRM_SIGN_IN_WITH_TOTP_CODE') return { mfa: false };
  const { isSignedIn } = await auth.confirmSignIn({ challengeResponse: await code() });
  return { mfa: isSignedIn };
}

async function main() {
  Amplify.configure({
    Auth: { Cognito: { userPoolId: site.pool, userPoolClientId: site.client, userPoolEndpoint: `${site.endpoint}/` } },
  });
  const { nextStep } = await auth.signIn({ username: site.username, password: site.password });
  if (nextStep.signInStep !== 'CONFIRM_SIGN_IN_WITH_NEW_PASSWORD_REQUIRED') throw new Error(nextStep.signInStep);
  step('asked', { requiredAttributes: nextStep.missingAttributes });
  step('without the name', await auth.confirmSignIn({ challengeResponse: NEW_PASSWORD }).catch(
    (error) => `${error.name}: ${error.message}`,
  ));
  const options = { userAttributes: { given_name: 'Maria' } };
  step('set', await goOn(await auth.confirmSignIn({ challengeResponse: NEW_PASSWORD, options })));
  await auth.signOut();
  step('again', await goOn(await auth.signIn({ username: site.username, password: NEW_PASSWORD })));
}

finish(main());
