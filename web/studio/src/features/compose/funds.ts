// What an account has left to pay with, which prices and refusals depend on.
import { useSession } from "../../app/session.tsx";

/** A text that changes with it, also where that happens elsewhere. */
export function useFunds(): string {
  const { viewer } = useSession();
  return `${viewer?.id} ${viewer?.credits} ${viewer?.isMember} ${viewer?.pass?.images.remaining}`;
}
