/** A real provider of identities, as the package ships it, and people who sign in there. */
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import OidcProvider from 'oidc-provider';
import { onTestFinished } from 'vitest';
import { openDashboard, type Dashboard } from './fixture.js';

const CLIENT_ID = 'stratum';
export const CLIENT_SECRET = 'a secret of the dashboard that nobody logs';

/** What the provider knows of a person, by the name they sign in with. */
export type People = Readonly<
  Record<string, { email?: string; verified?: boolean; groups?: readonly string[] }>
>;

export interface SignedInDashboard extends Dashboard {
  issuer: string;
  /** Signs in at the provider as a browser without scripts would. @returns the dashboard's last answer */
  arrive: (name: string, options?: { place?: string; cookies?: Map<string, string> }) => Promise<Arrival>;
}

export interface Arrival {
  /** Where the dashboard sends the browser. */
  location: string;
  /** The cookie of the session; empty when there is none. */
  cookie: string;
  /** The address that the provider sent the browser to. */
  callback: URL;
}

/** Listens first, because the dashboard has to know the address, and answers once the dashboard's is known. */
export async function openWithProvider(
  people: People,
  settings: Record<string, string> = {},
  options: Parameters<typeof openDashboard>[1] = {},
): Promise<SignedInDashboard> {
  let answer: RequestListener = (_request, response) => {
    response.writeHead(503).end();
  };
  const server = createServer((request, response) => answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it listens on a port
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const dashboard = await openDashboard(
    {
      DASHBOARD_OIDC_ISSUER: issuer,
      DASHBOARD_OIDC_CLIENT_ID: CLIENT_ID,
      DASHBOARD_OIDC_CLIENT_SECRET: CLIENT_SECRET,
      ...settings,
    },
    options,
  );
  const provider = providerFor(issuer, `${dashboard.url}/api/sign-in/callback`, people);
  answer = (request, response) => {
    void provider(request, response);
  };
  return { ...dashboard, issuer, arrive: (name, given) => arrive(dashboard.url, name, given) };
}

function providerFor(
  issuer: string,
  redirectUri: string,
  people: People,
): ReturnType<OidcProvider['callback']> {
  const provider = new OidcProvider(issuer, {
    clients: [
      {
        client_id: CLIENT_ID,
        client_secret: CLIENT_SECRET,
        redirect_uris: [redirectUri],
        token_endpoint_auth_method: 'client_secret_basic',
      },
    ],
    claims: { openid: ['sub'], email: ['email', 'email_verified', 'groups'] },
    cookies: { keys: ['of this test'] },
    features: { devInteractions: { enabled: true } },
    pkce: { required: () => true, methods: ['S256'] },
    findAccount: (_context, name) => {
      const { email = name, verified = true, groups = [] } = people[name] ?? {};
      return {
        accountId: name,
        claims: () => ({ sub: name, email, email_verified: verified, groups: [...groups] }),
      };
    },
  });
  return provider.callback();
}

const MAX_STEPS = 15;

async function arrive(
  dashboard: string,
  name: string,
  { place = '/', cookies = new Map() }: { place?: string; cookies?: Map<string, string> } = {},
): Promise<Arrival> {
  let address = new URL(`/api/sign-in/start?place=${encodeURIComponent(place)}`, dashboard);
  let body: URLSearchParams | undefined;
  for (let step = 0; step < MAX_STEPS; step++) {
    const isDashboard = address.origin === new URL(dashboard).origin;
    const response = await fetch(address, {
      method: body === undefined ? 'GET' : 'POST',
      redirect: 'manual',
      headers: { cookie: [...cookies].map((pair) => pair.join('=')).join('; ') },
      ...(body === undefined ? {} : { body }),
    });
    for (const cookie of response.headers.getSetCookie()) {
      const [pair = ''] = cookie.split(';');
      cookies.set(pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1));
    }
    const location = response.headers.get('location');
    if (isDashboard && step > 0) {
      const token = cookies.get('stratum-dashboard') ?? '';
      return {
        location: location ?? '',
        cookie: token === '' ? '' : `stratum-dashboard=${token}`,
        callback: address,
      };
    }
    body = undefined;
    if (location !== null) {
      address = new URL(location, address);
      continue;
    }
    // A page of the provider with one form.
    const page = await response.text();
    const action = /<form[^>]* action="([^"]+)"/.exec(page)?.[1];
    const prompt = /name="prompt" value="(\w+)"/.exec(page)?.[1];
    if (action === undefined || prompt === undefined) throw new Error(`No form at ${address.href}: ${page}`);
    address = new URL(action, address);
    body = new URLSearchParams({ prompt, login: name, password: 'any' });
  }
  throw new Error('The provider sends the browser in circles.');
}
