/** Addresses that events may be sent to. */
import { z } from 'zod';
import { addressProblem } from '@stratum/connectors/safe-fetch';

const MAX_LENGTH = 2_048;
/** Names that never lead out of the machine or its network (RFC 6761, RFC 6762, RFC 8375, and `internal`). */
const LOCAL_NAME = /(^|\.)(localhost|local|internal|home\.arpa)\.?$/;

/**
 * A public address over HTTPS. Its name is resolved again at each delivery; here only addresses that are wrong in any case is refused.
 * @param allowedHosts hosts with their ports that are exempt, also from HTTPS: of the local stack and of tests
 */
export function subscriptionAddress(allowedHosts: readonly string[]): z.ZodType<string, string> {
  return z
    .string()
    .max(MAX_LENGTH)
    .superRefine((address, context) => {
      const message = problemOf(address, allowedHosts);
      if (message !== undefined) context.addIssue({ code: 'custom', message });
    })
    .transform((address) => new URL(address).href);
}

function problemOf(address: string, allowedHosts: readonly string[]): string | undefined {
  const problem = addressProblem(address, allowedHosts);
  if (problem !== undefined) return `${problem}; give the https:// address of a receiver on the internet`;
  const { host, hostname, protocol, hash } = new URL(address);
  if (hash !== '') return 'has a fragment ("#…"), which is never sent; remove it';
  if (allowedHosts.includes(host)) return undefined;
  if (protocol !== 'https:') return 'must begin with https://';
  if (LOCAL_NAME.test(hostname)) return 'names something inside a network; give an address on the internet';
  return undefined;
}
