// aws-amplify v6, for a signed-in user who sets an authenticator up.
import { codeOf, finish, site, step } from './common.mjs';

globalThis.navigator ??= { userAgent: 'node-test/1.0' };

const { Amplify } = await import('aws-amplify');
const auth = await import('aws-amplify/auth');

const signIn = () => auth.signIn({ username: site.username, password: site.password });

async function main() {
  Amplify.configure({
    Auth: { Cognito: { userPoolId: site.pool, userPoolClientId: site.client, userPoolEndpoint: `${site.endpoint}/` } },
  });
  step('asked', (await signIn()).nextStep.signInStep);
  const { sharedSecret } = await auth.setUpTOTP();
  await auth.verifyTOTPSetup({ code: await codeOf(sharedSecret) });
  await auth.updateMFAPreference({ totp: 'PREFERRED' });
  step('settings', await auth.fetchMFAPreference());
  await auth.signOut();
  step('asked again', (await signIn()).nextStep.signInStep);
}

finish(main());
