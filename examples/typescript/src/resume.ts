// What each of the server's streams needs to go on after a lost connection without missing or repeating a change.
import type { DocumentNode } from "graphql";
import type { Resume } from "./live.ts";

type Change = {
  version?: number;
  kind?: string;
  generationId?: string | null;
  transaction?: { id: string; sequence?: number } | null;
};
type Rules = { variables?: () => Record<string, unknown>; isNew: (next: Change) => boolean };

/** The rules for the subscription in this document, by its root field; they use what the document selects. */
export function resumeOf<Result>(document: DocumentNode): Resume<Result> {
  const operation = document.definitions.find((one) => one.kind === "OperationDefinition");
  const field = operation?.selectionSet.selections.find((one) => one.kind === "Field");
  const rules = field && make[field.name.value]?.();
  if (!rules) return {};
  const key = field.alias?.value ?? field.name.value;
  const declared = new Set(operation?.variableDefinitions?.map((one) => one.variable.name.value));
  return {
    variables: () => Object.fromEntries(Object.entries(rules.variables?.() ?? {}).filter(([name]) => declared.has(name))),
    isNew: (result) => rules.isNew((result as Record<string, Change>)[key] as Change),
  };
}

const make: Record<string, () => Rules> = {
  generationProgress: () => ({ isNew: newerVersion() }),
  creditsChanged,
  galleryChanged: galleryChanges,
  favoriteChanged: galleryChanges,
};

/** Each stream begins with the present state, which is new only if the version has moved. */
function newerVersion(): (next: Change) => boolean {
  let last = 0;
  return ({ version }) => {
    if (version === undefined) return true;
    if (version <= last) return false;
    last = version;
    return true;
  };
}

/** Ask for the lines after the newest one that was seen. Messages without a line say the present state. */
function creditsChanged(): Rules {
  let line: { id: string; sequence?: number } | null = null;
  let state = "";
  return {
    variables: () => (line ? { after: line.id } : {}),
    isNew: ({ transaction, ...rest }) => {
      const before = state;
      state = JSON.stringify(rest);
      if (!transaction) return state !== before;
      if (line && (transaction.sequence ?? Infinity) <= (line.sequence ?? 0)) return false;
      line = transaction;
      return true;
    },
  };
}

/**
 * Ask for what came after the last version that is complete: one version may change several generations, and the newest may have
 * been cut in two. SNAPSHOT, the answer where that is not known any more, always says something: read the list.
 */
function galleryChanges(): Rules {
  let complete: number | undefined;
  let newest = 0;
  let seen = new Set<string>(); // generations that the newest version changed
  return {
    variables: () => (complete === undefined ? {} : { after: complete }),
    isNew: ({ version, kind, generationId }) => {
      if (version === undefined) return true;
      if (kind === "SNAPSHOT") {
        complete = newest = version;
        return true;
      }
      if (version < newest || (complete !== undefined && version <= complete)) return false;
      if (version > newest) {
        newest = version;
        complete = version - 1; // versions have no gaps
        seen = new Set();
      }
      if (!generationId) return true;
      if (seen.has(generationId)) return false;
      seen.add(generationId);
      return true;
    },
  };
}
