// What can be done with a picture that is there: orders that follow from it, and the mark as a favorite.
import { useCallback, useState } from "react";
import { useLocation } from "wouter";
import { accepted, InputRefusedError } from "@darkroom/client/errors.ts";
import { newKey } from "@darkroom/client/key.ts";
import { useText } from "../../app/locale.tsx";
import { messageOf, problemTexts } from "../../app/problem.ts";
import { useSession } from "../../app/session.tsx";
import { toast } from "../../components/toast.tsx";
import {
  CancelPictureDocument,
  RefinePictureDocument,
  RepeatPictureDocument,
  SetFavoriteDocument,
  type PicturePartsFragment,
} from "../../gql/graphql.ts";
import type { Shown } from "./state.ts";

type Made = { readonly generations: readonly PicturePartsFragment[]; readonly errors: readonly { code: string; message: string; field?: readonly string[] | null }[] };

export type Actions = {
  /** What is being done. */
  readonly busy: string | null;
  readonly problem: unknown;
  readonly repeat: (asVariation: boolean, count?: number) => void;
  readonly refine: (instruction: string) => Promise<boolean>;
  readonly cancel: () => void;
  readonly setFavorite: (isFavorite: boolean) => void;
};

export function useActions(picture: Pick<Shown, "id">): Actions {
  const { clients } = useSession();
  const problems = useText(problemTexts);
  const [, navigate] = useLocation();
  const [busy, setBusy] = useState<string | null>(null);
  const [problem, setProblem] = useState<unknown>(null);
  const { id } = picture;

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
  const open = ({ generations, errors }: Made) => {
    if (errors.length) throw new InputRefusedError(errors);
    const [first] = generations;
    if (first) navigate(generations.length > 1 && first.batchId ? `/batches/${first.batchId}` : `/pictures/${first.id}`);
  };
  return {
    busy,
    problem,
    repeat: (asVariation, count = 1) =>
      void run(asVariation ? "vary" : "repeat", async () => {
        const input = { id, asVariation, count, idempotencyKey: newKey() };
        const { data, error } = await clients.urql.mutation(RepeatPictureDocument, { input }).toPromise();
        if (!data) throw error;
        open(data.regenerate);
      }),
    refine: (instruction) =>
      run("refine", async () => {
        const input = { id, instruction, idempotencyKey: newKey() };
        const { data, error } = await clients.urql.mutation(RefinePictureDocument, { input }).toPromise();
        if (!data) throw error;
        open(data.refineGeneration);
      }),
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
