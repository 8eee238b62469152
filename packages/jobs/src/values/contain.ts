/** Runs code of the package's user where its failure must not become the caller's. */

/** Returns the result of `work`. Reports what it throws, and what a promise that it returns rejects with. */
export function contain<T>(work: () => T, report: (error: unknown) => void): T | undefined {
  try {
    const result = work();
    if (isThenable(result)) Promise.resolve(result).catch(report);
    return result;
  } catch (error) {
    report(error);
    return undefined;
  }
}

/** The same for work that is awaited, for at most `withinMs` milliseconds. Never rejects. */
export async function containWithin(
  work: () => unknown,
  withinMs: number,
  report: (error: unknown) => void,
): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`It has not ended within ${withinMs} ms.`)), withinMs);
  });
  try {
    await Promise.race([(async () => work())(), late]);
  } catch (error) {
    report(error);
  } finally {
    clearTimeout(timer);
  }
}

function isThenable(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'then' in value;
}
