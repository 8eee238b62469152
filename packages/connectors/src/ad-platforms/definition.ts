/** How one ad platform is declared: everything that the rest of the product derives from it, in one value. */
import type { z } from 'zod';
import type { PlatformConnector } from './connector.js';
import { minorDigits } from '../values/money.js';
import { parseConversionActions, type ConversionActions } from './conversion-actions.js';
import { HttpClient } from './http-client.js';
import type { MoneyUnits } from './money-units.js';

/** An address of the platform, set by the environment variable that it is declared under. */
export interface EndpointSetting {
  /** The platform's own. The version is part of it: platforms retire versions faster than programs are deployed. */
  default: string;
  /** One sentence for the reference. */
  description: string;
}

export interface ConnectOptions<Credentials, Setting extends string> {
  http: HttpClient;
  /** Each endpoint setting's value. */
  endpoints: Readonly<Record<Setting, string>>;
  /** As `parseAccountId` returns it. */
  accountId: string;
  /** Of the account, ISO 4217. */
  currency: string;
  /** Of the account, IANA. */
  timeZone: string;
  credentials: Credentials;
  /** What counts as a conversion, as `parseConversionActions` returns it. Default: by each campaign's objective. */
  conversionActions?: readonly string[] | null | undefined;
  /** How long a reading pauses between pages while a quota is nearly used up and the platform names no wait, in milliseconds. Default 2,000. */
  quotaPauseMs?: number | undefined;
  /** Stores credentials that have a new access token. */
  onCredentialsRefreshed?: ((credentials: Credentials) => Promise<void>) | undefined;
}

/** The credentials of a platform name it, so that they cannot be taken for those of another. */
type CredentialsSchema<Name extends string> = z.ZodObject<{ platform: z.ZodLiteral<Name> }>;

export interface AdPlatformOptions<
  Name extends string,
  Schema extends CredentialsSchema<Name>,
  Setting extends string,
> {
  /** Stored with accounts and part of messages: lower-case letters, never changed. */
  name: Name;
  /** As people write it. */
  title: string;
  /** Credentials that the platform requires. Stored encrypted. */
  credentials: Schema;
  /** The fields of the credentials, for the command's help. */
  credentialsHelp: string;
  /** Where the platform is, by environment variable. */
  endpoints: Readonly<Record<Setting, EndpointSetting>>;
  /** One sentence on the form of an account's id, with an example. */
  accountIdHelp: string;
  /** The id as the API takes it, from an id as people write it; `undefined` for text of another form. */
  parseAccountId: (text: string) => string | undefined;
  /** The units in which its API counts budgets. */
  money: MoneyUnits;
  /** The conversion actions that an account may choose. */
  conversionActions: ConversionActions;
  /** Days that the platform restates soon; each sync reads them again. */
  attributionLagDays: number;
  /** Days over which conversions are still attributed; they are read again once a day. */
  attributionWindowDays: number;
  connect: (options: ConnectOptions<z.output<Schema>, Setting>) => PlatformConnector;
}

export interface ConnectRequest extends Omit<
  ConnectOptions<unknown, never>,
  'http' | 'onCredentialsRefreshed'
> {
  endpoints: Readonly<Record<string, string>>;
  /** For each request, in milliseconds. Default 30,000. */
  timeoutMs?: number | undefined;
  onCredentialsRefreshed?: ((credentials: object) => Promise<void>) | undefined;
}

export interface AdPlatform<
  Name extends string = string,
  Schema extends CredentialsSchema<Name> = CredentialsSchema<Name>,
  Setting extends string = string,
> extends Omit<AdPlatformOptions<Name, Schema, Setting>, 'connect' | 'parseAccountId'> {
  /** The id as the API takes it, from an id as people write it. Throws an Error that shows the right form. */
  parseAccountId: (text: string) => string;
  /** Conversion actions as the API names them. Throws an Error that says what to write instead. */
  parseConversionActions: (texts: readonly string[]) => string[];
  /** Throws a ZodError for credentials of another form. */
  connect: (request: ConnectRequest) => PlatformConnector;
  /**
   * Digits behind the point of the smallest step of a budget: the larger of the currency's unit and the API's.
   * @throws PlatformError `permanent` for an unknown currency
   */
  budgetDigits: (currency: string) => number;
}

export function defineAdPlatform<
  const Name extends string,
  Schema extends CredentialsSchema<Name>,
  const Setting extends string,
>(options: AdPlatformOptions<Name, Schema, Setting>): AdPlatform<Name, Schema, Setting> {
  const { name, credentials: schema, endpoints, accountIdHelp } = options;
  return Object.freeze({
    ...options,
    parseAccountId: (text: string) => {
      const id = options.parseAccountId(text);
      if (id === undefined) throw new Error(accountIdHelp);
      return id;
    },
    parseConversionActions: (texts: readonly string[]) =>
      parseConversionActions(options.conversionActions, texts),
    budgetDigits: (currency: string) => Math.min(minorDigits(currency), options.money.digits(currency)),
    connect: (request: ConnectRequest) =>
      options.connect({
        ...request,
        http: new HttpClient({
          platform: name,
          ...(request.timeoutMs === undefined ? {} : { timeoutMs: request.timeoutMs }),
        }),
        credentials: schema.parse(request.credentials),
        endpoints: configured(endpoints, request.endpoints),
      }),
  });
}

function configured<Setting extends string>(
  settings: Readonly<Record<Setting, EndpointSetting>>,
  values: Readonly<Record<string, string>>,
): Record<Setting, string> {
  const entries = Object.entries<EndpointSetting>(settings).map(([setting, endpoint]) => [
    setting,
    values[setting] ?? endpoint.default,
  ]);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- fromEntries loses the names of the keys
  return Object.fromEntries(entries) as Record<Setting, string>;
}
