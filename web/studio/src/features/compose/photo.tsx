// The photo of the next order: it stays while one looks at other styles, and is sent ahead as soon as it is chosen.
import { createContext, useCallback, useContext, useEffect, useMemo, useRef, useState, type ReactNode } from "react";
import type { Darkroom } from "@darkroom/client/client.ts";
import { useSession } from "../../app/session.tsx";
import { onTabLeft } from "../../app/tab-owner.ts";
import { prepared, UnreadableError, type Rules } from "./image.ts";
import { keepPhoto, keptPhoto } from "./photo-store.ts";

export type Photo = {
  readonly file: Blob;
  readonly name: string;
  /** To show it; null where this browser cannot. */
  readonly url: string | null;
  readonly width: number;
  readonly height: number;
};

export type PhotoState = {
  readonly photo: Photo | null;
  readonly progress: number;
  readonly isSending: boolean;
  readonly problem: unknown;
  readonly choose: (file: Blob | Promise<Blob>, name: string, rules: Rules) => Promise<void>;
  readonly clear: () => void;
  /** Resolve to the `uploadId` of the photo, sending it now if it was not; null: there is none. */
  readonly send: (client: Darkroom) => Promise<string | null>;
  /** Forget what was sent, which expires: the next `send` sends it again. */
  readonly forget: () => void;
};

const Context = createContext<PhotoState | null>(null);

export function usePhoto(): PhotoState {
  const value = useContext(Context);
  if (!value) throw new Error("usePhoto needs a PhotoProvider above it.");
  return value;
}

type Sending = { readonly file: Blob; owner: string; readonly id: Promise<string>; readonly abort: AbortController };

export function PhotoProvider({ children }: { readonly children: ReactNode }) {
  const { viewer, clients } = useSession();
  const [photo, setPhoto] = useState<Photo | null>(null);
  const [progress, setProgress] = useState(0);
  const [isSending, setSending] = useState(false);
  const [problem, setProblem] = useState<unknown>(null);
  const sending = useRef<Sending | null>(null);
  const current = useRef<Photo | null>(null);
  const choices = useRef(0); // what an older one comes to, which may take longer, is not shown
  const owner = viewer?.id ?? "";

  const send = useCallback(async (client: Darkroom, forOwner: string): Promise<string | null> => {
    const chosen = current.current;
    if (!chosen) return null;
    const known = sending.current;
    // A guest's photo is sent before the page has read the guest's id.
    if (known?.file === chosen.file && (known.owner === forOwner || !forOwner || !known.owner)) {
      known.owner ||= forOwner;
      return known.id;
    }
    known?.abort.abort();
    const abort = new AbortController();
    setSending(true);
    setProgress(0);
    setProblem(null);
    const id = client.upload(chosen.file, {
      signal: abort.signal,
      onProgress: ({ sent, total }) => !abort.signal.aborted && setProgress(total ? sent / total : 0),
    });
    const mine: Sending = { file: chosen.file, owner: forOwner, id, abort };
    sending.current = mine;
    try {
      return await id;
    } catch (refusal) {
      if (sending.current === mine) {
        sending.current = null;
        setProblem(refusal);
      }
      throw refusal;
    } finally {
      if (sending.current === mine || sending.current === null) setSending(false);
    }
  }, []);

  const drop = useCallback((): number => {
    sending.current?.abort.abort();
    sending.current = null;
    if (current.current?.url) URL.revokeObjectURL(current.current.url);
    current.current = null;
    setPhoto(null);
    setSending(false);
    setProblem(null);
    return ++choices.current;
  }, []);

  const clear = useCallback(() => {
    drop();
    void keepPhoto(null);
  }, [drop]);

  const show = useCallback(async (choice: number, file: Blob | Promise<Blob>, name: string, rules: Rules): Promise<Photo | null> => {
    const next = { ...(await prepared(await file, rules)), name };
    if (choice !== choices.current) {
      if (next.url) URL.revokeObjectURL(next.url);
      return null;
    }
    current.current = next;
    setPhoto(next);
    return next;
  }, []);

  const choose = useCallback<PhotoState["choose"]>(
    async (file, name, rules) => {
      const choice = drop();
      try {
        const shown = await show(choice, file, name, rules);
        if (shown) void keepPhoto(shown);
      } catch (refusal) {
        if (choice !== choices.current) return;
        void keepPhoto(null);
        setProblem(refusal instanceof UnreadableError ? refusal : new UnreadableError());
      }
    },
    [drop, show],
  );

  // After a reload, or on the way back from a payment page. It was prepared before, so that any rules fit.
  useEffect(() => {
    const restore = async () => {
      const choice = choices.current;
      const kept = await keptPhoto();
      if (kept) await show(choice, kept.file, kept.name, { maxBytes: Infinity, contentTypes: [kept.file.type] });
    };
    restore().catch(() => undefined);
  }, [show]);

  useEffect(() => onTabLeft(clear), [clear]);

  // Ahead of the order, as soon as there is an account.
  useEffect(() => {
    if (photo && owner) send(clients.darkroom, owner).catch(() => undefined);
  }, [photo, owner, clients, send]);

  const value = useMemo<PhotoState>(
    () => ({
      photo,
      progress,
      isSending,
      problem,
      choose,
      clear,
      send: (client) => send(client, owner),
      forget: () => {
        sending.current = null;
      },
    }),
    [photo, progress, isSending, problem, choose, clear, send, owner],
  );
  return <Context value={value}>{children}</Context>;
}
