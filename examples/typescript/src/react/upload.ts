// A photo on its way to the server.
import { useCallback, useEffect, useRef, useState } from "react";
import { useDarkroom } from "./context.ts";
import { asError } from "./state.ts";

export type Upload = {
  readonly state: "idle" | "sending" | "done" | "failed";
  /** From 0 to 1. */
  readonly progress: number;
  /** For the order, once `state` is done. */
  readonly uploadId: string | null;
  readonly error: Error | null;
  readonly start: (photo: Blob) => Promise<string | null>;
  /** Abort what is being sent, and forget what was. */
  readonly reset: () => void;
};

const IDLE = { state: "idle", progress: 0, uploadId: null, error: null } as const;

/** Send a photo ahead of the order, with progress. A second `start` aborts the first. */
export function useUpload(): Upload {
  const client = useDarkroom();
  const [upload, setUpload] = useState<Omit<Upload, "start" | "reset">>(IDLE);
  const running = useRef<AbortController | null>(null);
  const reset = useCallback(() => {
    running.current?.abort();
    running.current = null;
    setUpload(IDLE);
  }, []);
  const start = useCallback(
    async (photo: Blob) => {
      reset();
      const abort = new AbortController();
      running.current = abort;
      const show = (next: Omit<Upload, "start" | "reset">) => running.current === abort && setUpload(next);
      show({ ...IDLE, state: "sending" });
      try {
        const uploadId = await client.upload(photo, {
          signal: abort.signal,
          onProgress: ({ sent, total }) => show({ ...IDLE, state: "sending", progress: total ? sent / total : 0 }),
        });
        show({ state: "done", progress: 1, uploadId, error: null });
        return uploadId;
      } catch (problem) {
        show({ ...IDLE, state: "failed", error: asError(problem) });
        return null;
      }
    },
    [client, reset],
  );
  useEffect(() => () => running.current?.abort(), []);
  return { ...upload, start, reset };
}
