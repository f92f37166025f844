// What happens in the deployment, as it happens: the newest first, a bounded number, and a pause.
import { useEffect, useRef, useState } from "react";
import { useSession } from "../../app/session.tsx";
import { ActivityDocument, type ActivitySubscription } from "../../gql/admin.ts";
import { codeOf, useDesk } from "./desk.tsx";

export type Activity = ActivitySubscription["adminActivity"];

const MOST = 200; // activities that stay

export type Feed = {
  readonly items: readonly Activity[];
  /** Those that came during the pause, at most `MOST`. */
  readonly waiting: number;
  readonly isPaused: boolean;
  readonly isConnected: boolean;
  readonly error: unknown;
  readonly setPaused: (isPaused: boolean) => void;
  readonly again: () => void;
};

const join = (newer: readonly Activity[], older: readonly Activity[]) => [...newer, ...older].slice(0, MOST);

export function useActivity(): Feed {
  const { clients } = useSession();
  const { attempt } = useDesk();
  const [items, setItems] = useState<readonly Activity[]>([]);
  const [waiting, setWaiting] = useState<readonly Activity[]>([]);
  const [isPaused, setPaused] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const [turn, setTurn] = useState(0);
  const [isConnected, setConnected] = useState(clients.darkroom.connected);
  const paused = useRef(isPaused);
  paused.current = isPaused;
  const hasAsked = useRef(false); // for the second factor, since the last message

  useEffect(() => clients.darkroom.onChange(() => setConnected(clients.darkroom.connected)), [clients]);
  useEffect(() => {
    setError(null);
    return clients.darkroom.subscribe(ActivityDocument, {}, {
      next: ({ adminActivity }) => {
        hasAsked.current = false;
        (paused.current ? setWaiting : setItems)((known) => join([adminActivity], known));
      },
      error: (problem) => {
        if (codeOf(problem) !== "SECOND_FACTOR_REQUIRED" || hasAsked.current) return setError(problem);
        hasAsked.current = true;
        const needed = () => Promise.reject(problem); // asks for the factor, and then fails as before
        void attempt(needed).catch(() => setTurn((found) => found + 1));
      },
      complete: () => undefined,
    });
  }, [clients, attempt, turn]);
  return {
    items,
    waiting: waiting.length,
    isPaused,
    isConnected: isConnected && !error,
    error,
    setPaused: (next) => {
      setPaused(next);
      if (next) return;
      setItems((known) => join(waiting, known));
      setWaiting([]);
    },
    again: () => {
      hasAsked.current = false;
      setTurn((found) => found + 1);
    },
  };
}
