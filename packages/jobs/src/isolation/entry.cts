/**
 * Entry of the pool's threads. Piscina loads it with `require`, which would load an ES module synchronously; Node aborts the whole
 * process if the thread is terminated at that moment (`IsGraphAsync must be used on an instantiated module`). `import` is safe.
 */
import type { Job } from './protocol.js' with { 'resolution-mode': 'import' };

async function run(job: Job): Promise<void> {
  const thread = await import('./thread.js');
  await thread.run(job);
}

export = { run };
