// Variations of a picture: how many, and what they cost.
import { useState } from "react";
import { useQuery } from "urql";
import { useLocation } from "wouter";
import { useText } from "../../app/locale.tsx";
import { messageOf, problemTexts } from "../../app/problem.ts";
import { useSession } from "../../app/session.tsx";
import { Button, ButtonLink } from "../../components/button.tsx";
import { Dialog } from "../../components/dialog.tsx";
import { fieldStyle, Problem } from "../../components/field.tsx";
import { PictureModelsDocument, QuoteDocument, type QuoteInput } from "../../gql/graphql.ts";
import { compose } from "../../locales/compose.ts";
import { picture as texts } from "../../locales/picture.ts";
import { Count } from "../compose/one-of.tsx";
import { Price } from "../compose/price.tsx";
import type { Actions } from "./actions.ts";
import type { Shown } from "./state.ts";

type Props = { readonly picture: Shown; readonly actions: Actions; readonly onClose: () => void };

export default function VaryDialog({ picture, actions, onClose }: Props) {
  const t = useText(texts);
  const c = useText(compose);
  const problems = useText(problemTexts);
  const { viewer } = useSession();
  const [here] = useLocation();
  const [wanted, setWanted] = useState(1);
  const [{ data }] = useQuery({ query: PictureModelsDocument });
  const model = data?.models.find(({ id, media }) => id === picture.requestedModel && media === picture.media);
  const most = Math.min(viewer?.maxBatch ?? 1, model?.maxBatch ?? Infinity);
  const count = Math.min(wanted, most);
  const input: QuoteInput = {
    styleId: picture.style?.id ?? null,
    media: picture.media,
    quality: picture.quality,
    count,
    hasPhoto: true,
    ...(picture.aspectRatio && { aspectRatio: picture.aspectRatio }),
    ...(model && { model: model.id }), // as the order takes it
  };
  const isPriced = Boolean(data && picture.style); // without its style it cannot be ordered, which the server says
  const [{ data: quoted, fetching }] = useQuery({ query: QuoteDocument, variables: { input }, pause: !isPriced, requestPolicy: "cache-and-network" });
  const quote = isPriced && !fetching ? quoted?.quote : null;
  const refusals = quote?.errors ?? [];
  const isShort = refusals.some(({ code }) => code === "INSUFFICIENT_CREDITS");
  return (
    <Dialog isOpen title={t.varyTitle} onClose={onClose}>
      <p className={fieldStyle["hint"]}>{t.varyText}</p>
      {most > 1 && <Count label={c.count} most={most} value={count} onChange={setWanted} />}
      {refusals.map(({ message }) => (
        <Problem key={message}>{message}</Problem>
      ))}
      {actions.isWaiting && <p className={fieldStyle["hint"]} role="status">{c.waiting}</p>}
      {actions.problem !== null && <Problem>{messageOf(actions.problem, problems)}</Problem>}
      {isShort ? (
        <ButtonLink look="primary" size="large" full icon="coin" to={`/credits?from=${encodeURIComponent(here)}#packages`}>
          {c.getCredits}
        </ButtonLink>
      ) : (
        <Button
          autoFocus look="primary" size="large" full icon="variants" busy={actions.isBusy("vary")} isDisabled={refusals.length > 0 || (isPriced && !quote)}
          onPress={() => actions.repeat(true, count)}
        >
          <span>{count > 1 ? t.varyMany(count) : t.varyDo}</span>
          <Price quote={quote} />
        </Button>
      )}
    </Dialog>
  );
}
