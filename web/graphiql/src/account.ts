// The signed-in account, with a live credit balance.
import { useCallback, useEffect, useMemo, useState } from "react";
import type { Client } from "graphql-ws";

import { fetchViewer, openSocket, type Viewer } from "./api";

const CREDITS = "subscription { creditsChanged { credits } }";

export interface Account {
  viewer: Viewer | null | undefined; // undefined: still loading
  credits: number;
  socket: Client;
  failed: boolean; // the server is unreachable
  refresh: () => Promise<void>;
}

export function useAccount(): Account {
  const [viewer, setViewer] = useState<Viewer | null>();
  const [credits, setCredits] = useState(0);
  const [failed, setFailed] = useState(false);
  const id = viewer?.id;
  // A socket is authenticated when it opens, so each account needs its own.
  const socket = useMemo(openSocket, [id]);

  const refresh = useCallback(async () => {
    try {
      const current = await fetchViewer();
      if (current?.locale) document.documentElement.lang = current.locale;
      setCredits(current?.credits ?? 0);
      setViewer(current);
      setFailed(false);
    } catch {
      setFailed(true);
    }
  }, []);

  useEffect(() => void refresh(), [refresh]);

  useEffect(() => {
    if (!id) return () => void socket.dispose();
    const stop = socket.subscribe<{ creditsChanged: { credits: number } }>(
      { query: CREDITS },
      {
        next: ({ data, errors }) => {
          if (data) setCredits(data.creditsChanged.credits);
          else if (errors) void refresh();
        },
        error: () => void refresh(), // signed out elsewhere, suspended, or the session has expired
        complete: () => undefined,
      },
    );
    return () => {
      stop();
      void socket.dispose();
    };
  }, [id, socket, refresh]);

  return { viewer, credits, socket, failed, refresh };
}
