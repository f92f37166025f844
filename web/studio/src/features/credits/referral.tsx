// Inviting others: the link, its rules, and what has come of it.
import { useId, useRef } from "react";
import { useText } from "../../app/locale.tsx";
import { Button } from "../../components/button.tsx";
import { Badge } from "../../components/card.tsx";
import { copy } from "../../components/clipboard.ts";
import { TextField } from "../../components/field.tsx";
import { toast } from "../../components/toast.tsx";
import type { OffersQuery, WalletQuery } from "../../gql/graphql.ts";
import { credits } from "../../locales/credits.ts";
import { PARAMETER } from "../auth/referral.ts";
import style from "./referral.module.css";

type Props = {
  readonly rules: NonNullable<OffersQuery["deployment"]["referrals"]>;
  readonly wallet: NonNullable<WalletQuery["viewer"]>;
};

export function Referral({ rules, wallet }: Props) {
  const t = useText(credits);
  const id = useId();
  const place = useRef<HTMLDivElement>(null);
  const link = `${location.origin}/?${PARAMETER}=${wallet.referralCode}`;
  const { signedUp, rewarded } = wallet.referrals;
  return (
    <section aria-labelledby={id} className={style["card"]}>
      <h2 id={id}>{t.referral}</h2>
      <p className={style["text"]}>
        {t.referralText(rules.bonus)} {t.referralCap(rules.cap)} {rules.expireDays !== null && t.bonusExpires(rules.expireDays)}
      </p>
      <div ref={place} className={style["link"]}>
        <TextField label={t.referralLink} value={link} isReadOnly onFocus={(event) => (event.target as HTMLInputElement).select()} />
        <Button icon="copy" onPress={() => void copy(link, place.current?.querySelector("input") ?? null).then(() => toast(t.copied))}>
          {t.copy}
        </Button>
      </div>
      {signedUp + rewarded > 0 && (
        <p className={style["state"]}>
          <Badge icon="person">{t.signedUp(signedUp)}</Badge>
          {rewarded > 0 && <Badge icon="check">{t.rewarded(rewarded)}</Badge>}
        </p>
      )}
    </section>
  );
}
