/**
 * Ended members of a group: one bit each, written by compare-and-set, so that repeated reports have no effect. Members that end in the
 * same process during a write share the next write, and the bits of a large group are spread over several keys, so that processes seldom
 * compete for one. The cost of a member is therefore independent of the size of its group.
 */
import { workflowKeys, type WorkflowBucket } from './bucket.js';
import type { MembersNode } from './plan.js';
import type { Run } from './runs.js';

/** Bits per key: few enough that processes seldom compete for a key, many enough that one write covers several members. */
const BITS_PER_KEY = 128;
/** Cached keys, which need no read before the next write. */
const KEPT = 256;

interface Addition {
  position: number;
  resolve: (isFull: boolean) => void;
  reject: (reason: unknown) => void;
}

interface Cell {
  /** Last known value; `undefined` if it must be read. */
  bits: Uint8Array | undefined;
  sequence: number;
  waiting: Addition[];
  writing: boolean;
}

export class Tally {
  private readonly cells = new Map<string, Cell>();

  constructor(private readonly bucket: WorkflowBucket) {}

  /** Records that a member has ended. Resolves with whether all members have. */
  async add(run: Run, { number, members }: MembersNode, position: number): Promise<boolean> {
    const shards = Math.ceil(members.length / BITS_PER_KEY);
    const whole = workflowKeys.tally(run.id, number);
    if (shards === 1) return this.set(run, whole, members.length, position);
    const shard = Math.floor(position / BITS_PER_KEY);
    const first = shard * BITS_PER_KEY;
    const size = Math.min(BITS_PER_KEY, members.length - first);
    const key = workflowKeys.tally(run.id, number, shard);
    if (!(await this.set(run, key, size, position - first))) return false;
    return this.set(run, whole, shards, shard);
  }

  private set({ sequence }: Run, key: string, size: number, position: number): Promise<boolean> {
    // An id can be reused once its workflow has expired.
    const cell = this.cellOf(`${key} ${sequence}`);
    return new Promise<boolean>((resolve, reject) => {
      cell.waiting.push({ position, resolve, reject });
      if (!cell.writing) void this.work(key, cell, size);
    });
  }

  private cellOf(key: string): Cell {
    const cell = this.cells.get(key) ?? { bits: undefined, sequence: 0, waiting: [], writing: false };
    // The most recently used ones are last.
    this.cells.delete(key);
    this.cells.set(key, cell);
    if (this.cells.size > KEPT) this.forgetOldest();
    return cell;
  }

  private forgetOldest(): void {
    for (const [key, { writing }] of this.cells) {
      if (writing) continue;
      this.cells.delete(key);
      return;
    }
  }

  private async work(key: string, cell: Cell, size: number): Promise<void> {
    cell.writing = true;
    while (cell.waiting.length > 0) {
      const batch = cell.waiting;
      cell.waiting = [];
      try {
        const isFull = countBits(await this.write(key, cell, size, batch)) === size;
        for (const { resolve } of batch) resolve(isFull);
      } catch (error) {
        cell.bits = undefined;
        for (const { reject } of batch) reject(error);
      }
    }
    cell.writing = false;
  }

  private async write(
    key: string,
    cell: Cell,
    size: number,
    batch: readonly Addition[],
  ): Promise<Uint8Array> {
    const add = (before: Uint8Array): Uint8Array => {
      const bits = Uint8Array.from(before);
      for (const { position } of batch) setBit(bits, position);
      return bits;
    };
    if (cell.bits !== undefined) {
      const bits = add(cell.bits);
      if (Buffer.compare(bits, cell.bits) === 0) return bits;
      const sequence = await this.bucket.put(key, bits, cell.sequence);
      if (sequence !== undefined) return remember(cell, bits, sequence);
    }
    // The bits are not cached, or another process wrote them, or this one's write was resent.
    let bits: Uint8Array = new Uint8Array();
    let standing = 0;
    const written = await this.bucket.change(key, (stored) => {
      const before = stored?.message.data ?? new Uint8Array(Math.ceil(size / 8));
      bits = add(before);
      standing = stored?.sequence ?? 0;
      return standing > 0 && Buffer.compare(bits, before) === 0 ? undefined : bits;
    });
    return remember(cell, bits, written ?? standing);
  }
}

function remember(cell: Cell, bits: Uint8Array, sequence: number): Uint8Array {
  cell.bits = bits;
  cell.sequence = sequence;
  return bits;
}

function setBit(bits: Uint8Array, position: number): void {
  const byte = position >> 3;
  bits[byte] = (bits[byte] ?? 0) | (1 << (position & 7));
}

function countBits(bits: Uint8Array): number {
  let count = 0;
  for (let byte of bits) for (; byte !== 0; byte &= byte - 1) count++;
  return count;
}
