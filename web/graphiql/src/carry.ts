// Carries what one operation found into the empty variables of the next: nobody copies ids from tab to tab.
import type { FetcherReturnType } from "@graphiql/toolkit";
import { isAsyncIterable, isObservable, isPromise } from "@graphiql/toolkit";

type Name = "generation" | "style" | "today" | "user";

const found: Partial<Record<Name, string>> = {};
const filledIn = new Set<string>();

export function remember(name: Name, value: string): void {
  found[name] = value;
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

/** Look at an answer on its way to the editor. Streams are watched by people; they carry nothing. */
export async function look(answer: FetcherReturnType): Promise<FetcherReturnType> {
  const settled = isPromise(answer) ? await answer : answer;
  if (!isAsyncIterable(settled) && !isObservable(settled)) {
    const data = (settled as { data?: Seen | null }).data;
    if (data) learn(data);
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
    if (typeof value === "string" && value !== known && (value === "" || filledIn.has(value))) {
      values[name] = known;
      changes = true;
    }
    if (known) filledIn.add(known);
  }
  return changes ? JSON.stringify(values, null, 2) : undefined;
}
