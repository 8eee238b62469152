/** Which addresses only the machine itself reaches. */
import { BlockList, isIP } from 'node:net';

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8);
LOOPBACK.addAddress('::1', 'ipv6');

/** Whether a host to listen on is reached from its own machine alone: 127.0.0.0/8, ::1 in any notation, or `localhost`. */
export function isLoopback(host: string): boolean {
  const family = isIP(host);
  return family === 0
    ? host.toLowerCase() === 'localhost'
    : LOOPBACK.check(host, `ipv${family === 6 ? 6 : 4}`);
}
