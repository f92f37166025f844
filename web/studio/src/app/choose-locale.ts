// The choice of a language: of this browser, and of the account, whose messages the server writes in it.
import { accepted } from "@darkroom/client/errors.ts";
import { toast } from "../components/toast.tsx";
import { UpdateProfileDocument } from "../gql/graphql.ts";
import { useLocale, useText, type Locale } from "./locale.tsx";
import { messageOf, problemTexts } from "./problem.ts";
import { useSession } from "./session.tsx";

export function useChooseLocale(): (locale: Locale) => void {
  const { setLocale } = useLocale();
  const { viewer, clients } = useSession();
  const problems = useText(problemTexts);
  return (locale) => {
    if (!viewer) return setLocale(locale);
    clients.darkroom
      .run(UpdateProfileDocument, { input: { locale } })
      .then(({ updateProfile }) => void (accepted(updateProfile), setLocale(locale)))
      .catch((problem: unknown) => toast(messageOf(problem, problems)));
  };
}
