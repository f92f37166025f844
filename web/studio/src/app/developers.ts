// The pages for developers that this server has for a visitor: GraphiQL at /graphql, and the documentation at /docs.
import type { IconName } from "../components/icons.tsx";
import { common } from "../locales/common.ts";
import { useText } from "./locale.tsx";
import { isAdmin, useSession } from "./session.tsx";

const served = document.documentElement.dataset;

type Page = { readonly href: string; readonly icon: IconName; readonly label: string };

export function useDeveloperPages(): readonly Page[] {
  const t = useText(common);
  const { viewer } = useSession();
  const hasGraphiql = served["graphiql"] === "everyone" || (served["graphiql"] === "admins" && isAdmin(viewer));
  return [
    ...(hasGraphiql ? [{ href: "/graphql", icon: "code", label: t.developers } as const] : []),
    ...(served["docs"] === undefined ? [] : [{ href: "/docs/", icon: "book", label: t.documentation } as const]),
  ];
}
