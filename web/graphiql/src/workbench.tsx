// GraphiQL itself: explorer, history and docs, subscriptions over the socket, and the example operations.
import { explorerPlugin } from "@graphiql/plugin-explorer";
import { HISTORY_PLUGIN } from "@graphiql/plugin-history";
import { useGraphiQL, useGraphiQLActions } from "@graphiql/react";
import { createGraphiQLFetcher, type Fetcher, type FetcherOpts, type FetcherParams, type Storage } from "@graphiql/toolkit";
import { GraphiQL } from "graphiql";
import { Kind, parse } from "graphql";
import "graphiql/setup-workers/vite";
import "graphiql/style.css";
import "@graphiql/plugin-explorer/style.css";
import type { Client } from "graphql-ws";
import { useEffect, useMemo, useRef, useState } from "react";
import { createPortal } from "react-dom";

import { address, request, type Tab } from "./api";
import { fill, inspectResponse, remember, rememberPhoto } from "./carry";
import type { PhotoSelection } from "./photo";
import { Strip } from "./strip";
import type { Text } from "./text";

const PLUGINS = [HISTORY_PLUGIN, explorerPlugin({ showAttribution: false })];
const STYLES = "{ styles(first: 100) { nodes { id locked referenceImage variables { required default } } } }";
const THEME = "graphiql:theme";

interface Style {
  id: string;
  locked: boolean;
  referenceImage: "REQUIRED" | "OPTIONAL" | "UNUSED";
  variables: { required: boolean; default: string | null }[];
}

/** Return the storage of one audience's tabs, so that no admin tabs remain open after an admin signs out. */
function storageOf(audience: string): Storage {
  const name = (key: string) => (key === THEME ? key : `${audience}:${key}`);
  return {
    get length() {
      return localStorage.length;
    },
    getItem: (key) => localStorage.getItem(name(key)),
    setItem: (key, value) => localStorage.setItem(name(key), value),
    removeItem: (key) => localStorage.removeItem(name(key)),
    clear: () => {
      for (const key of Object.keys(localStorage)) if (key.startsWith(`${audience}:`)) localStorage.removeItem(key);
    },
  };
}

/** Return the styles that this user can use without setting variables. */
async function fetchStyles(): Promise<Style[]> {
  const { nodes } = (await request<{ styles: { nodes: Style[] } }>(STYLES)).styles;
  const isUsable = ({ locked, variables }: Style) =>
    !locked && variables.every((variable) => !variable.required || variable.default !== null);
  return nodes.filter(isUsable);
}

/** Remember a style that accepts the photo or needs none, so that the first generation is one click away. */
function rememberStyle(styles: Style[], photo: string | null): void {
  const unsuitable = photo ? "UNUSED" : "REQUIRED";
  const style = styles.find(({ referenceImage }) => referenceImage !== unsuitable) ?? styles[0];
  if (style) remember("style", style.id);
  rememberPhoto(photo, style?.referenceImage === "REQUIRED");
}

function rememberToday(): void {
  const midnight = new Date();
  midnight.setHours(0, 0, 0, 0);
  remember("today", midnight.toISOString());
}

/** Take the operation from the visible document: GraphiQL updates it only a moment after a tab was opened. */
function withVisibleOperation(parameters: FetcherParams, options?: FetcherOpts): [FetcherParams, FetcherOpts?] {
  const { query, operationName } = parameters;
  try {
    const documentAST = parse(query);
    const names = documentAST.definitions.flatMap((node) =>
      node.kind === Kind.OPERATION_DEFINITION ? [node.name?.value] : [],
    );
    const exists = operationName != null && names.includes(operationName);
    // The only operation's name decides whether it is sent over the socket.
    const name = exists ? operationName : names.length === 1 ? names[0] : undefined;
    return [{ ...parameters, operationName: name }, { ...options, documentAST }];
  } catch {
    return [parameters, options]; // the server's error is better
  }
}

/** Fills in a tab's variables when it is opened, and when `revision` changes, as after a photo was chosen. */
function VariableFiller({ revision }: { revision: number }) {
  const index = useGraphiQL((state) => state.activeTabIndex);
  const editor = useGraphiQL((state) => state.variableEditor);
  useEffect(() => {
    const filled = editor && fill(editor.getValue());
    if (filled) editor.setValue(filled);
  }, [index, editor, revision]);
  return null;
}

/** Return a function that opens an operation in a new tab; undefined while the editors load. */
function useOpenTab(): ((query: string, variables: string) => void) | undefined {
  const { addTab } = useGraphiQLActions();
  const queryEditor = useGraphiQL((state) => state.queryEditor);
  const variableEditor = useGraphiQL((state) => state.variableEditor);
  if (!queryEditor || !variableEditor) return undefined;
  return (query, variables) => {
    addTab();
    queryEditor.setValue(query);
    variableEditor.setValue(fill(variables) ?? variables);
  };
}

/** Opens the operation of a link to this page, `#query=...&variables=...`, as the documentation has them. */
function LinkedOperation() {
  const open = useOpenTab();
  const opening = useRef(open);
  opening.current = open;
  const isReady = open !== undefined;
  useEffect(() => {
    if (!isReady) return;
    const openLinked = () => {
      const parameters = new URLSearchParams(location.hash.slice(1));
      const query = parameters.get("query");
      if (query === null) return;
      history.replaceState(null, "", location.pathname + location.search); // once, also if the page is loaded again
      opening.current?.(query, parameters.get("variables") ?? "");
    };
    openLinked();
    addEventListener("hashchange", openLinked);
    return () => removeEventListener("hashchange", openLinked);
  }, [isReady]);
  return null;
}

/** The menu that opens an example operation in a new tab. */
function ExampleMenu({ tabs, text }: { tabs: Tab[]; text: Text }) {
  const open = useOpenTab();
  return (
    <select
      className="examples"
      aria-label={text.examplesHint}
      title={text.examplesHint}
      value=""
      onChange={(event) => {
        const tab = tabs.find(({ name }) => name === event.target.value);
        if (tab) open?.(tab.query, tab.variables ?? "");
      }}
    >
      <option value="" disabled>
        {text.examples}
      </option>
      {tabs.map(({ name }) => (
        <option key={name}>{name}</option>
      ))}
    </select>
  );
}

interface Props {
  audience: string;
  tabs: Tab[];
  opening: Tab[];
  socket: Client;
  slot: HTMLElement | null; // in the bar, for the menu of example operations
  photo: PhotoSelection;
  text: Text;
}

export default function Workbench({ audience, tabs, opening, socket, slot, photo, text }: Props) {
  const current = useRef({ socket, photo });
  current.current = { socket, photo };
  const fetcher = useMemo<Fetcher>(() => {
    return (parameters, options) => {
      const fetching = createGraphiQLFetcher({
        url: address,
        wsClient: current.current.socket,
        enableIncrementalDelivery: false, // responses arrive whole, so that they can be inspected
      });
      const uploadId = current.current.photo.photo?.id;
      const onCreated = () =>
        uploadId && parameters.variables?.uploadId === uploadId && current.current.photo.clear();
      return inspectResponse(fetching(...withVisibleOperation(parameters, options)), onCreated) as ReturnType<Fetcher>;
    };
  }, []);
  const storage = useMemo(() => storageOf(audience), [audience]);
  const isFirst = useMemo(() => storage.getItem("graphiql:tabState") === null, [storage]);

  const [styles, setStyles] = useState<Style[]>([]);
  const [revision, setRevision] = useState(0);
  const uploadId = photo.photo?.id ?? null;

  useEffect(rememberToday, []);

  useEffect(() => {
    // Styles depend on the account. Without a usable style, the variable stays empty.
    fetchStyles().then(setStyles, () => undefined);
  }, [socket]);

  useEffect(() => {
    rememberStyle(styles, uploadId);
    setRevision((previous) => previous + 1);
  }, [styles, uploadId]);

  return (
    <GraphiQL
      fetcher={fetcher}
      storage={storage}
      plugins={PLUGINS}
      defaultTabs={opening}
      // GraphiQL opens the first default tab without its variables.
      {...(isFirst && opening[0]?.variables ? { initialVariables: opening[0].variables } : {})}
      defaultEditorToolsVisibility="variables"
    >
      <GraphiQL.Logo>{null}</GraphiQL.Logo>
      <GraphiQL.Toolbar>
        {({ prettify, copy, merge }) => (
          <>
            {prettify}
            {merge}
            {copy}
            <VariableFiller revision={revision} />
            <LinkedOperation />
            {slot && createPortal(<ExampleMenu tabs={tabs} text={text} />, slot)}
          </>
        )}
      </GraphiQL.Toolbar>
      <GraphiQL.Footer>
        <Strip text={text} />
      </GraphiQL.Footer>
    </GraphiQL>
  );
}
