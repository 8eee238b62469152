import type { MadeKeys } from '../demonstration/index.js';
import { reportFailure } from '../frame/failure.js';
import { typed } from '../frame/invocation.js';
import { describeError, flexible, printJson, printTable, styled } from '../output.js';
import type { Stack } from '../stack/stack.js';
import { createSignInLink } from '../stack/sign-in-link.js';
import { runFirstSync, type SyncedPlatform } from '../stack/first-sync.js';
import { choosePorts, type Ports } from '../stack/port-settings.js';
import { claimHome, type Addresses } from '../stack/run-file.js';
import { FAST_SPEED } from './up.command.js';
import { hidePassword } from './status.js';

interface UpOptions extends Partial<Ports> {
  once?: boolean;
  json?: boolean;
  fastClock?: number | true;
}

const DAY_MS = 86_400_000;

/** Steps of the start. With `--json` they go to standard error, and the report alone to standard output. */
function say(message: string, json: boolean | undefined): void {
  if (json) console.error(message);
  else console.log(message);
}

/** Why the platform stops. */
type End = { failure: string } | { signal: NodeJS.Signals };

export async function up(options: UpOptions): Promise<void> {
  const { json } = options;
  const progress = (message: string): void => say(`${json ? '·' : styled('dim', '·')} ${message}`, json);
  // Loaded only here: the parts of the stack are most of what the command would load.
  const [{ startStack }, { addDemonstration }] = await Promise.all([
    import('../stack/stack.js'),
    import('../stack/add-demonstration.js'),
  ]);
  await claimHome();
  const ended = endOfRun();
  const stack = await startStack({
    ...(await choosePorts(options)),
    schedulerSettings: schedulerSettings(options.fastClock),
    onProgress: progress,
    signal: ended.signal,
    onFailure: (failure) => ended.finish({ failure }),
  }).catch((error: unknown) => {
    if (!ended.signal.aborted) throw error;
    return undefined;
  });
  if (stack === undefined) {
    const end = await ended.promise;
    if ('failure' in end) throw new Error(end.failure);
    say('\nStopped.', json);
    process.exit(130);
  }
  let end: End | undefined;
  try {
    const firstSync = stack.isDemonstration ? runFirstSync(stack.environment, progress) : [];
    const synced = await Promise.race([ended.promise, firstSync]);
    if (Array.isArray(synced)) {
      const made = stack.isDemonstration ? await addDemonstration(stack) : undefined;
      if (made?.isNew) progress('added the demonstration data');
      if (!options.once) await stack.startSchedule();
      if (json) printJson({ synced, addresses: stack.addresses });
      else {
        report(synced, stack.addresses, made?.keys, options.fastClock);
        reportDashboard(await signInLink(stack));
      }
      if (synced.some(({ state }) => state !== 'SUCCESS')) process.exitCode = 1;
      if (!options.once) {
        say(styled('dim', '\nCtrl-C stops everything.'), json);
        end = await ended.promise;
      }
    } else {
      end = synced;
    }
  } catch (error) {
    end = { failure: describeError(error, false) };
  }
  if (end !== undefined && 'failure' in end) {
    if (json) reportFailure(new Error(end.failure), { verbose: false, json });
    else console.error(styled('red', `\n${end.failure}`));
    process.exitCode = 1;
  }
  say('\nStopping …', json);
  await stack.stop();
  say('Stopped.', json);
  process.exit();
}

/** The first signal, or the first part that fails, ends the run. Stopping takes seconds; further signals do not disturb it. */
function endOfRun(): { promise: Promise<End>; signal: AbortSignal; finish: (end: End) => void } {
  const controller = new AbortController();
  let resolveEnd: (end: End) => void;
  const promise = new Promise<End>((resolve) => (resolveEnd = resolve));
  const finish = (end: End): void => {
    resolveEnd(end);
    controller.abort();
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => finish({ signal }));
  return { promise, signal: controller.signal, finish };
}

function signInLink({ addresses, environment }: Stack): Promise<string> {
  return createSignInLink(addresses.dashboard ?? '', environment['DATABASE_URL'] ?? '');
}

function report(
  synced: readonly SyncedPlatform[],
  addresses: Addresses,
  keys: MadeKeys | undefined,
  fastClock: number | true | undefined,
): void {
  if (keys !== undefined) reportSynced(synced);
  console.log(`\n${styled('bold', 'Where to look')}`);
  printTable(
    ['part', 'address'],
    Object.entries(addresses)
      .filter((entry): entry is [string, string] => entry[1] !== null)
      .map(([part, url]) => [part.replace('_', ' '), hidePassword(url)]),
  );
  if (fastClock !== undefined) {
    const durationS = Math.ceil(DAY_MS / speedOf(fastClock) / 1000);
    console.log(
      `\nThe schedule replays its last 24 hours in ${durationS} seconds. Follow it with: ${typed('schedules list')} and ${typed('events')}`,
    );
  }
  console.log('\nNext:');
  for (const [command, purpose] of nextSteps(addresses, keys))
    console.log(`  ${purpose === undefined ? command : `${command.padEnd(34)} ${purpose}`}`);
}

function reportDashboard(link: string): void {
  console.log(
    `\n${styled('bold', 'Dashboard')}: this link signs you in, once, within ten minutes. Another: ${typed('dashboard --link')}\n  ${link}`,
  );
}

function reportSynced(synced: readonly SyncedPlatform[]): void {
  console.log(`\n${styled('bold', 'Campaigns of the demonstration tenant')}`);
  printTable(
    ['platform', 'campaigns', 'days', 'daily rows', 'new or changed', 'seconds', flexible('state')],
    synced.map((each) => [
      each.platform,
      each.campaigns,
      each.days,
      each.rows,
      each.changed,
      each.seconds,
      each.error ?? 'ok',
    ]),
  );
}

/** Commands to go on with, each with what it does. */
function nextSteps(addresses: Addresses, keys: MadeKeys | undefined): (readonly [string, string?])[] {
  const always = [
    [typed('status'), 'show what runs and what the queues hold'],
    [typed('schedules list'), 'show when each job runs next, and how it ended'],
  ] as const;
  if (keys === undefined)
    return [
      ...always,
      [typed('tenants list'), 'show the tenants; the database is your own, so nothing was added to it'],
    ];
  return [
    ...always,
    [typed(`call sync_campaign_data '{"tenant_id":1,"platform":"meta"}' --wait`)],
    [typed('keys create me --tenant 1'), `create a key for the HTTP API; its routes: ${addresses.api}/docs`],
    [typed('demonstration'), 'show the keys that were made for the demonstration'],
    [`curl -u ${keys.write_key}: ${addresses.api}/v1/track -d '{"userId":"me","event":"Product Viewed"}'`],
    [typed('profiles show me --tenant 1')],
    [
      `psql "$(${typed('status --json')} | node -pe 'JSON.parse(require("fs").readFileSync(0)).database')" -c 'SELECT platform, count(*) FROM campaign JOIN platform_account a ON a.id = account_id GROUP BY 1'`,
    ],
  ];
}

function schedulerSettings(fastClock: number | true | undefined): NodeJS.ProcessEnv {
  if (fastClock === undefined) return {};
  return {
    SCHEDULE_CLOCK_FROM: new Date(Date.now() - DAY_MS).toISOString(),
    SCHEDULE_CLOCK_SPEED: String(speedOf(fastClock)),
  };
}

function speedOf(fastClock: number | true): number {
  return fastClock === true ? FAST_SPEED : fastClock;
}
