// The order of a composer: its photo is uploaded first, and then it is placed.
import { useCallback, useRef, useState } from "react";
import { useLocation } from "wouter";
import { InputRefusedError } from "@darkroom/client/errors.ts";
import { useSession, type Begun } from "../../app/session.tsx";
import type { CreateGenerationInput } from "../../gql/graphql.ts";
import { UnreadableError } from "./image.ts";
import { usePending, usePlace } from "./pending.ts";
import { holdPhoto } from "./photo-store.ts";
import { usePhoto, type Photo } from "./photo.tsx";

export type OrderState = "idle" | "sending" | "waiting";
export type Order = {
  readonly state: OrderState;
  readonly problem: unknown;
  /** Forget the problem: its cause has gone. */
  readonly forget: () => void;
  /** `withPhoto`: with the photo, if there is one. `inputOf`: the order with the photo that was uploaded for it. */
  readonly submit: (withPhoto: boolean, inputOf: (uploadId: string | null) => CreateGenerationInput) => Promise<void>;
};

export function useOrder(): Order {
  const { begin } = useSession();
  const { send, forget: forgetUpload } = usePhoto();
  const place = usePlace();
  const [here] = useLocation();
  const pending = usePending().find(({ kind, from }) => kind === "create" && from === here);
  const [isSending, setSending] = useState(false);
  const [problem, setProblem] = useState<unknown>(null);
  const isRunning = useRef(false);

  const forget = useCallback(() => setProblem(null), []);
  const submit: Order["submit"] = async (withPhoto, inputOf) => {
    if (isRunning.current || pending) return;
    isRunning.current = true;
    setSending(true);
    setProblem(null);
    try {
      const session = await begin();
      let wasSent = false; // its photo
      const order = async (isHandled?: (refusal: unknown) => boolean) => {
        const sent = withPhoto ? await send(session.clients.darkroom) : null;
        wasSent = sent !== null;
        if (sent && "photo" in sent) await placeWith(sent.photo, session);
        else await place({ kind: "create", input: inputOf(sent?.uploadId ?? null) }, session, isHandled);
      };
      const placeWith = async (photo: Photo, begun: Begun) => {
        await holdPhoto(photo);
        await place({ kind: "create", input: inputOf(null), photo: photo.id }, begun);
      };
      const hasExpired = (refusal: unknown) => wasSent && refusal instanceof InputRefusedError && refusal.code === "NOT_FOUND";
      await order(hasExpired).catch((refusal: unknown) => {
        if (!hasExpired(refusal)) throw refusal;
        forgetUpload();
        return order();
      });
    } catch (refusal) {
      setProblem(isSeen(refusal) ? null : refusal);
    } finally {
      isRunning.current = false;
      setSending(false);
    }
  };
  return { state: pending?.isWaiting ? "waiting" : pending || isSending ? "sending" : "idle", problem, forget, submit };
}

/** Whether the field of the photo says why there is no order: the photo cannot be read, or was removed. */
function isSeen(refusal: unknown): boolean {
  return refusal instanceof UnreadableError || (refusal instanceof DOMException && refusal.name === "AbortError");
}
