// What the scripts share: the site's facts, asking the test for things, and calls that keep the client in the dark.
import { createInterface } from 'node:readline';

export const site = JSON.parse(process.argv[2]);

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

// Print one request line and return the line that the test answers with.
export async function ask(what) {
  process.stdout.write(JSON.stringify({ ask: what }) + '\n');
  return (await lines.next()).value;
}

export const code = () => ask('code');

// The first code of an authenticator that is being set up with this key.
export const codeOf = (key) => ask(`code of ${key}`);

export function step(name, value = true) {
  process.stdout.write(JSON.stringify({ step: name, value }) + '\n');
}

// One call to the endpoint that does not go through the client.
export async function call(operation, params) {
  const response = await fetch(site.endpoint, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-target': `AWSCognitoIdentityProviderService.${operation}`,
      connection: 'close',
    },
    body: JSON.stringify(params),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(text);
  return text ? JSON.parse(text) : {};
}

export function finish(promise) {
  promise.then(
    () => process.exit(0),
    (error) => {
      process.stderr.write(`${error.stack ?? error}\n${JSON.stringify(error)}\n`);
      process.exit(1);
    },
  );
}
