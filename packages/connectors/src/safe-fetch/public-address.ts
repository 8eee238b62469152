/** Which addresses are somebody else's, on the public internet. */
import { networkInterfaces } from 'node:os';
import ipaddr from 'ipaddr.js';

/**
 * Global by their notation, private by their use: services that providers offer to the machines in their own networks, and ranges that
 * the library does not know.
 */
const REFUSED = [
  // Azure's platform: DNS, DHCP, health and the guest agent.
  '168.63.129.16/32',
  // IBM Cloud's private service network.
  '161.26.0.0/16',
  '166.8.0.0/14',
  // Google's APIs as private and restricted addresses.
  '199.36.153.4/30',
  '199.36.153.8/30',
  // Tencent Cloud's and Equinix Metal's internal services.
  '183.60.82.98/32',
  '183.60.83.19/32',
  '192.80.8.124/32',
  // 6to4 relays (RFC 7526), direct delegation to AS112 (RFC 7534, 7535), AMT (RFC 7450).
  '192.88.99.0/24',
  '192.31.196.0/24',
  '192.175.48.0/24',
  '192.52.193.0/24',
  // Documentation (RFC 9637), and addresses that hold no locator (RFC 7343).
  '3fff::/20',
  '2001:20::/28',
].map((range) => ipaddr.parseCIDR(range));

/** Interface ids of ISATAP (RFC 5214): an IPv4 address behind them is reached through a router of the site. */
const ISATAP = new Set(['0:5efe', '200:5efe']);

/**
 * Global unicast only: no private, link-local, loopback, carrier, benchmark or multicast address, in whatever notation or tunnel, none
 * that a provider keeps for its own machines, and none of this machine.
 */
export function isPublic(address: string): boolean {
  if (!ipaddr.isValid(address)) return false;
  const parsed = innermost(ipaddr.process(address));
  if (parsed.range() !== 'unicast') return false;
  if (parsed instanceof ipaddr.IPv6 && !isGlobal(parsed)) return false;
  return !REFUSED.some((range) => isWithin(parsed, range)) && !isOwn(parsed);
}

/** 2000::/3 is all that was ever given out (RFC 4291): not ::127.0.0.1, an old way to write an IPv4 address. */
function isGlobal(address: ipaddr.IPv6): boolean {
  const [first = 0] = address.toByteArray();
  const interfaceId = address.parts.slice(4, 6).map((part) => part.toString(16));
  return (first & 0b1110_0000) === 0b0010_0000 && !ISATAP.has(interfaceId.join(':'));
}

/** The IPv4 address inside NAT64's prefix (RFC 6052): reached through a translator, so it is what counts. */
function innermost(address: ipaddr.IPv4 | ipaddr.IPv6): ipaddr.IPv4 | ipaddr.IPv6 {
  if (address instanceof ipaddr.IPv4 || address.range() !== 'rfc6052') return address;
  return new ipaddr.IPv4(address.toByteArray().slice(12));
}

function isWithin(
  address: ipaddr.IPv4 | ipaddr.IPv6,
  [network, bits]: [ipaddr.IPv4 | ipaddr.IPv6, number],
): boolean {
  return address.kind() === network.kind() && address.match(network, bits);
}

function isOwn(address: ipaddr.IPv4 | ipaddr.IPv6): boolean {
  const text = address.toNormalizedString();
  return Object.values(networkInterfaces())
    .flat()
    .some((own) => own !== undefined && ipaddr.process(own.address).toNormalizedString() === text);
}
