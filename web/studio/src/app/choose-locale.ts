// The choice of a language: of this browser, and of the account, whose messages the server writes in it.
import { UpdateProfileDocument } from "../gql/graphql.ts";
import { useLocale, type Locale } from "./locale.tsx";
import { useSession } from "./session.tsx";

export function useChooseLocale(): (locale: Locale) => void {
  const { setLocale } = useLocale();
  const { viewer, clients } = useSession();
  return (locale) => {
    if (!viewer) return setLocale(locale);
    void clients.darkroom
      .run(UpdateProfileDocument, { input: { locale } })
      .catch(() => undefined)
      .then(() => setLocale(locale));
  };
}
