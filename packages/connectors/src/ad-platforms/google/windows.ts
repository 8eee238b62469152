/** Google fixes the size of its pages, so "less" means fewer days. */
import type { ListingOptions } from '../connector.js';
import { PlatformError } from '../errors.js';
import { sliceWindow, type DateWindow } from '../../values/days.js';

/**
 * Reads a window whole, or in halves where Google cannot answer for so many days, down to single days. Rows that were given out before
 * the answer that was too much come again: writers take them twice. A place is of one window, so halves have none.
 */
export async function* inSmallerWindows<Row>(
  window: DateWindow,
  options: ListingOptions,
  read: (window: DateWindow, options: ListingOptions) => AsyncIterable<Row[]>,
): AsyncIterable<Row[]> {
  try {
    yield* read(window, options);
  } catch (error) {
    const days = sliceWindow(window, 1).length;
    if (!(error instanceof PlatformError) || error.kind !== 'too_much_data' || days === 1) throw error;
    const { signal } = options;
    for (const half of sliceWindow(window, Math.ceil(days / 2)))
      yield* inSmallerWindows(half, { signal }, read);
  }
}
