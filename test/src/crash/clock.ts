/**
 * Wall clocks that are wrong, and are set while a process runs: by Debian's libfaketime, which also shifts what native code reads, or,
 * where it is not installed, by replacing `Date`. The monotonic clock goes on as ever in both.
 */
import { existsSync } from 'node:fs';
import type { ImmortalOptions } from './processes.js';

/** Debian's name for each processor, as Node names it. */
const TRIPLES: Record<string, string> = { x64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' };

export function findShifter(): { name: string; shifter: ImmortalOptions['shifter'] } {
  const library = `/usr/lib/${TRIPLES[process.arch]}/faketime/libfaketimeMT.so.1`;
  if (!existsSync(library)) {
    const module = new URL('../../dist/crash/shifted-date.js', import.meta.url).href;
    return { name: 'Date', shifter: (clock) => ({ env: { CRASH_CLOCK: clock }, imports: [module] }) };
  }
  return {
    name: 'libfaketime',
    shifter: (clock) => ({
      imports: [],
      env: {
        LD_PRELOAD: library,
        FAKETIME_TIMESTAMP_FILE: clock,
        // A set clock is noticed within a second; without a cache each reading takes 50 µs.
        FAKETIME_CACHE_DURATION: '1',
        DONT_FAKE_MONOTONIC: '1',
        FAKETIME_DONT_FAKE_MONOTONIC: '1',
        NO_FAKE_STAT: '1',
      },
    }),
  };
}
