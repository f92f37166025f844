// The way of a photo to the server: ahead of its order, once, and with its progress.
import { useCallback, useMemo, useRef, useState } from "react";
import type { Darkroom } from "@darkroom/client/client.ts";
import { InputRefusedError } from "@darkroom/client/errors.ts";
import { keepUpload, type KeptUpload } from "./photo-store.ts";
import type { Photo } from "./photo.tsx";

type Sending = { readonly photo: Pick<Photo, "id">; owner: string; readonly upload: Promise<string>; readonly abort: AbortController };

export type PhotoSending = {
  readonly progress: number;
  readonly isSending: boolean;
  /** Why it could not be sent; null: it could, or the order will take it along. */
  readonly problem: unknown;
  /** Resolve to the `uploadId` of the photo, sending it if that was not done. `owner`: empty while it is not known. */
  readonly send: (client: Darkroom, photo: Photo, owner: string) => Promise<string>;
  /** Take it as sent, before the page was loaded. */
  readonly resume: (photo: Photo, upload: KeptUpload) => void;
  /** Stop it, and forget what was sent. */
  readonly stop: () => void;
};

export function usePhotoSending(): PhotoSending {
  const [progress, setProgress] = useState(0);
  const [isSending, setSending] = useState(false);
  const [problem, setProblem] = useState<unknown>(null);
  const current = useRef<Sending | null>(null);

  const send = useCallback<PhotoSending["send"]>(async (client, photo, owner) => {
    const known = current.current;
    // A guest's photo is sent before the page has read the guest's id.
    if (known?.photo.id === photo.id && (known.owner === owner || !owner || !known.owner)) {
      known.owner ||= owner;
      return known.upload;
    }
    known?.abort.abort();
    const abort = new AbortController();
    setSending(true);
    setProgress(0);
    setProblem(null);
    const upload = client.upload(photo.file, {
      signal: abort.signal,
      onProgress: ({ sent, total }) => !abort.signal.aborted && setProgress(total ? sent / total : 0),
    });
    const mine: Sending = { photo, owner, upload, abort };
    current.current = mine;
    try {
      const id = await upload;
      if (current.current === mine) void keepUpload(photo.id, { id, owner: mine.owner });
      return id;
    } catch (refusal) {
      if (current.current === mine) {
        current.current = null;
        if (!isForOrder(refusal)) setProblem(refusal);
      }
      throw refusal;
    } finally {
      if (current.current === mine || current.current === null) setSending(false);
    }
  }, []);

  const resume = useCallback<PhotoSending["resume"]>((photo, { id, owner }) => {
    current.current = { photo, owner, upload: Promise.resolve(id), abort: new AbortController() };
  }, []);

  const stop = useCallback(() => {
    current.current?.abort.abort();
    current.current = null;
    setSending(false);
    setProblem(null);
  }, []);

  return useMemo(
    () => ({ progress, isSending, problem, send, resume, stop }),
    [progress, isSending, problem, send, resume, stop],
  );
}

/** Whether no more photos can be sent ahead now: the order takes the photo along. */
export function isForOrder(refusal: unknown): boolean {
  return refusal instanceof InputRefusedError && refusal.code === "QUOTA_EXCEEDED";
}
