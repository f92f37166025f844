// Functions that are called after each change of something.

/** `subscribe`: call `listener` after each change; it returns a function that stops it. `notify`: call all. */
export function createListeners(): { readonly subscribe: (listener: () => void) => () => void; readonly notify: () => void } {
  const listeners = new Set<() => void>();
  return {
    subscribe: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    notify: () => {
      for (const listener of listeners) listener();
    },
  };
}
