// A guest that signs in to an account: what it has made goes along (docs/decisions, 0047).
import type { Darkroom } from "@darkroom/client/client.ts";
import { accepted, InputRefusedError, RefusedError } from "@darkroom/client/errors.ts";
import type { Viewer } from "../../app/session.tsx";
import { passTabOn } from "../../app/tab-owner.ts";
import { CreateMergeTokenDocument, MergeGuestDocument } from "../../gql/graphql.ts";

/** What came along. `refused`: nothing did, for this reason; `again` tries once more, and the sign-in stays. */
export type Taken =
  | { readonly kind: "nothing" }
  | { readonly kind: "taken"; readonly pictures: number; readonly credits: number }
  | { readonly kind: "refused"; readonly problem: unknown; readonly again: () => Promise<Taken> };

const NOTHING: Taken = { kind: "nothing" };

/**
 * Sign in, and take along what the guest `before` has made. `isMeant`: whether the account is the one that the visitor
 * asked for: a link that someone else has mailed takes nothing.
 */
export async function enter(
  darkroom: Darkroom,
  before: Viewer | null,
  signIn: () => Promise<Viewer | null>,
  isMeant: (user: Viewer) => boolean,
): Promise<Taken> {
  const token = before?.isGuest ? await newToken(darkroom) : null;
  const user = await signIn();
  if (!token || !user || user.id === before?.id || !isMeant(user)) return NOTHING;
  passTabOn(user.id);
  return take(darkroom, token);
}

async function newToken(darkroom: Darkroom): Promise<string | null> {
  try {
    return accepted((await darkroom.run(CreateMergeTokenDocument, {})).createMergeToken).token;
  } catch (refusal) {
    const isGone = refusal instanceof InputRefusedError || refusal instanceof RefusedError;
    if (isGone && ["CONFLICT", "UNAUTHENTICATED"].includes(refusal.code)) return null; // no guest any more
    throw refusal;
  }
}

async function take(darkroom: Darkroom, token: string): Promise<Taken> {
  try {
    const { movedGenerations, movedCredits } = accepted((await darkroom.run(MergeGuestDocument, { token })).mergeGuest);
    return { kind: "taken", pictures: movedGenerations, credits: movedCredits };
  } catch (problem) {
    return { kind: "refused", problem, again: () => take(darkroom, token) };
  }
}

const KEY = "studio.mailed"; // the address that this browser has asked a link for; the link may open in another tab

export function expectMail(email: string): void {
  localStorage.setItem(KEY, email.trim().toLowerCase());
}

/** Whether this browser has asked for a link to this account; once. */
export function isMailExpected({ email }: Viewer): boolean {
  const expected = localStorage.getItem(KEY);
  localStorage.removeItem(KEY);
  return expected !== null && email?.toLowerCase() === expected;
}
