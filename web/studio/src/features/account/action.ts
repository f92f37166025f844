// Acts that may be refused: whether one is running, and what went wrong.
import type { TypedDocumentNode } from "@graphql-typed-document-node/core";
import type { AnyVariables } from "@urql/core";
import { useState } from "react";
import { InputRefusedError, RefusedError } from "@darkroom/client/errors.ts";
import { messageOf, problemTexts } from "../../app/problem.ts";
import { useText } from "../../app/locale.tsx";
import { useSession } from "../../app/session.tsx";

export type Action = {
  readonly isBusy: boolean;
  /** Return whether it succeeded. */
  readonly run: (act: () => Promise<unknown>) => Promise<boolean>;
  /** What was refused about one field of the input; null: nothing. */
  readonly of: (field: string) => string | null;
  /** What else went wrong, which no field of these shows; null: nothing. */
  readonly besides: (...fields: string[]) => string | null;
  /** The code of what went wrong, if the server refused it. */
  readonly code: string | null;
  readonly clear: () => void;
};

export function useAction(): Action {
  const texts = useText(problemTexts);
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<unknown>(null);
  const of = (field: string) =>
    problem instanceof InputRefusedError ? (problem.of(field) ?? problem.of(`input.${field}`)) : null;
  return {
    isBusy,
    run: async (act) => {
      setBusy(true);
      setProblem(null);
      try {
        await act();
        return true;
      } catch (refusal) {
        setProblem(refusal ?? new Error());
        return false;
      } finally {
        setBusy(false);
      }
    },
    of,
    besides: (...fields) => (problem === null || fields.some(of) ? null : messageOf(problem, texts)),
    code: problem instanceof InputRefusedError || problem instanceof RefusedError ? problem.code : null,
    clear: () => setProblem(null),
  };
}

/** Return a function that runs a mutation, whose result the cache takes. It throws what went wrong. */
export function useMutate() {
  const { clients } = useSession();
  return async <Result, Variables extends AnyVariables>(
    document: TypedDocumentNode<Result, Variables>,
    variables: Variables,
  ): Promise<Result> => {
    const { data, error } = await clients.urql.mutation(document, variables).toPromise();
    if (!data) throw error;
    return data;
  };
}
