// What every view needs to be live: the account's balance and its pictures. Their messages reach the cache by themselves.
import { useEffect, useRef } from "react";
import { useQuery, useSubscription } from "urql";
import { CreditsLiveDocument, MeDocument, PicturesChangedDocument } from "../gql/graphql.ts";
import { suspectServer } from "./reachability.ts";
import { useSession } from "./session.tsx";

export function Live() {
  const { viewer } = useSession();
  useConnection();
  return viewer ? <Subscriptions key={viewer.id} /> : null;
}

/** A connection that breaks, or cannot be made, may mean that the server is away. */
function useConnection(): void {
  const { viewer, clients } = useSession();
  const isWanted = useRef(false);
  isWanted.current = Boolean(viewer);
  useEffect(
    () => clients.darkroom.onChange(() => void (isWanted.current && !clients.darkroom.connected && suspectServer())),
    [clients],
  );
}

function Subscriptions() {
  useSubscription({ query: PicturesChangedDocument });
  const [{ error }] = useSubscription({ query: CreditsLiveDocument });
  const [, reread] = useQuery({ query: MeDocument, pause: true });
  // It ends with an error where the session has ended: elsewhere, or because the account was suspended.
  useEffect(() => {
    if (error) reread({ requestPolicy: "network-only" });
  }, [error, reread]);
  return null;
}
