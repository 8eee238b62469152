/** Faults on demand: the next requests meet one instead of an answer. */
import { z } from 'zod';
import { SANDBOX_PLATFORMS, type SandboxPlatform } from './platforms/platforms.js';

export const FAULT_KINDS = [
  'rate_limit',
  'server_error',
  'slow',
  'broken_json',
  'expired_token',
  'page_failure',
  'permission',
  'disconnect',
  'answer',
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

export const faultSchema = z.strictObject({
  platform: z.enum(SANDBOX_PLATFORMS),
  kind: z.enum(FAULT_KINDS),
  /** How many requests meet it; `null` means every one. */
  times: z.int().positive().nullable().default(1),
  /** So many matching requests pass before it begins. */
  afterRequests: z.int().nonnegative().default(0),
  /** Only requests whose path contains this. */
  path: z.string().optional(),
  /** The wait that a rate limit asks for, in milliseconds. */
  retryAfterMs: z.int().positive().default(30_000),
  /** What `answer` says, as the vendor writes it. Without a body the request is answered as ever, with these headers besides. */
  status: z.int().min(200).max(599).default(200),
  headers: z.record(z.string(), z.string()).default({}),
  body: z.unknown().optional(),
  /** How long a slow answer takes, in milliseconds. */
  delayMs: z.int().positive().default(5_000),
});

export type Fault = z.input<typeof faultSchema>;
export type ActiveFault = z.output<typeof faultSchema>;

export interface FaultSubject {
  platform: SandboxPlatform;
  path: string;
  /** A page behind the first of a listing. */
  laterPage: boolean;
  /** A request for an access token, which only a fault that names its path meets. */
  isToken: boolean;
}

export class Faults {
  private active: ActiveFault[] = [];

  inject(fault: Fault): void {
    this.active.push(faultSchema.parse(fault));
  }

  clear(): void {
    this.active = [];
  }

  list(): readonly ActiveFault[] {
    return this.active;
  }

  /** The fault that this request meets, used up by it. */
  take({ platform, path, laterPage, isToken }: FaultSubject): ActiveFault | undefined {
    const fault = this.active.find(
      (each) =>
        each.platform === platform &&
        (each.path === undefined ? !isToken : path.includes(each.path)) &&
        (each.kind !== 'page_failure' || laterPage),
    );
    if (fault === undefined) return undefined;
    if (fault.afterRequests > 0) {
      fault.afterRequests--;
      return undefined;
    }
    if (fault.times !== null && --fault.times === 0)
      this.active = this.active.filter((each) => each !== fault);
    return fault;
  }
}
