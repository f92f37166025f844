// Signing in at identity providers: the way to their page, and what comes back from it.
import { useQuery } from "urql";
import type { Viewer } from "../../app/session.tsx";
import type { Darkroom } from "@darkroom/client/client.ts";
import { accepted } from "@darkroom/client/errors.ts";
import { newKey } from "@darkroom/client/key.ts";
import {
  CreateSignInNonceDocument,
  LinkIdentityDocument,
  SignInAtProviderDocument,
  SignInProvidersDocument,
  type SignInProvidersQuery,
} from "../../gql/graphql.ts";

/** `link`: to the account that is signed in, which completes a guest. */
export type Purpose = "signIn" | "link";
export type Provider = SignInProvidersQuery["deployment"]["signIn"]["providers"][number];

/** What is kept in the tab while the browser is at the provider. `back`: where it began. */
type Begun = { readonly state: string; readonly nonce: string; readonly purpose: Purpose; readonly back: string };

const KEY = "studio.provider";
const CALLBACK = "/sign-in/callback"; // registered at the provider

export function useProviders(): readonly Provider[] {
  const [{ data }] = useQuery({ query: SignInProvidersDocument });
  return data?.deployment.signIn.providers ?? [];
}

export function hostOf(issuer: string): string {
  return URL.canParse(issuer) ? new URL(issuer).host : issuer;
}

/** Send the browser to a provider's page, which sends it back to `CALLBACK` with an ID token in the fragment. */
export async function begin(darkroom: Darkroom, provider: Provider, purpose: Purpose): Promise<void> {
  const { nonce } = accepted((await darkroom.run(CreateSignInNonceDocument, {})).createSignInNonce);
  if (!nonce) throw new Error("There is no nonce.");
  const begun: Begun = { state: newKey(), nonce, purpose, back: location.pathname + location.search };
  sessionStorage.setItem(KEY, JSON.stringify(begun));
  const url = new URL(provider.authorizationEndpoint);
  const parameters = {
    response_type: "id_token",
    client_id: provider.clientId,
    redirect_uri: location.origin + CALLBACK,
    scope: "openid email profile",
    state: begun.state,
    nonce: await digest(nonce),
  };
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  location.assign(url.href);
}

/** The hash of the nonce, so that the provider and its redirects do not see it; without https there is no hashing. */
async function digest(nonce: string): Promise<string> {
  const { subtle } = crypto as { subtle?: SubtleCrypto };
  if (!subtle) return nonce;
  const bytes = new Uint8Array(await subtle.digest("SHA-256", new TextEncoder().encode(nonce)));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

export type Answer =
  | { readonly kind: "token"; readonly idToken: string; readonly begun: Begun }
  | { readonly kind: "refused"; readonly back: string }
  | { readonly kind: "unknown" };

/** Take what a provider has sent back, once: the address and the tab forget it. */
export function takeAnswer(): Answer {
  const given = new URLSearchParams(location.hash.slice(1));
  const kept = sessionStorage.getItem(KEY);
  sessionStorage.removeItem(KEY);
  history.replaceState(history.state, "", location.pathname);
  const begun = kept ? (JSON.parse(kept) as Begun) : null;
  // Without the state of this tab it may be the answer to a sign-in that another page began.
  if (!begun || given.get("state") !== begun.state) return { kind: "unknown" };
  const idToken = given.get("id_token");
  return idToken ? { kind: "token", idToken, begun } : { kind: "refused", back: begun.back };
}

/** Link the user of a token to the account that is signed in. Throws what was refused. */
export async function link(darkroom: Darkroom, idToken: string, nonce: string): Promise<void> {
  accepted((await darkroom.run(LinkIdentityDocument, { input: { idToken, nonce } })).linkIdentity);
}

/** Sign in with a token; return whose account it is. Throws what was refused. */
export async function signInWith(darkroom: Darkroom, idToken: string, nonce: string): Promise<Viewer | null> {
  return accepted((await darkroom.run(SignInAtProviderDocument, { idToken, nonce })).signInWithIdToken).user;
}
