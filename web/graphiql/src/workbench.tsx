// GraphiQL itself: explorer, history and docs, subscriptions over the socket, and the ready-made operations.
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

import { address, ask, type Tab } from "./api";
import { fill, look, remember, rememberPhoto } from "./carry";
import type { PhotoDesk } from "./photo";
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

/** What each audience has open stays apart: signing out of an admin's account leaves no admin's tab on the screen. */
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

/** The styles that this person can order without choosing anything more. */
async function findStyles(): Promise<Style[]> {
  const { nodes } = (await ask<{ styles: { nodes: Style[] } }>(STYLES)).styles;
  const isEasy = ({ locked, variables }: Style) =>
    !locked && variables.every((variable) => !variable.required || variable.default !== null);
  return nodes.filter(isEasy);
}

/** A style that takes the photo, or that needs none, so that the first picture is one click away. */
function rememberOrder(styles: Style[], photo: string | null): void {
  const unwanted = photo ? "UNUSED" : "REQUIRED";
  const style = styles.find(({ referenceImage }) => referenceImage !== unwanted) ?? styles[0];
  if (style) remember("style", style.id);
  rememberPhoto(photo, style?.referenceImage === "REQUIRED");
}

function rememberToday(): void {
  const midnight = new Date();
  midnight.setHours(0, 0, 0, 0);
  remember("today", midnight.toISOString());
}

/** What is on the screen: GraphiQL knows a tab's operation only a moment after the tab was opened. */
function meant(parameters: FetcherParams, options?: FetcherOpts): [FetcherParams, FetcherOpts?] {
  const { query, operationName } = parameters;
  try {
    const documentAST = parse(query);
    const names = documentAST.definitions.flatMap((node) =>
      node.kind === Kind.OPERATION_DEFINITION ? [node.name?.value] : [],
    );
    const isThere = operationName != null && names.includes(operationName);
    // Of one operation the name is plain, and says whether it goes over the socket.
    const name = isThere ? operationName : names.length === 1 ? names[0] : undefined;
    return [{ ...parameters, operationName: name }, { ...options, documentAST }];
  } catch {
    return [parameters, options]; // the server says better what is wrong with it
  }
}

/** Fills the variables of a tab in when it is opened, and when a photo comes or goes (`order` is another then). */
function Carry({ order }: { order: number }) {
  const index = useGraphiQL((state) => state.activeTabIndex);
  const editor = useGraphiQL((state) => state.variableEditor);
  useEffect(() => {
    const filled = editor && fill(editor.getValue());
    if (filled) editor.setValue(filled);
  }, [index, editor, order]);
  return null;
}

/** Puts a ready-made operation into a tab of its own. */
function Ready({ tabs, text }: { tabs: Tab[]; text: Text }) {
  const { addTab } = useGraphiQLActions();
  const queryEditor = useGraphiQL((state) => state.queryEditor);
  const variableEditor = useGraphiQL((state) => state.variableEditor);
  return (
    <select
      className="ready"
      aria-label={text.readyHint}
      title={text.readyHint}
      value=""
      onChange={(event) => {
        const tab = tabs.find(({ name }) => name === event.target.value);
        if (!tab) return;
        addTab();
        const variables = tab.variables ?? "";
        queryEditor?.setValue(tab.query);
        variableEditor?.setValue(fill(variables) ?? variables);
      }}
    >
      <option value="" disabled>
        {text.ready}
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
  slot: HTMLElement | null; // in the bar, for the menu of ready-made operations
  desk: PhotoDesk;
  text: Text;
}

export default function Workbench({ audience, tabs, opening, socket, slot, desk, text }: Props) {
  const current = useRef({ socket, desk });
  current.current = { socket, desk };
  const fetcher = useMemo<Fetcher>(() => {
    return (parameters, options) => {
      const fetching = createGraphiQLFetcher({
        url: address,
        wsClient: current.current.socket,
        enableIncrementalDelivery: false, // answers come whole, and so can be looked at
      });
      const sent = current.current.desk.photo?.id;
      const wasUsed = () => sent && parameters.variables?.uploadId === sent && current.current.desk.clear();
      return look(fetching(...meant(parameters, options)), wasUsed) as ReturnType<Fetcher>;
    };
  }, []);
  const storage = useMemo(() => storageOf(audience), [audience]);
  const isFirst = useMemo(() => storage.getItem("graphiql:tabState") === null, [storage]);

  const [styles, setStyles] = useState<Style[]>([]);
  const [order, setOrder] = useState(0);
  const photo = desk.photo?.id ?? null;

  useEffect(rememberToday, []);

  useEffect(() => {
    // Another account has other styles. Where there is none, the variable stays empty.
    findStyles().then(setStyles, () => undefined);
  }, [socket]);

  useEffect(() => {
    rememberOrder(styles, photo);
    setOrder((before) => before + 1);
  }, [styles, photo]);

  return (
    <GraphiQL
      fetcher={fetcher}
      storage={storage}
      plugins={PLUGINS}
      defaultTabs={opening}
      // GraphiQL opens the first of its default tabs without its variables.
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
            <Carry order={order} />
            {slot && createPortal(<Ready tabs={tabs} text={text} />, slot)}
          </>
        )}
      </GraphiQL.Toolbar>
      <GraphiQL.Footer>
        <Strip text={text} />
      </GraphiQL.Footer>
    </GraphiQL>
  );
}
