// Carries what one operation found into the empty variables of the next: nobody copies ids from tab to tab.
import type { FetcherReturnType } from "@graphiql/toolkit";
import { isAsyncIterable, isObservable, isPromise } from "@graphiql/toolkit";

import { abridge } from "./pictures";

type Name = "generation" | "prompt" | "style" | "today" | "uploadId" | "user";

const WORDS = "a lighthouse in the first snow"; // in tabs/everyone/3-create.json
const found: Partial<Record<Name, string | null>> = {};
const filledIn = new Set<unknown>([WORDS]);

export function remember(name: Name, value: string): void {
  found[name] = value;
}

/** The photo that was sent ahead. Where there is or must be one, it says what the picture is about. */
export function rememberPhoto(id: string | null, isWanted: boolean): void {
  found.uploadId = id;
  if (id || isWanted) found.prompt = null;
  else delete found.prompt;
}

interface Nodes {
  nodes?: { id?: string }[];
}

interface Seen {
  createGeneration?: { generations?: { id?: string }[] };
  viewer?: { generations?: Nodes };
  admin?: { users?: Nodes; user?: { id?: string }; generations?: Nodes };
}

/** Only what is meant beyond doubt: one of several is nobody to act upon, and so empties the variable again. */
function only(list: { id?: string }[] | undefined): string | undefined {
  return list && (list.length === 1 ? (list[0]?.id ?? "") : "");
}

function learn(data: Seen): void {
  const user = data.admin?.user?.id ?? only(data.admin?.users?.nodes);
  const generation =
    only(data.createGeneration?.generations) ??
    only(data.admin?.generations?.nodes) ??
    data.viewer?.generations?.nodes?.[0]?.id; // one's own newest
  if (user !== undefined) remember("user", user);
  if (generation !== undefined) remember("generation", generation);
}

/** The same stream, each of its messages looked at. Not a generator: that would end only with its next message. */
function seen<T>(stream: AsyncIterable<T>, see: (message: T) => void): AsyncIterableIterator<T> {
  const source = stream[Symbol.asyncIterator]();
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    async next() {
      const step = await source.next();
      if (!step.done) see(step.value);
      return step;
    },
    return: async () => (await source.return?.()) ?? { done: true, value: undefined },
  };
}

/**
 * Look at an answer on its way to the editor. Streams are watched by people; they carry nothing.
 * `onOrdered`: something was ordered with it.
 */
export async function look(answer: FetcherReturnType, onOrdered: () => void): Promise<FetcherReturnType> {
  const settled = isPromise(answer) ? await answer : answer;
  if (isAsyncIterable(settled)) return seen(settled, abridge) as FetcherReturnType;
  if (!isObservable(settled)) {
    const data = (settled as { data?: Seen | null }).data;
    if (data) learn(data);
    if (data?.createGeneration?.generations?.length) onOrdered();
    abridge(settled);
  }
  return settled as FetcherReturnType;
}

/** `variables` with what is known in its empty places, or undefined where nothing changes. */
export function fill(variables: string): string | undefined {
  let values: Record<string, unknown>;
  try {
    values = JSON.parse(variables) as Record<string, unknown>;
  } catch {
    return undefined; // somebody is in the middle of writing them
  }
  let changes = false;
  for (const [name, known] of Object.entries(found)) {
    const value = values[name];
    const isEmpty = value === (name === "uploadId" ? null : "");
    if (value !== undefined && value !== known && (isEmpty || filledIn.has(value))) {
      values[name] = known;
      changes = true;
    }
    if (known) filledIn.add(known);
  }
  return changes ? JSON.stringify(values, null, 2) : undefined;
}
