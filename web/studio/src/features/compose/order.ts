// Sending an order: once, whatever happens to the connection or the page in between.
import { useCallback, useEffect, useRef, useState } from "react";
import type { CombinedError } from "@urql/core";
import { useLocation } from "wouter";
import { InputRefusedError } from "@darkroom/client/errors.ts";
import { newKey } from "@darkroom/client/key.ts";
import type { Clients } from "../../app/clients.ts";
import { isOffline } from "../../app/problem.ts";
import { useSession } from "../../app/session.tsx";
import { CreatePicturesDocument, type CreateGenerationInput } from "../../gql/graphql.ts";
import { usePhoto } from "./photo.tsx";

const PENDING = "studio.order"; // sent, without an answer yet
const PAUSE = 2000; // milliseconds between two tries

export type OrderState = "idle" | "sending" | "waiting";
export type Order = {
  readonly state: OrderState;
  readonly problem: unknown;
  /** `inputOf`: the order with the photo that was uploaded for it. */
  readonly submit: (withPhoto: boolean, inputOf: (uploadId: string | null) => CreateGenerationInput) => Promise<void>;
};

export function useOrder(): Order {
  const { clients, begin } = useSession();
  const { send, forget } = usePhoto();
  const [, navigate] = useLocation();
  const [state, setState] = useState<OrderState>("idle");
  const [problem, setProblem] = useState<unknown>(null);
  const isRunning = useRef(false);

  const run = useCallback(
    async (act: () => Promise<string>) => {
      if (isRunning.current) return;
      isRunning.current = true;
      setState("sending");
      setProblem(null);
      try {
        navigate(await act());
      } catch (refusal) {
        setProblem(refusal);
      } finally {
        isRunning.current = false;
        setState("idle");
      }
    },
    [navigate],
  );

  // The page was left or reloaded before the answer came: the same key makes it the same order.
  useEffect(() => {
    const text = sessionStorage.getItem(PENDING);
    if (text) void run(() => place(clients, JSON.parse(text) as CreateGenerationInput, setState));
  }, []); // eslint-disable-line -- once, when the page opens

  const submit: Order["submit"] = (withPhoto, inputOf) =>
    run(async () => {
      const current = await begin();
      const ordered = async () => {
        const uploadId = withPhoto ? await send(current.darkroom) : null;
        return place(current, { ...inputOf(uploadId), idempotencyKey: newKey() }, setState);
      };
      try {
        return await ordered();
      } catch (refusal) {
        if (!(withPhoto && refusal instanceof InputRefusedError && refusal.code === "NOT_FOUND")) throw refusal;
        forget(); // the upload has expired
        return ordered();
      }
    });
  return { state, problem, submit };
}

/** Place the order, again while there is no connection; return the address of what is made. */
async function place(
  { urql }: Clients,
  input: CreateGenerationInput,
  onState: (state: OrderState) => void,
): Promise<string> {
  sessionStorage.setItem(PENDING, JSON.stringify(input));
  for (;;) {
    const { data, error } = await urql.mutation(CreatePicturesDocument, { input }).toPromise();
    if (isOffline(error)) {
      onState("waiting");
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
      continue;
    }
    sessionStorage.removeItem(PENDING);
    if (!data) throw error as CombinedError;
    const { generations, errors } = data.createGeneration;
    if (errors.length) throw new InputRefusedError(errors);
    const [first] = generations;
    if (!first) throw new InputRefusedError([]);
    return generations.length > 1 && first.batchId ? `/batches/${first.batchId}` : `/pictures/${first.id}`;
  }
}
