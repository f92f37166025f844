// The photo of the next order: it stays while one looks at other styles, and is sent ahead as soon as it is chosen.
import { createContext, useCallback, useContext, useEffect, useMemo, useRef, useState, type ReactNode } from "react";
import type { Darkroom } from "@darkroom/client/client.ts";
import { newKey } from "@darkroom/client/key.ts";
import { useSession } from "../../app/session.tsx";
import { onTabLeft } from "../../app/tab-owner.ts";
import { prepared, UnreadableError, type Rules } from "./image.ts";
import { isForOrder, usePhotoSending } from "./photo-sending.ts";
import { hasKeptPhoto, keepPhoto, keptPhoto } from "./photo-store.ts";

export type Photo = {
  /** Of this file: a photo that was turned is another one. */
  readonly id: string;
  readonly file: Blob;
  readonly name: string;
  /** To show it; null where this browser cannot. */
  readonly url: string | null;
  readonly width: number;
  readonly height: number;
};

/** The photo of an order: what was uploaded, or, where that cannot be, the photo itself. */
export type SentPhoto = { readonly uploadId: string } | { readonly photo: Photo };

export type PhotoState = {
  readonly photo: Photo | null;
  /** Whether a photo is being prepared, which will be the next one. */
  readonly isComing: boolean;
  readonly progress: number;
  readonly isSending: boolean;
  readonly problem: unknown;
  /** Take this file. Until it is ready, and where it cannot be read, the photo before it stays. */
  readonly choose: (file: Blob, name: string, rules: Rules) => Promise<boolean>;
  /** Take what `change` makes of the photo, after the changes before. */
  readonly edit: (change: (file: Blob) => Promise<Blob>, rules: Rules) => Promise<boolean>;
  readonly clear: () => void;
  /** Resolve to the photo as it is ordered, sending it now if it was not; null: there is none. Rejects where it was removed meanwhile. */
  readonly send: (client: Darkroom) => Promise<SentPhoto | null>;
  /** Forget what was sent, which expires: the next `send` sends it again. */
  readonly forget: () => void;
};

const PAUSE = 1000; // milliseconds without another change, before the photo is sent ahead: a server keeps few of them

const Context = createContext<PhotoState | null>(null);

export function usePhoto(): PhotoState {
  const value = useContext(Context);
  if (!value) throw new Error("usePhoto needs a PhotoProvider above it.");
  return value;
}

/** A file that becomes the photo. */
type Coming = { readonly choice: number; readonly file: Promise<Blob>; readonly shown: Promise<void> };

export function PhotoProvider({ children }: { readonly children: ReactNode }) {
  const { viewer, clients } = useSession();
  const [photo, setPhoto] = useState<Photo | null>(null);
  const [isComing, setComing] = useState(hasKeptPhoto);
  const [problem, setProblem] = useState<unknown>(null);
  const current = useRef<Photo | null>(null);
  const coming = useRef<Coming | null>(null);
  const choices = useRef(0); // what an older one comes to, which may take longer, is not shown
  const sending = usePhotoSending();
  const { send: sendPhoto, resume, stop } = sending;
  const owner = viewer?.id ?? "";

  const show = useCallback(
    (next: Photo | null) => {
      stop();
      if (current.current?.url) URL.revokeObjectURL(current.current.url);
      current.current = next;
      setPhoto(next);
    },
    [stop],
  );

  const clear = useCallback(() => {
    choices.current++;
    coming.current = null;
    setComing(false);
    setProblem(null);
    show(null);
    void keepPhoto(null);
  }, [show]);

  const take = useCallback(
    async (file: Promise<Blob>, name: string, rules: Rules): Promise<boolean> => {
      const choice = ++choices.current;
      const isLast = () => choice === choices.current;
      const prepare = async () => {
        const ready = await file.then((found) => prepared(found, rules)).catch((refusal: unknown) => {
          throw refusal instanceof UnreadableError ? refusal : new UnreadableError();
        });
        const next = { ...ready, id: newKey(), name };
        if (isLast()) {
          show(next);
          void keepPhoto(next);
        } else if (next.url) URL.revokeObjectURL(next.url);
      };
      const shown = prepare();
      coming.current = { choice, file, shown };
      setComing(true);
      setProblem(null);
      try {
        await shown;
        return isLast();
      } catch (refusal) {
        if (isLast()) setProblem(refusal);
        return false;
      } finally {
        if (isLast()) {
          coming.current = null;
          setComing(false);
        }
      }
    },
    [show],
  );

  const edit = useCallback<PhotoState["edit"]>(
    async (change, rules) => {
      const before = current.current;
      if (!before) return false;
      return take((coming.current?.file ?? Promise.resolve(before.file)).then(change), before.name, rules);
    },
    [take],
  );

  /** Wait until what was chosen last is the photo; rejects where it cannot be read. */
  const settled = useCallback(async () => {
    for (let last = coming.current; last; last = coming.current) {
      const { choice } = last;
      await last.shown.catch((refusal: unknown) => {
        if (choice === choices.current) throw refusal;
      });
    }
  }, []);

  const send = useCallback(
    async (client: Darkroom): Promise<SentPhoto | null> => {
      await settled();
      for (let chosen = current.current; chosen; chosen = current.current) {
        try {
          return { uploadId: await sendPhoto(client, chosen, owner) };
        } catch (refusal) {
          if (isForOrder(refusal)) return { photo: chosen };
          await settled();
          if (current.current === chosen || !current.current) throw refusal; // else it is another one now, which is sent
        }
      }
      return null;
    },
    [settled, sendPhoto, owner],
  );

  // After a reload, or on the way back from a payment page. It was prepared before, so that any rules fit.
  useEffect(() => {
    const choice = choices.current;
    const isLast = () => choice === choices.current;
    const kept = keptPhoto();
    const restore = async () => {
      const found = await kept;
      if (!found) return;
      const { file, name, id, upload } = found;
      const next = { ...(await prepared(file, { maxBytes: Infinity, contentTypes: [file.type] })), id, name };
      if (!isLast()) return;
      show(next);
      if (upload) resume(next, upload);
    };
    const end = () => {
      if (!isLast()) return;
      coming.current = null;
      setComing(false);
    };
    const shown = restore().catch(() => undefined).then(end);
    coming.current = { choice, file: kept.then((found) => found?.file ?? new Blob()), shown };
  }, [show, resume]);

  useEffect(() => onTabLeft(clear), [clear]);

  // Ahead of the order, as soon as there is an account.
  useEffect(() => {
    if (!photo || !owner) return;
    const timer = setTimeout(() => void sendPhoto(clients.darkroom, photo, owner).catch(() => undefined), PAUSE);
    return () => clearTimeout(timer);
  }, [photo, owner, clients, sendPhoto]);

  const value = useMemo<PhotoState>(
    () => ({
      photo,
      isComing,
      progress: sending.progress,
      isSending: sending.isSending,
      problem: problem ?? sending.problem,
      choose: (file, name, rules) => take(Promise.resolve(file), name, rules),
      edit,
      clear,
      send,
      forget: stop,
    }),
    [photo, isComing, sending, problem, take, edit, clear, send, stop],
  );
  return <Context value={value}>{children}</Context>;
}
