/** `npm run bench [-- --json] [--<part>]`: one part on request, the framework beside the same work by hand without one. */
import { fileURLToPath } from 'node:url';
import { BrokerOnDemand } from './broker.js';
import { benchCore } from './core.js';
import { parseFlags } from './flags.js';
import { PARTS } from './parts.js';

const cacheDir = fileURLToPath(new URL('../../../.stratum', import.meta.url));
const flags = parseFlags();
const print = (message: string): void => {
  if (!flags.json) console.log(message);
};
const broker = new BrokerOnDemand(cacheDir, print);

const bench = PARTS.find(({ flag }) => flags[flag])?.run ?? benchCore;
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void broker.stop().finally(() => process.exit(1)));
let code = 1;
try {
  const { figures, lines = [], failed = false } = await bench({ flags, broker, cacheDir, say: print });
  if (flags.json) console.log(JSON.stringify(figures, undefined, 2));
  for (const line of lines) print(line);
  code = failed ? 1 : 0;
} finally {
  await broker.stop();
}
process.exit(code);
