/**
 * Works on the items of a source, several at once, and yields the results in the order of the items. Whoever leaves the loop waits for those
 * that have begun.
 */
export async function* ahead<Item, Result>(
  source: AsyncIterable<Item>,
  atOnce: number,
  work: (item: Item) => Promise<Result>,
): AsyncGenerator<Result> {
  const begun: Promise<Result>[] = [];
  try {
    for await (const item of source) {
      const job = work(item);
      // It is awaited in its turn.
      job.catch(() => undefined);
      begun.push(job);
      const first = begun.length < atOnce ? undefined : begun.shift();
      if (first !== undefined) yield await first;
    }
    for (let first = begun.shift(); first !== undefined; first = begun.shift()) yield await first;
  } finally {
    await Promise.allSettled(begun);
  }
}
