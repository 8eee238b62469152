/** Loaded into a process before its program: its wall clock is as far ahead as the file CRASH_CLOCK says, in seconds. */
import { readFileSync } from 'node:fs';

const READ_EVERY_MS = 200;
const RealDate = Date;
const path = process.env['CRASH_CLOCK'] ?? '';
let aheadMs = 0;

function read(): void {
  aheadMs = Number(readFileSync(path, 'utf8')) * 1_000;
}

function now(): number {
  return RealDate.now() + aheadMs;
}

read();
setInterval(read, READ_EVERY_MS).unref();
globalThis.Date = new Proxy(RealDate, {
  construct: (target, given: unknown[]): Date =>
    Reflect.construct(target, given.length === 0 ? [now()] : given),
  get: (target, property): unknown => (property === 'now' ? now : Reflect.get(target, property)),
});
