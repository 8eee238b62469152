/** The environment of commands: what is not set comes from the running local stack. */
import { readCredentialsKey } from './stack/credentials-key.js';
import { readRunFile, type RunFile } from './stack/run-file.js';

/** The environment variables, with the servers of the running local stack. A variable that is set wins. */
export async function serverEnvironment(): Promise<NodeJS.ProcessEnv> {
  return withStack(await readRunFile());
}

/** The environment variables, as a service of the local stack sees them. A variable that is set wins. */
export async function localEnvironment(): Promise<NodeJS.ProcessEnv> {
  const run = await readRunFile();
  if (run === undefined) return process.env;
  const key = await readCredentialsKey();
  return {
    ...(run.sandbox === null ? {} : await sandboxSettings(run.sandbox)),
    ...(key === undefined ? {} : { STRATUM_CREDENTIALS_KEY: key }),
    ...withStack(run),
  };
}

function withStack(run: RunFile | undefined): NodeJS.ProcessEnv {
  if (run === undefined) return process.env;
  return { NATS_URL: run.nats, DATABASE_URL: run.database, ...withoutEmpty(process.env) };
}

/** Loaded only where a sandbox runs. */
async function sandboxSettings(url: string): Promise<NodeJS.ProcessEnv> {
  const { sandboxVariables } = await import('./stack/sandbox-variables.js');
  return sandboxVariables(url);
}

function withoutEmpty(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''));
}

/** Where the HTTP API of the local stack listens; the standard address while none runs. */
export async function localApi(): Promise<string> {
  return (await readRunFile())?.api ?? 'http://127.0.0.1:8000';
}
