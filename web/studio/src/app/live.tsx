// What every view needs to be live: the account's balance and its pictures. Their messages reach the cache by themselves.
import { useEffect } from "react";
import { useQuery, useSubscription } from "urql";
import { CreditsLiveDocument, MeDocument, PicturesChangedDocument } from "../gql/graphql.ts";
import { useSession } from "./session.tsx";

export function Live() {
  const { viewer } = useSession();
  return viewer ? <Subscriptions key={viewer.id} /> : null;
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
