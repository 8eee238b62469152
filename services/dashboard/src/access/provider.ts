/** Signing in at a provider of identities: OpenID Connect, by code with PKCE, state and nonce. Its tokens never leave this process. */
import type { GroupPlace } from '@stratum/shared/dashboard-users';
import { ConfigurationError } from '@stratum/shared';
import * as oidc from 'openid-client';
import { z } from 'zod';
import type { DashboardResources } from '../http/types.js';

const TIMEOUT_S = 10;
const MAX_GROUPS = 1_000;
const MAX_NAME = 500;

export type ProviderSettings = Pick<
  DashboardResources['configuration'],
  | 'DASHBOARD_OIDC_ISSUER'
  | 'DASHBOARD_OIDC_CLIENT_ID'
  | 'DASHBOARD_OIDC_CLIENT_SECRET'
  | 'DASHBOARD_OIDC_SCOPES'
  | 'DASHBOARD_OIDC_GROUPS'
  | 'DASHBOARD_OIDC_GROUPS_CLAIM'
>;

/** Why nobody is signed in; the pages have the words. */
export type SignInRefusal =
  /** The provider, or the person there, said no. */
  | 'refused'
  /** The provider does not answer. */
  | 'unreachable'
  /** Begun too long ago, or in another browser. */
  | 'expired'
  /** The provider's answer is not to be believed. */
  | 'invalid'
  /** The provider does not say that the address is the person's. */
  | 'unverified'
  /** The person has no place here. */
  | 'unknown';

export class SignInError extends Error {
  constructor(
    readonly refusal: SignInRefusal,
    options?: ErrorOptions,
  ) {
    super(`The sign-in was refused: ${refusal}.`, options);
    this.name = 'SignInError';
  }
}

/** What a sign-in begins with and is compared with at its end; the browser keeps it meanwhile. */
export interface BegunSignIn {
  state: string;
  nonce: string;
  verifier: string;
}

/** Who the provider says it is. */
export interface Identity {
  issuer: string;
  subject: string;
  /** In lower case; the provider has verified it. */
  email: string;
  /** By the first of the configured groups that the person is in. */
  place: GroupPlace | undefined;
}

const claimsSchema = z.object({
  email: z.string().max(MAX_NAME).toLowerCase(),
  email_verified: z.literal(true),
});
const groupsSchema = z.union([
  z.array(z.string().max(MAX_NAME)).max(MAX_GROUPS),
  z
    .string()
    .max(MAX_NAME)
    .transform((group) => [group]),
]);

export class Provider {
  private discovered: Promise<oidc.Configuration> | undefined;

  private constructor(
    private readonly issuer: URL,
    private readonly clientId: string,
    private readonly settings: ProviderSettings,
  ) {}

  /** `undefined`: none is configured. @throws ConfigurationError */
  static from(settings: ProviderSettings): Provider | undefined {
    const { DASHBOARD_OIDC_ISSUER: issuer, DASHBOARD_OIDC_CLIENT_ID: clientId } = settings;
    if (issuer === undefined && clientId === undefined) return undefined;
    if (issuer === undefined || clientId === undefined)
      throw new ConfigurationError([
        'DASHBOARD_OIDC_ISSUER and DASHBOARD_OIDC_CLIENT_ID belong together: set both',
      ]);
    return new Provider(new URL(issuer), clientId, settings);
  }

  /** For the button. */
  get name(): string {
    return this.issuer.host;
  }

  /** Where the browser goes. @throws SignInError */
  async begin(redirectUri: string): Promise<{ begun: BegunSignIn; address: URL }> {
    const configuration = await this.discover();
    const begun = {
      state: oidc.randomState(),
      nonce: oidc.randomNonce(),
      verifier: oidc.randomPKCECodeVerifier(),
    };
    const address = oidc.buildAuthorizationUrl(configuration, {
      redirect_uri: redirectUri,
      scope: this.settings.DASHBOARD_OIDC_SCOPES,
      state: begun.state,
      nonce: begun.nonce,
      code_challenge: await oidc.calculatePKCECodeChallenge(begun.verifier),
      code_challenge_method: 'S256',
    });
    return { begun, address };
  }

  /** @param address that the browser came back to, query and all @throws SignInError */
  async finish(address: URL, { state, nonce, verifier }: BegunSignIn): Promise<Identity> {
    const configuration = await this.discover();
    try {
      const tokens = await oidc.authorizationCodeGrant(configuration, address, {
        expectedState: state,
        expectedNonce: nonce,
        pkceCodeVerifier: verifier,
        idTokenExpected: true,
      });
      const claims = tokens.claims();
      if (claims === undefined) throw new SignInError('invalid');
      const about = { ...(await this.userInfo(configuration, tokens.access_token, claims.sub)), ...claims };
      return this.identityOf(claims.iss, claims.sub, about);
    } catch (error) {
      throw refusalOf(error);
    }
  }

  /** Many providers keep the address and the groups out of the token. */
  private async userInfo(
    configuration: oidc.Configuration,
    accessToken: string,
    subject: string,
  ): Promise<Record<string, unknown>> {
    if (configuration.serverMetadata().userinfo_endpoint === undefined) return {};
    return oidc.fetchUserInfo(configuration, accessToken, subject);
  }

  private identityOf(issuer: string, subject: string, about: Record<string, unknown>): Identity {
    const claims = claimsSchema.safeParse(about);
    if (!claims.success) throw new SignInError('unverified');
    const { DASHBOARD_OIDC_GROUPS: places, DASHBOARD_OIDC_GROUPS_CLAIM: claim } = this.settings;
    const groups = new Set(groupsSchema.safeParse(about[claim]).data);
    const place = places.find(({ group }) => groups.has(group));
    return { issuer, subject, email: claims.data.email, place };
  }

  /** A provider that is away is asked again by the next sign-in. */
  private discover(): Promise<oidc.Configuration> {
    const { DASHBOARD_OIDC_CLIENT_SECRET: secret } = this.settings;
    this.discovered ??= oidc
      .discovery(
        this.issuer,
        this.clientId,
        undefined,
        secret === undefined ? oidc.None() : oidc.ClientSecretBasic(secret),
        {
          timeout: TIMEOUT_S,
          // Settings allow clear text on this machine alone.
          execute: this.issuer.protocol === 'http:' ? [oidc.allowInsecureRequests] : [],
        },
      )
      .catch((error: unknown) => {
        this.discovered = undefined;
        throw new SignInError('unreachable', { cause: error });
      });
    return this.discovered;
  }
}

function refusalOf(error: unknown): SignInError {
  if (error instanceof SignInError) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code === 'OAUTH_AUTHORIZATION_RESPONSE_ERROR') return new SignInError('refused', { cause: error });
  const isAway = code === 'OAUTH_TIMEOUT' || error instanceof TypeError;
  return new SignInError(isAway ? 'unreachable' : 'invalid', { cause: error });
}
