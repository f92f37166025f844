// The studio with urql and its normalised cache.
import { createUrqlClient } from "@darkroom/client/urql";
import { useSessionNumber } from "@darkroom/client/react";
import { useMemo, type ReactNode } from "react";
import { Provider } from "urql";
import { darkroom, start } from "../shared/start.tsx";
import * as data from "./data.ts";

/** A new client, and with it an empty cache, for each session. */
function Urql({ children }: { readonly children: ReactNode }): ReactNode {
  const session = useSessionNumber();
  const client = useMemo(() => createUrqlClient(darkroom), [session]);
  return <Provider value={client}>{children}</Provider>;
}

start("urql", data, (studio) => <Urql>{studio}</Urql>);
