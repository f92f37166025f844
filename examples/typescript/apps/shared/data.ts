// What the studio's components need: each app fills it with hooks of its own client library.
import type { Collections, Deployment, Gallery, LiveGeneration, Order, Quote, Session } from "@darkroom/client/react";
import type { QuoteInput } from "@darkroom/client";
import { createContext, useContext } from "react";

export type StudioData = {
  readonly useSession: () => Session;
  readonly useCredits: () => { readonly credits: number | null };
  readonly useDeployment: () => Deployment;
  readonly useCollections: () => Collections;
  readonly useQuote: (input: QuoteInput | null) => Quote;
  readonly useOrder: () => Order;
  readonly useGeneration: (id: string | null) => LiveGeneration;
  readonly useGallery: (options: { pageSize: number }) => Gallery;
};

const Context = createContext<StudioData | null>(null);

export const DataProvider = Context.Provider;

export function useData(): StudioData {
  const data = useContext(Context);
  if (!data) throw new Error("useData needs a <DataProvider value={...}> above it.");
  return data;
}
