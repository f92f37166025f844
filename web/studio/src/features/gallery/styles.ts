// The styles that pictures can be filtered by.
import { useQuery } from "urql";
import { useText } from "../../app/locale.tsx";
import { useSession } from "../../app/session.tsx";
import { CatalogueDocument, OwnStylesDocument } from "../../gql/graphql.ts";
import { gallery } from "../../locales/gallery.ts";

/** `group`: the title of its collection. */
type Named = { readonly id: string; readonly title: string; readonly group: string };

/** The account's styles and those of the catalogue. */
export function useStyles(): readonly Named[] {
  const t = useText(gallery);
  const { viewer } = useSession();
  const [{ data }] = useQuery({ query: CatalogueDocument });
  const [{ data: own }] = useQuery({ query: OwnStylesDocument, pause: !viewer });
  return [
    ...(own?.styles.edges ?? []).map(({ node: { id, title } }) => ({ id, title, group: t.ownStyle })),
    ...(data?.collections ?? []).flatMap(({ title: group, styles }) => styles.map(({ id, title }) => ({ id, title, group }))),
  ];
}
