/** Where the servers of a test keep their data. */
import { mkdtemp, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const SHARED_MEMORY = '/dev/shm';
const TMPFS_TYPE = 0x01021994;
/** For a whole test run; a container's is often 64 MB. */
const NEEDED_BYTES = 4 * 1024 ** 3;

/**
 * A new folder, removed by the caller: in memory where the system has room for it, since most of a test's time would go by in creating and
 * removing the files of databases and streams on a disk.
 *
 * @param prefix of its name
 */
export async function dataFolder(prefix: string): Promise<string> {
  return mkdtemp(join((await hasRoomInMemory()) ? SHARED_MEMORY : tmpdir(), prefix));
}

async function hasRoomInMemory(): Promise<boolean> {
  try {
    const { type, bavail, bsize } = await statfs(SHARED_MEMORY);
    return type === TMPFS_TYPE && bavail * bsize >= NEEDED_BYTES;
  } catch {
    // Only Linux has it.
    return false;
  }
}
