/** The files of `deploy/nats` that say who may do what, and the tables of its README: written from one source. */
import type { Names, TaskContract } from '@stratum/jobs';
import type { QueueName } from '@stratum/shared/broker';
import { producerExports, producerImports, PRODUCERS_FILE, type Producer } from './producers.js';
import { observerImports, serviceUsers, type Export, type User } from './service-rights.js';

const ACCOUNT = 'STRATUM';
const OBSERVER = 'OBSERVER';
/** An operator's dashboards and commands; each command opens one. */
const OBSERVER_CONNECTIONS = 64;
/** Of each connection of an account outside of the platform: what it publishes to itself costs the server as often. */
const MAX_SUBSCRIPTIONS = 100;
const WRITTEN = `# Written by \`stratum topology accounts\`; change ${PRODUCERS_FILE} instead.`;
const TABLE = /<!-- rights -->[\s\S]*<!-- \/rights -->/;

export interface Rights {
  names: Names;
  queues: readonly QueueName[];
  /** Streams of busy queues. */
  shards: ReadonlyMap<QueueName, { shards: number }>;
  producers: readonly Producer[];
  /** Tasks that tenants may enqueue. */
  contracts: readonly TaskContract[];
}

/** Text by path in `deploy/nats`. */
export function accountFiles(rights: Rights): ReadonlyMap<string, string> {
  const { names, queues, producers, contracts } = rights;
  const accounts = producers.map(({ name }) => accountOf(name));
  const files = new Map([['accounts.conf', accountsFile(rights, serviceUsers(names, queues), accounts)]]);
  const observer = {
    account: OBSERVER,
    about:
      'Sees everything and changes nothing: dashboards, on-call, `stratum status | queues | result | events | dead list`.',
    user: `user: "observer", password: ${variable('observer', 'PASSWORD')}`,
    imports: observerImports(names),
    connections: OBSERVER_CONNECTIONS,
  };
  files.set('observer.conf', accountFile(observer));
  for (const producer of producers)
    files.set(
      `producers/${producer.name}.conf`,
      accountFile({
        account: accountOf(producer.name),
        about: `Enqueues for tenant ${producer.tenant}, awaits its results, and listens to its domain events.`,
        user: loginOf(producer),
        imports: producerImports(names, producer, contracts),
        connections: producer.connections,
      }),
    );
  return files;
}

/** The README with its tables renewed. */
export function withTables(readme: string, { names, queues, producers, contracts }: Rights): string {
  const users = serviceUsers(names, queues).map(({ name, does }) => `| \`${name}\` | ${does} |`);
  const services = producers.map((producer) => {
    const subjects = producerImports(names, producer, contracts).map(({ subject }) => `\`${subject}\``);
    return `| \`${accountOf(producer.name)}\` | \`${producer.name}\` | ${producer.login} | ${producer.connections} | ${subjects.join('<br>')} |`;
  });
  const text = [
    '<!-- rights -->',
    '',
    // Only here are columns not padded.
    '<!-- prettier-ignore-start -->',
    '',
    `| user of the account \`${ACCOUNT}\` | what it may do |`,
    '| --- | --- |',
    ...users,
    '',
    '| account | user | login | connections | what it imports |',
    '| --- | --- | --- | --- | --- |',
    `| \`${OBSERVER}\` | \`observer\` | password | ${OBSERVER_CONNECTIONS} | reads of JetStream, workers' inspection, results, and live events, results and dead letters |`,
    ...services,
    '',
    '<!-- prettier-ignore-end -->',
    '',
    '<!-- /rights -->',
  ];
  return readme.replace(TABLE, () => text.join('\n'));
}

function accountOf(producer: string): string {
  return `PRODUCER_${producer.toUpperCase()}`;
}

function variable(name: string, kind: 'PASSWORD' | 'NKEY'): string {
  return `$NATS_${name.toUpperCase().replaceAll('-', '_')}_${kind}`;
}

function loginOf({ name, login }: Producer): string {
  return login === 'nkey'
    ? `nkey: ${variable(name, 'NKEY')}`
    : `user: "${name}", password: ${variable(name, 'PASSWORD')}`;
}

function accountsFile(
  { names, producers, shards }: Rights,
  users: readonly User[],
  accounts: readonly string[],
): string {
  const exported = [
    ...producerExports(names).map((each) => ({ ...each, to: accounts })),
    ...observerImports(names).map((each) => ({ ...each, to: [OBSERVER] })),
  ];
  return `${WRITTEN}
# Who may do what. Secrets come from the environment of nats-server; it does not start while one is missing.

accounts {
  # For \`nats server report …\`; sees the server, no message of Stratum's.
  SYS {
    users: [{ user: "admin", password: ${variable('admin', 'PASSWORD')} }]
  }

  # The platform's own programs, one user for each: NATS_URL=nats://<user>:<password>@<host>:4222
  ${ACCOUNT} {
    jetstream: enabled
${mappingsOf(names, shards)}    exports: [
${merged(exported)
  .map((each) => `      ${exportLine(each)}`)
  .join('\n')}
    ]
    users: [
${users.map(userBlock).join('\n')}
    ]
  }

  include "observer.conf"
${producers.map(({ name }) => `  include "producers/${name}.conf"`).join('\n')}
}

system_account: SYS
`;
}

/** Programs that know of no shards publish under the subjects of the contract; the server spreads their tasks as Stratum's clients do. */
function mappingsOf({ prefix }: Names, shards: Rights['shards']): string {
  const lines = [...shards].flatMap(([queue, { shards: count }]) =>
    count === 1
      ? []
      : `      "${prefix}.tasks.${queue}.*.*.*.*": "${prefix}.tasks.{{partition(${count},4)}}.${queue}.{{wildcard(1)}}.{{wildcard(2)}}.{{wildcard(3)}}.{{wildcard(4)}}"\n`,
  );
  return lines.length === 0 ? '' : `    mappings: {\n${lines.join('')}    }\n`;
}

type ExportTo = Export & { to: readonly string[] };

/** One export for each subject, to all accounts that import it. */
function merged(exports: readonly ExportTo[]): ExportTo[] {
  const bySubject = new Map<string, ExportTo>();
  for (const each of exports) {
    const known = bySubject.get(each.subject);
    bySubject.set(each.subject, known === undefined ? each : { ...known, to: [...known.to, ...each.to] });
  }
  return [...bySubject.values()];
}

function exportLine({ kind, subject, many = false, to }: ExportTo): string {
  const answers = many ? ', response_type: stream' : '';
  return `{ ${kind}: "${subject}"${answers}, accounts: [${to.join(', ')}] }`;
}

function userBlock({ name, does, publish, deny, subscribe }: User): string {
  const refused = deny === undefined ? '' : `\n            deny: ${list(deny, 12)}`;
  return `      # ${does}
      {
        user: "${name}", password: ${variable(name, 'PASSWORD')}
        permissions {
          publish {
            allow: ${list(publish, 12)}${refused}
          }
          subscribe { allow: ${list(subscribe, 10)} }
        }
      }`;
}

function list(subjects: readonly string[], indent: number): string {
  const space = ' '.repeat(indent);
  return `[\n${subjects.map((subject) => `${space}  "${subject}"`).join('\n')}\n${space}]`;
}

interface AccountText {
  account: string;
  about: string;
  user: string;
  imports: readonly Export[];
  connections: number;
}

function accountFile({ account, about, user, imports, connections }: AccountText): string {
  const lines = imports.map(
    ({ kind, subject }) => `    { ${kind}: { account: ${ACCOUNT}, subject: "${subject}" } }`,
  );
  return `${WRITTEN}
# ${about}
${account} {
  users: [{ ${user} }]
  limits { max_connections: ${connections}, max_subscriptions: ${MAX_SUBSCRIPTIONS} }
  imports: [
${lines.join('\n')}
  ]
}
`;
}
