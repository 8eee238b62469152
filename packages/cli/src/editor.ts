/** Lets a person change a text in the editor of their choice. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

export interface EditedText {
  text: string;
  /** In a directory that only this user can read. */
  path: string;
  remove: () => Promise<void>;
}

/**
 * Opens `VISUAL`, else `EDITOR`, else vi, and waits until it is closed.
 * @param name of the file, which tells the editor what it holds
 * @throws Error when the editor cannot be opened, or fails
 */
export async function editText(text: string, name: string): Promise<EditedText> {
  const path = join(await mkdtemp(join(tmpdir(), 'stratum-')), name);
  const remove = (): Promise<void> => rm(dirname(path), { recursive: true, force: true });
  const editor = process.env['VISUAL'] || process.env['EDITOR'] || 'vi';
  try {
    await writeFile(path, text, { mode: 0o600 });
    // Through the shell: the setting may be a command with arguments, such as "code --wait". The path has no characters that it reads.
    const child = spawn(`${editor} "${path}"`, { shell: true, stdio: 'inherit' });
    const [code] = await once(child, 'exit');
    if (code !== 0) throw new Error(`The editor "${editor}" failed. Set EDITOR to another one.`);
    return { text: await readFile(path, 'utf8'), path, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}
