// The facts about a picture.
import { useQuery } from "urql";
import { Link } from "wouter";
import { useLocale, useText } from "../../app/locale.tsx";
import { VariablesOfDocument } from "../../gql/graphql.ts";
import { albums } from "../../locales/albums.ts";
import { compose } from "../../locales/compose.ts";
import { picture as texts } from "../../locales/picture.ts";
import { addressOf, shownValue } from "../styles/address.ts";
import type { Shown } from "./state.ts";
import style from "./view.module.css";

export function Details({ picture }: { readonly picture: Shown }) {
  const t = useText(texts);
  const c = useText(compose);
  const a = useText(albums);
  const { locale } = useLocale();
  const { style: made, result } = picture;
  const when = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" }).format(new Date(picture.createdAt));
  const variables = useVariables(picture);
  const rows: [string, React.ReactNode][] = [
    [
      t.style,
      made ? (
        <Link href={addressOf(made, made.collection)}>{made.title}</Link>
      ) : (
        picture.styleTitle
      ),
    ],
    [t.words, [picture.prompt, variables].filter(Boolean).join(" · ")],
    [t.enriched, picture.enhancedPrompt],
    [t.quality, c.qualities[picture.quality]],
    [t.size, result?.width && result.height ? `${result.width} × ${result.height}` : picture.aspectRatio],
    [t.cost, picture.paidBy === "CREDITS" ? c.cost(picture.cost) : picture.paidBy === "PASS" ? c.byPass : c.byPlan],
    [t.model, picture.model],
    [t.made, when],
    [
      a.tags,
      picture.tags.length > 0 &&
        picture.tags.map(({ id, name }, place) => (
          <span key={id}>
            {place > 0 && ", "}
            <Link href={`/gallery?tag=${id}`}>{name}</Link>
          </span>
        )),
    ],
  ];
  return (
    <section className={style["details"]}>
      <h2>{t.details}</h2>
      <dl>
        {rows.map(([name, value]) =>
          value ? (
            <div key={name} style={{ display: "contents" }}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ) : null,
        )}
      </dl>
      {picture.sizeRefund > 0 && <p className={style["quiet"]}>{t.sizeRefund(picture.sizeRefund)}</p>}
    </section>
  );
}

/** The values of the picture's variables, in the words of its style where it still has one. */
function useVariables({ id, style, variables }: Shown): string {
  const values = Object.entries(variables).map(([name, value]) => [name, String(value)] as const).filter(([, value]) => value);
  const isNamed = Boolean(style) && values.length > 0;
  const [{ data, fetching }] = useQuery({ query: VariablesOfDocument, variables: { id }, pause: !isNamed });
  if (isNamed && fetching && !data) return ""; // not in another language first
  const known = data?.viewer?.generation?.style?.variables ?? [];
  const wordOf = (name: string, value: string) => {
    const variable = known.find((one) => one.name === name);
    return (variable && shownValue(variable, value)) ?? value;
  };
  return values.map(([name, value]) => wordOf(name, value)).join(", ");
}
