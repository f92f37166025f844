// Who can sign in to the account at identity providers.
import { useState } from "react";
import { accepted } from "@darkroom/client/errors.ts";
import { useText } from "../../app/locale.tsx";
import { Button } from "../../components/button.tsx";
import { Problem } from "../../components/field.tsx";
import { toast } from "../../components/toast.tsx";
import { UnlinkIdentityDocument, type AccountSecurityQuery } from "../../gql/graphql.ts";
import { account } from "../../locales/account.ts";
import { ProviderButtons } from "../auth/provider-buttons.tsx";
import { hostOf, useProviders } from "../auth/provider.ts";
import { useAction, useMutate } from "./action.ts";
import { Question, Row, Rows, Section, useWhen } from "./section.tsx";
import style from "./account.module.css";

type Identities = NonNullable<NonNullable<AccountSecurityQuery["viewer"]>["identities"]>;
type Props = { readonly identities: Identities; readonly onChange: () => void };

export function IdentitiesSection({ identities, onChange }: Props) {
  const t = useText(account);
  const when = useWhen();
  const mutate = useMutate();
  const action = useAction();
  const providers = useProviders();
  const [asked, setAsked] = useState<string | null>(null);
  const nameOf = (issuer: string) => providers.find((one) => one.issuer === issuer)?.name ?? hostOf(issuer);
  const unlink = () =>
    void action
      .run(async () => accepted((await mutate(UnlinkIdentityDocument, { id: asked ?? "" })).unlinkIdentity))
      .then((done) => {
        if (!done) return;
        setAsked(null);
        toast(t.unlinked);
        onChange();
      });
  const problem = action.besides();
  if (identities.length === 0 && providers.length === 0) return null;
  return (
    <Section title={t.identities} text={t.identitiesText}>
      {identities.length > 0 && (
        <Rows label={t.identities}>
          {identities.map((one) => (
            <Row
              key={one.id}
              title={nameOf(one.issuer)}
              facts={[
                one.email ?? one.name ?? (one.subjectHint && `…${one.subjectHint}`),
                t.linkedAt(when(one.linkedAt, false)),
                one.lastUsedAt && t.lastUsed(when(one.lastUsedAt)),
              ]}
            >
              <Button size="small" onPress={() => (action.clear(), setAsked(one.id))}>
                {t.unlink}
              </Button>
            </Row>
          ))}
        </Rows>
      )}
      <div className={style["form"]}>
        <ProviderButtons purpose="link" />
      </div>
      {problem && asked === null && <Problem>{problem}</Problem>}
      {asked !== null && (
        <Question
          title={t.unlink}
          text={t.unlinkText}
          act={t.unlink}
          isBusy={action.isBusy}
          problem={problem}
          onAct={unlink}
          onClose={() => setAsked(null)}
        />
      )}
    </Section>
  );
}
