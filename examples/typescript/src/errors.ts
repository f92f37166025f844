// The two kinds of refusals: of a whole request, and of an input, which a payload lists in `errors`.

export type ServerError = {
  message: string;
  path?: readonly (string | number)[];
  extensions?: { code?: string; retryAfter?: number; reference?: string } & Record<string, unknown>;
};

/** A request that was refused as a whole; `code` as in the API guide: UNAUTHENTICATED, NOT_FOUND, RATE_LIMITED, ... */
export class RefusedError extends Error {
  override readonly name: string = "RefusedError";
  readonly code: string;
  readonly errors: readonly ServerError[];
  /** Seconds after which the request may be sent again; null: not said. */
  readonly retryAfter: number | null;

  constructor(errors: readonly ServerError[], code?: string) {
    super(errors.map((error) => error.message).join(" ") || "The server's answer has neither data nor errors.");
    this.errors = errors;
    this.code = code ?? errors[0]?.extensions?.code ?? "INTERNAL";
    this.retryAfter = errors[0]?.extensions?.retryAfter ?? null;
  }
}

export type InputProblem = {
  readonly code: string;
  readonly message: string;
  readonly field?: readonly string[] | null;
};

/** What a payload's `errors` say: mistakes that the user can mend, each with its message and its place in the input. */
export class InputRefusedError extends Error {
  override readonly name: string = "InputRefusedError";
  readonly code: string;
  readonly problems: readonly InputProblem[];

  constructor(problems: readonly InputProblem[]) {
    super(problems.map((problem) => problem.message).join(" "));
    this.code = problems[0]?.code ?? "INVALID_INPUT";
    this.problems = problems;
  }

  /** The message for one field of the input, such as "prompt" or "input.prompt"; null: none. */
  of(field: string): string | null {
    return this.problems.find((problem) => problem.field?.join(".") === field)?.message ?? null;
  }
}

/** Return the payload, or throw its errors. */
export function accepted<Payload extends { readonly errors: readonly InputProblem[] }>(payload: Payload): Payload {
  if (payload.errors.length) throw new InputRefusedError(payload.errors);
  return payload;
}
