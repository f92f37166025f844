// Fills empty variables with results of earlier operations, so that ids need not be copied between tabs.
import type { FetcherReturnType } from "@graphiql/toolkit";
import { isAsyncIterable, isObservable, isPromise } from "@graphiql/toolkit";

import { abbreviatePreviews } from "./pictures";

type Name = "generation" | "prompt" | "style" | "today" | "uploadId" | "user";

const EXAMPLE_PROMPT = "a lighthouse in the first snow"; // in tabs/everyone/3-create.json
const known: Partial<Record<Name, string | null>> = {};
const filledIn = new Set<unknown>([EXAMPLE_PROMPT]); // values that may be replaced

export function remember(name: Name, value: string): void {
  known[name] = value;
}

/** Remember the uploaded photo. With a photo, or a style that requires one, the prompt stays empty. */
export function rememberPhoto(id: string | null, isRequired: boolean): void {
  known.uploadId = id;
  if (id || isRequired) known.prompt = null;
  else delete known.prompt;
}

interface Nodes {
  nodes?: { id?: string }[];
}

interface ResponseData {
  createGeneration?: { generations?: { id?: string }[] };
  viewer?: { generations?: Nodes };
  admin?: { users?: Nodes; user?: { id?: string }; generations?: Nodes };
}

/** Return the id if the list has exactly one item; an ambiguous list clears the variable. */
function onlyId(list: { id?: string }[] | undefined): string | undefined {
  return list && (list.length === 1 ? (list[0]?.id ?? "") : "");
}

function rememberIds(data: ResponseData): void {
  const user = data.admin?.user?.id ?? onlyId(data.admin?.users?.nodes);
  const generation =
    onlyId(data.createGeneration?.generations) ??
    onlyId(data.admin?.generations?.nodes) ??
    data.viewer?.generations?.nodes?.[0]?.id; // the user's latest
  if (user !== undefined) remember("user", user);
  if (generation !== undefined) remember("generation", generation);
}

/** Call `inspect` for each message of the stream. Not a generator: that could only end with the next message. */
function inspected<T>(stream: AsyncIterable<T>, inspect: (message: T) => void): AsyncIterableIterator<T> {
  const source = stream[Symbol.asyncIterator]();
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    async next() {
      const step = await source.next();
      if (!step.done) inspect(step.value);
      return step;
    },
    return: async () => (await source.return?.()) ?? { done: true, value: undefined },
  };
}

/**
 * Inspect a response on its way to the editor; subscriptions fill in no variables.
 * `onCreated`: called if the response created a generation.
 */
export async function inspectResponse(response: FetcherReturnType, onCreated: () => void): Promise<FetcherReturnType> {
  const settled = isPromise(response) ? await response : response;
  if (isAsyncIterable(settled)) return inspected(settled, abbreviatePreviews) as FetcherReturnType;
  if (!isObservable(settled)) {
    const data = (settled as { data?: ResponseData | null }).data;
    if (data) rememberIds(data);
    if (data?.createGeneration?.generations?.length) onCreated();
    abbreviatePreviews(settled);
  }
  return settled as FetcherReturnType;
}

/** Return `variables` with its empty values filled in, or undefined if nothing changes. */
export function fill(variables: string): string | undefined {
  let values: Record<string, unknown>;
  try {
    values = JSON.parse(variables) as Record<string, unknown>;
  } catch {
    return undefined; // being edited
  }
  let changes = false;
  for (const [name, fresh] of Object.entries(known)) {
    const value = values[name];
    const isEmpty = value === (name === "uploadId" ? null : "");
    if (value !== undefined && value !== fresh && (isEmpty || filledIn.has(value))) {
      values[name] = fresh;
      changes = true;
    }
    if (fresh) filledIn.add(fresh);
  }
  return changes ? JSON.stringify(values, null, 2) : undefined;
}
