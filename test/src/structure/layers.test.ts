/** The folders of packages/jobs are layers: each imports those before it only, types included. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, sep } from 'node:path';
import { describe, expect, test } from 'vitest';

const SOURCE = join(import.meta.dirname, '../../../packages/jobs/src');

/** The lowest first. */
const LAYERS = [
  'errors',
  'values',
  'wire',
  'task',
  'telemetry',
  'broker',
  'topology',
  'control',
  'limits',
  'circuits',
  'message',
  'events',
  'record',
  'steps',
  'workflow',
  'resources',
  'middleware',
  'client',
  'worker',
  'schedule',
  'isolation',
  'housekeeping',
  'outbox',
  'application',
  'embedded',
  'testing',
];
/** Entry points of the package import from any layer. */
const ENTRY_POINTS = new Set(['index', 'internal', 'metrics', 'monitor', 'processes']);
const IMPORT = /(?:\bfrom|\bimport)\s*\(?\s*'(\.[^']+)'/g;

const layerOf = (path: string): string => (path.split(sep)[0] ?? '').replace(/\.[jt]s$/, '');

const files = readdirSync(SOURCE, { recursive: true, encoding: 'utf8' }).filter(
  (path) => path.endsWith('.ts') && !path.endsWith('.test.ts') && !ENTRY_POINTS.has(layerOf(path)),
);

function importsOf(path: string): string[] {
  const text = readFileSync(join(SOURCE, path), 'utf8');
  return [...text.matchAll(IMPORT)].map(([, target = '']) => normalize(join(dirname(path), target)));
}

describe('packages/jobs', () => {
  test('has no folder that is not a layer', () => {
    expect(new Set(files.map(layerOf))).toEqual(new Set(LAYERS));
  });

  test.each(LAYERS)('%s imports nothing of a later layer', (layer) => {
    const allowed = new Set(LAYERS.slice(0, LAYERS.indexOf(layer) + 1));
    const upward = files
      .filter((path) => layerOf(path) === layer)
      .flatMap((path) =>
        importsOf(path)
          .filter((target) => !allowed.has(layerOf(target)))
          .map((target) => `${path} imports ${target}`),
      );
    expect(upward).toEqual([]);
  });

  test('constructs its shared objects in resources/ alone', () => {
    const shared =
      /new (AckMultiplexer|StreamAccess|TaskLookup|WorkflowEngine|UniqueLocks|EventPublisher|RecordStore|DeadLettering|OtherMessages)\(/g;
    const elsewhere = files
      .filter((path) => layerOf(path) !== 'resources')
      .flatMap((path) =>
        [...readFileSync(join(SOURCE, path), 'utf8').matchAll(shared)].map(
          ([, name]) => `${path} constructs ${name}`,
        ),
      );
    expect(elsewhere).toEqual([]);
  });
});
