// The pictures that this one was made from, and those that were made from it, in order; and what else was made from it.
import { useEffect, useRef, useState } from "react";
import { useQuery } from "urql";
import { Link } from "wouter";
import { useText } from "../../app/locale.tsx";
import { Picture } from "../../components/card.tsx";
import { PictureStepsDocument, type StepPartsFragment } from "../../gql/graphql.ts";
import { picture as texts } from "../../locales/picture.ts";
import { useHidden } from "./deletion.ts";
import type { Shown } from "./state.ts";
import style from "./view.module.css";

type Step = StepPartsFragment;

export function Steps({ picture: { id } }: { readonly picture: Shown }) {
  const t = useText(texts);
  const { chain, others } = useSteps(id);
  return (
    <>
      {chain.length > 1 && (
        <section className={style["steps"]}>
          <h2>{t.steps}</h2>
          <Strip steps={chain} current={id} labelOf={t.step} />
        </section>
      )}
      {others.length > 0 && (
        <section className={style["steps"]}>
          <h2>{t.others}</h2>
          <Strip steps={others} current={id} labelOf={t.other} />
        </section>
      )}
    </>
  );
}

type Relatives = { readonly chain: readonly Step[]; readonly others: readonly Step[] };

/** The whole chain, page after page, and the newest of what was made from the picture beside it. */
function useSteps(id: string): Relatives {
  const hidden = useHidden();
  const [after, setAfter] = useState<string | null>(null);
  const variables = { id, ...(after && { after }) };
  const [{ data, fetching, error }] = useQuery({ query: PictureStepsDocument, variables, requestPolicy: "cache-and-network" });
  const found = data?.viewer?.generation;
  const { hasNextPage = false, endCursor = null } = found?.chain.pageInfo ?? {};
  useEffect(() => {
    if (hasNextPage && endCursor && !fetching && !error) setAfter(endCursor);
  }, [hasNextPage, endCursor, fetching, error]);
  const shown = (edges: readonly { readonly node: Step }[] = []) => edges.map(({ node }) => node).filter((one) => !hidden.has(one.id));
  const chain = shown(found?.chain.edges);
  const known = new Set(chain.map((one) => one.id));
  return { chain, others: shown(found?.children.edges).filter((one) => !known.has(one.id)).reverse() };
}

type StripProps = { readonly steps: readonly Step[]; readonly current: string; readonly labelOf: (number: number) => string };

function Strip({ steps, current, labelOf }: StripProps) {
  const list = useRef<HTMLOListElement>(null);
  const place = steps.findIndex(({ id }) => id === current);
  useEffect(() => {
    const strip = list.current;
    const shown = strip?.children[place];
    if (strip && shown instanceof HTMLElement) strip.scrollLeft = shown.offsetLeft - (strip.clientWidth - shown.clientWidth) / 2; // the page stays
  }, [place]);
  return (
    <ol className={style["strip"]} ref={list}>
      {steps.map((one, index) => (
        <li key={one.id}>
          <Link href={`/pictures/${one.id}`} aria-current={one.id === current ? "true" : undefined} title={one.prompt ?? ""}>
            <Picture
              className={style["thumb"] ?? ""} src={one.result?.thumbnailUrl ?? one.previewUrl}
              placeholder={one.result?.placeholder ?? null} alt={one.prompt ?? ""}
            />
            {labelOf(index + 1)}
          </Link>
        </li>
      ))}
    </ol>
  );
}
