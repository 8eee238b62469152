/** Seasonal decomposition and exponential smoothing by the augurs library (Rust, compiled to WebAssembly). */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import initEts from '@bsull/augurs/ets';
import initMstl, { MSTL } from '@bsull/augurs/mstl';

let loading: Promise<void> | undefined;

/** Loads the models once in a process or thread. */
export function loadModels(): Promise<void> {
  loading ??= load();
  return loading;
}

async function load(): Promise<void> {
  const folder = dirname(createRequire(import.meta.url).resolve('@bsull/augurs'));
  const [ets, mstl] = await Promise.all(
    ['ets', 'mstl'].map((name) => readFile(join(folder, `${name}_bg.wasm`))),
  );
  if (ets === undefined || mstl === undefined) throw new Error('the models of @bsull/augurs are missing');
  await Promise.all([initEts({ module_or_path: ets }), initMstl({ module_or_path: mstl })]);
}

/** Multiple seasonal-trend decomposition by Loess, its trend by automatic ETS. `undefined` where no model fits. */
export function mstlForecast(
  history: readonly number[],
  season: number,
  horizon: number,
): number[] | undefined {
  const model = MSTL.ets(new Uint32Array([season]));
  try {
    model.fit(Float64Array.from(history));
    const { point } = model.predict(horizon);
    return point.every(Number.isFinite) ? point : undefined;
  } catch {
    // A constant series, for example, has no model; other candidates replace it.
    return undefined;
  } finally {
    model.free();
  }
}
