// Variations of a picture: how many, and what they cost.
import { useState } from "react";
import { useText } from "../../app/locale.tsx";
import { messageOf, problemTexts } from "../../app/problem.ts";
import { Button, ButtonLink } from "../../components/button.tsx";
import { Dialog } from "../../components/dialog.tsx";
import { fieldStyle, Problem } from "../../components/field.tsx";
import { compose } from "../../locales/compose.ts";
import { picture as texts } from "../../locales/picture.ts";
import { Count } from "../compose/one-of.tsx";
import { Price } from "../compose/price.tsx";
import { useWay } from "../compose/way.ts";
import type { Actions } from "./actions.ts";
import { useOrderQuote } from "./quote.ts";
import type { Shown } from "./state.ts";

type Props = { readonly picture: Shown; readonly actions: Actions; readonly onClose: () => void };

export default function VaryDialog({ picture, actions, onClose }: Props) {
  const t = useText(texts);
  const c = useText(compose);
  const problems = useText(problemTexts);
  const [wanted, setWanted] = useState(1);
  const { quote: found, isReading, refusals, isRefused, most } = useOrderQuote(picture, wanted, true);
  const count = Math.min(wanted, most);
  const quote = isReading ? null : found;
  const way = useWay(refusals);
  return (
    <Dialog isOpen title={t.varyTitle} onClose={onClose}>
      <p className={fieldStyle["hint"]}>{t.varyText}</p>
      {most > 1 && <Count label={c.count} most={most} value={count} onChange={setWanted} />}
      {refusals.map(({ message }) => (
        <Problem key={message}>{message}</Problem>
      ))}
      {actions.isWaiting && <p className={fieldStyle["hint"]} role="status">{c.waiting}</p>}
      {actions.problem !== null && <Problem>{messageOf(actions.problem, problems)}</Problem>}
      {way ? (
        <ButtonLink look="primary" size="large" full icon="coin" to={way.to}>
          {way.label}
        </ButtonLink>
      ) : (
        <Button
          autoFocus look="primary" size="large" full icon="variants" busy={actions.isBusy("vary")} isDisabled={isRefused || isReading}
          onPress={() => actions.repeat(true, count)}
        >
          <span>{count > 1 ? t.varyMany(count) : t.varyDo}</span>
          <Price quote={quote} />
        </Button>
      )}
    </Dialog>
  );
}
