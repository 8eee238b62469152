/** Which versions of nats-server the framework works with. */

/** Delayed messages and per-message expiry are native from 2.12 on; this release fixes the security advisories of the line. */
export const MINIMUM_SERVER_VERSION = '2.12.6';

/** Whether a server version such as `2.15.1` meets the minimum. A preview such as `2.12.6-RC.1` comes before its release. */
export function isAtLeast(version: string, minimum: string): boolean {
  const actual = numbersOf(version);
  const wanted = numbersOf(minimum);
  if (actual === undefined || wanted === undefined) return false;
  for (const [index, least] of wanted.entries()) {
    const part = actual[index] ?? 0;
    if (part !== least) return part > least;
  }
  return !version.includes('-');
}

function numbersOf(version: string): number[] | undefined {
  const match = /^v?(\d+)\.(\d+)\.(\d+)/.exec(version);
  return match?.slice(1).map(Number);
}
