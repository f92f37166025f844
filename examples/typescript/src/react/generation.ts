// One generation while it is made, and the orders that start one.
import { useEffect, useState } from "react";
import { accepted } from "../errors.ts";
import {
  CancelGenerationDocument,
  CreateGenerationDocument,
  GenerationProgressDocument,
  RefineGenerationDocument,
  type CreateGenerationInput,
  type GenerationPartsFragment,
  type RefineGenerationInput,
} from "../gql/graphql.ts";
import { newKey } from "../key.ts";
import { useDarkroom, useSessionNumber } from "./context.ts";
import { asError, useAction } from "./state.ts";

export type LiveGeneration = { readonly generation: GenerationPartsFragment | null; readonly error: Error | null };

/** Follow a generation with its previews up to its final status; null: none. */
export function useGeneration(id: string | null): LiveGeneration {
  const client = useDarkroom();
  const session = useSessionNumber();
  const [state, setState] = useState<LiveGeneration>({ generation: null, error: null });
  useEffect(() => {
    setState({ generation: null, error: null });
    if (id === null) return;
    return client.subscribe(GenerationProgressDocument, { id }, {
      next: ({ generationProgress }) => setState({ generation: generationProgress, error: null }),
      error: (problem) => setState((before) => ({ ...before, error: asError(problem) })),
      complete: () => {},
    });
  }, [client, id, session]);
  return state;
}

export type Order = {
  readonly busy: boolean;
  readonly error: Error | null;
  /** Order generations; the ids of what is being made, or null: it was refused. */
  readonly create: (input: CreateGenerationInput) => Promise<readonly string[] | null>;
  readonly refine: (input: RefineGenerationInput) => Promise<readonly string[] | null>;
  readonly cancel: (id: string) => Promise<void>;
};

/** Order, refine and cancel. Each order has a key of its own, so that a repeated request is not paid twice. */
export function useOrder(): Order {
  const client = useDarkroom();
  const { busy, error, run } = useAction();
  return {
    busy,
    error,
    create: (input) =>
      run(async () => {
        const keyed = { idempotencyKey: newKey(), ...input };
        const { createGeneration } = await client.run(CreateGenerationDocument, { input: keyed });
        return accepted(createGeneration).generations.map(({ id }) => id);
      }),
    refine: (input) =>
      run(async () => {
        const keyed = { idempotencyKey: newKey(), ...input };
        const { refineGeneration } = await client.run(RefineGenerationDocument, { input: keyed });
        return accepted(refineGeneration).generations.map(({ id }) => id);
      }),
    cancel: async (id) => {
      await run(async () => accepted((await client.run(CancelGenerationDocument, { id })).cancelGeneration));
    },
  };
}
