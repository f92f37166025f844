// What can be done with a picture that is there: orders that follow from it, and the mark as a favorite.
import { useCallback, useState } from "react";
import { accepted } from "@darkroom/client/errors.ts";
import { useText } from "../../app/locale.tsx";
import { messageOf, problemTexts } from "../../app/problem.ts";
import { useSession } from "../../app/session.tsx";
import { toast } from "../../components/toast.tsx";
import { CancelPictureDocument, SetFavoriteDocument } from "../../gql/graphql.ts";
import { usePending, usePlace, type Order } from "../compose/pending.ts";
import type { Shown } from "./state.ts";

export type Actions = {
  /** Whether this is being done: its answer has not come yet. */
  readonly isBusy: (name: string) => boolean;
  /** Whether an order waits for the connection. */
  readonly isWaiting: boolean;
  readonly problem: unknown;
  readonly repeat: (asVariation: boolean, count?: number) => void;
  readonly refine: (instruction: string) => Promise<boolean>;
  readonly cancel: () => void;
  readonly setFavorite: (isFavorite: boolean) => void;
};

export function useActions(picture: Pick<Shown, "id">): Actions {
  const { clients, begin } = useSession();
  const problems = useText(problemTexts);
  const place = usePlace();
  const { id } = picture;
  const pending = usePending().filter((one) => one.kind !== "create" && one.input.id === id);
  const [busy, setBusy] = useState<string | null>(null);
  const [problem, setProblem] = useState<unknown>(null);

  const run = useCallback(async (name: string, act: () => Promise<void>): Promise<boolean> => {
    setBusy(name);
    setProblem(null);
    try {
      await act();
      return true;
    } catch (refusal) {
      setProblem(refusal);
      return false;
    } finally {
      setBusy(null);
    }
  }, []);
  const isBusy = (name: string) => busy === name || pending.some((one) => nameOf(one) === name);
  const order = async (placed: Order) => !isBusy(nameOf(placed)) && run(nameOf(placed), async () => place(placed, await begin()));
  return {
    isBusy,
    isWaiting: pending.some(({ isWaiting }) => isWaiting),
    problem,
    repeat: (asVariation, count = 1) => void order({ kind: "repeat", input: { id, asVariation, count } }),
    refine: (instruction) => order({ kind: "refine", input: { id, instruction } }),
    cancel: () =>
      void run("cancel", async () => {
        const { data, error } = await clients.urql.mutation(CancelPictureDocument, { id }).toPromise();
        if (!data) throw error;
        accepted(data.cancelGeneration);
      }),
    setFavorite: (isFavorite) =>
      void (async () => {
        const { data, error } = await clients.urql.mutation(SetFavoriteDocument, { id, isFavorite }).toPromise();
        if (error || data?.setFavorite.errors.length) {
          toast(data?.setFavorite.errors[0]?.message ?? messageOf(error, problems)); // the cache shows it as it was
        }
      })(),
  };
}

function nameOf(order: Order): string {
  return order.kind === "repeat" && order.input.asVariation ? "vary" : order.kind;
}
