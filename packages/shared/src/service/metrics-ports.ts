/** Which ports of a range belong to which service, so that services on one machine can share one environment. */
import type { PortRange } from '../configuration/settings.js';
import { SERVICES, type ServiceName } from '../services.js';

/** The service's own ports in the order in which its processes take them. A single port belongs to every service. */
export function metricsPorts({ first, last }: PortRange, service: ServiceName): number[] {
  if (first === last) return [first];
  const own: number[] = [];
  for (let port = first + SERVICES.indexOf(service); port <= last; port += SERVICES.length) own.push(port);
  return own;
}
