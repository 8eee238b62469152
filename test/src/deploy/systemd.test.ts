/** The units of deploy/systemd, as systemd itself reads them, for each service. */
import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { SERVICES } from '@stratum/shared';
import { expect, onTestFinished, test } from 'vitest';
import { isInstalled, runProgram } from '../cli/stratum.js';
import { dataFolder } from '../harness/index.js';
import { skipNotRun } from '../harness/not-run.js';

const UNITS = join(import.meta.dirname, '../../../deploy/systemd');
/** Of systemd's own scale: 0 is no exposure, 10 the most. A unit without hardening has 9.6. */
const MOST_EXPOSURE = '20';

test('each service has a unit that systemd takes, with little exposure', async (context) => {
  if (!(await isInstalled('systemd-analyze')))
    skipNotRun(context, 'The units were not tried: install systemd (systemd-analyze).');
  const folder = await dataFolder('stratum-units-');
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await cp(UNITS, folder, { recursive: true });
  const instances = await Promise.all(
    SERVICES.map(async (service) => {
      const unit = `./stratum@${service}.service`;
      await cp(join(folder, 'stratum@.service'), join(folder, unit));
      return unit;
    }),
  );
  const env = { SYSTEMD_UNIT_PATH: `${folder}:` };
  const units = [...instances, './stratum-migrations.service', './stratum.target'];
  const verified = await runProgram('systemd-analyze', ['verify', ...units], env, '', folder);
  expect(verified).toEqual({ code: 0, stdout: '', stderr: '' });
  const rated = await runProgram(
    'systemd-analyze',
    ['security', '--offline=true', `--threshold=${MOST_EXPOSURE}`, instances[0] ?? ''],
    env,
    '',
    folder,
  );
  expect(rated.code, rated.stdout).toBe(0);
});
