// Who is signed in, with credits that follow what the server tells.
import { useCallback, useEffect, useMemo, useState } from "react";
import type { Client } from "graphql-ws";

import { findViewer, openSocket, type Viewer } from "./api";

const CREDITS = "subscription { creditsChanged { credits } }";

export interface Account {
  viewer: Viewer | null | undefined; // undefined: not known yet
  credits: number;
  socket: Client;
  failed: boolean; // nobody answered
  refresh: () => Promise<void>;
}

export function useAccount(): Account {
  const [viewer, setViewer] = useState<Viewer | null>();
  const [credits, setCredits] = useState(0);
  const [failed, setFailed] = useState(false);
  const id = viewer?.id;
  // Who asks is part of the connection, so another account gets another socket.
  const socket = useMemo(openSocket, [id]);

  const refresh = useCallback(async () => {
    try {
      const now = await findViewer();
      if (now?.locale) document.documentElement.lang = now.locale;
      setCredits(now?.credits ?? 0);
      setViewer(now);
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
        error: () => void refresh(), // signed out elsewhere, suspended, or the session is over
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
