/** One client for rate limits: an IPv4 address, or the network of an IPv6 address that one subscriber has to itself. */
import { isIPv6 } from 'node:net';

const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;
/** Groups of 16 bits in an address, and in the part that a subscriber cannot choose (RFC 6177). */
const GROUPS = 8;
const NETWORK_GROUPS = 4;

/** `192.0.2.7`, or `2001:db8:0:1::/64`. @param address the remote address that the server reports */
export function clientOf(address: string): string {
  const [, mapped] = MAPPED.exec(address) ?? [];
  if (mapped !== undefined) return mapped;
  if (!isIPv6(address)) return address;
  const [head = '', tail = ''] = address.split('%', 1).join('').split('::');
  const first = groups(head);
  const zeros = Math.max(0, GROUPS - first.length - groups(tail).length);
  const all = [...first, ...Array.from({ length: zeros }, () => '0'), ...groups(tail)];
  const network = all.slice(0, NETWORK_GROUPS).map((group) => parseInt(group, 16).toString(16));
  return `${network.join(':')}::/64`;
}

function groups(text: string): string[] {
  return text === '' ? [] : text.split(':');
}
