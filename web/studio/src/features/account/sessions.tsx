// The open sessions of the account: what each is, and the end of others.
import { useState } from "react";
import { accepted } from "@darkroom/client/errors.ts";
import { useText } from "../../app/locale.tsx";
import { Button } from "../../components/button.tsx";
import { Badge } from "../../components/card.tsx";
import { Problem } from "../../components/field.tsx";
import { toast } from "../../components/toast.tsx";
import { RevokeOtherSessionsDocument, RevokeSessionDocument, type AccountSecurityQuery } from "../../gql/graphql.ts";
import { account } from "../../locales/account.ts";
import { useAction, useMutate } from "./action.ts";
import { Question, Row, Rows, Section, useWhen } from "./section.tsx";
import style from "./account.module.css";

type Sessions = NonNullable<NonNullable<AccountSecurityQuery["viewer"]>["sessions"]>;
type Props = { readonly sessions: Sessions; readonly onChange: () => void };

export function SessionsSection({ sessions, onChange }: Props) {
  const t = useText(account);
  const when = useWhen();
  const mutate = useMutate();
  const action = useAction();
  const [ending, setEnding] = useState<string | null>(null);
  const [isAsking, setAsking] = useState(false);
  const end = (id: string) => {
    setEnding(id);
    void action
      .run(async () => accepted((await mutate(RevokeSessionDocument, { id })).revokeSession))
      .then((done) => {
        if (done) toast(t.sessionEnded);
        onChange();
      });
  };
  const endOthers = () =>
    void action
      .run(async () => accepted((await mutate(RevokeOtherSessionsDocument, {})).revokeOtherSessions))
      .then((done) => {
        if (!done) return;
        setAsking(false);
        toast(t.othersEnded);
        onChange();
      });
  const problem = action.besides();
  return (
    <Section title={t.sessions} text={t.sessionsText}>
      {problem && !isAsking && <Problem>{problem}</Problem>}
      <Rows label={t.sessions}>
        {sessions.map((one) => (
          <Row
            key={one.id}
            title={one.device ?? t.unknownDevice}
            marks={one.isCurrent && <Badge icon="check">{t.thisDevice}</Badge>}
            facts={[one.place, t.since(when(one.createdAt)), !one.isCurrent && t.lastSeen(when(one.lastSeenAt))]}
          >
            {!one.isCurrent && (
              <Button size="small" busy={action.isBusy && ending === one.id} onPress={() => end(one.id)}>
                {t.endSession}
              </Button>
            )}
          </Row>
        ))}
      </Rows>
      {sessions.length > 1 && (
        <div className={style["acts"]}>
          <Button look="danger" onPress={() => (action.clear(), setEnding(null), setAsking(true))}>
            {t.endOthers}
          </Button>
        </div>
      )}
      {isAsking && (
        <Question
          title={t.endOthers}
          text={t.endOthersText}
          act={t.endOthersDo}
          isBusy={action.isBusy}
          problem={problem}
          onAct={endOthers}
          onClose={() => setAsking(false)}
        />
      )}
    </Section>
  );
}
