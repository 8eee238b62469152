/** A signal for code that computes: it receives no events, so the signal looks for its abort whenever it is asked. */

const getters = Object.getOwnPropertyDescriptors(AbortSignal.prototype);

/** @param look aborts the controller if it is time; called before each answer of `aborted`, `reason` and `throwIfAborted` */
export function askingSignal({ signal }: AbortController, look: () => void): AbortSignal {
  const isAborted = (): boolean => {
    look();
    return getters.aborted.get?.call(signal) === true;
  };
  const reason = (): unknown => getters.reason.get?.call(signal);
  Object.defineProperties(signal, {
    aborted: { configurable: true, get: isAborted },
    reason: { configurable: true, get: () => (isAborted() ? reason() : undefined) },
    throwIfAborted: {
      configurable: true,
      value: () => {
        if (isAborted()) throw reason();
      },
    },
  });
  return signal;
}
