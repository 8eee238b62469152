/**
 * Work for an answer that is the same for everybody: whoever asks while it runs gets the answer of the one before, so a thousand
 * questions at once cost one.
 */
export function shared<Answer>(work: () => Promise<Answer>): () => Promise<Answer> {
  let running: Promise<Answer> | undefined;
  return () => {
    running ??= work().finally(() => {
      running = undefined;
    });
    return running;
  };
}
