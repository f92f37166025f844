// Whether a mail is sent when a picture is ready and no page of the account is open.
import { useQuery } from "urql";
import { accepted } from "@darkroom/client/errors.ts";
import { useText } from "../../app/locale.tsx";
import type { Viewer } from "../../app/session.tsx";
import { Problem } from "../../components/field.tsx";
import { Switch } from "../../components/switch.tsx";
import { DeploymentDocument, SaveProfileDocument } from "../../gql/graphql.ts";
import { account } from "../../locales/account.ts";
import { useAction, useMutate } from "./action.ts";
import { Section } from "./section.tsx";

export function NotificationsSection({ viewer }: { readonly viewer: Viewer }) {
  const t = useText(account);
  const mutate = useMutate();
  const action = useAction();
  const [{ data }] = useQuery({ query: DeploymentDocument });
  const save = (notifyByMail: boolean) =>
    void action.run(async () => accepted((await mutate(SaveProfileDocument, { input: { notifyByMail } })).updateProfile));
  const problem = action.besides();
  if (!data?.deployment.signIn.methods.includes("LINK")) return null; // no mail is sent here
  return (
    <Section title={t.notifications} text={t.notifyText}>
      {problem && <Problem>{problem}</Problem>}
      <Switch isOn={viewer.notifyByMail} onChange={save}>
        {t.notifyByMail}
      </Switch>
    </Section>
  );
}
