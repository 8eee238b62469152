/** Waits for a part that may be away, and no longer than its caller can. */

/** What the work comes to, or `undefined` when it takes longer. It rejects with an error that comes in time; a later one is nobody's. */
export async function resultWithin<Result>(
  work: Promise<Result>,
  withinMs: number,
): Promise<Result | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), withinMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
