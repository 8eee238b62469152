/** Before `npm pack`, in a package's folder: builds it, removes what an older build left behind in `dist`, and joins its modules. */
import { execFileSync } from 'node:child_process';
import { readdirSync, rmSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './bootstrap.mjs';

const BUILT = /(?:\.d)?\.(c?)[jt]s(\.map)?$/;
const JOINED = /^joined-/;

execFileSync(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-b'], { stdio: 'inherit' });
for (const file of readdirSync('dist', { recursive: true })) {
  if (BUILT.test(file) && !JOINED.test(file) && !existsSync(join('src', file.replace(BUILT, '.$1ts'))))
    rmSync(join('dist', file));
}
execFileSync(process.execPath, [join(ROOT, 'scripts/join.mjs'), '.'], { stdio: 'inherit' });
