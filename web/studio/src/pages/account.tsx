// The views of the account.
import { useEffect, useRef } from "react";
import { useQuery } from "urql";
import { Link, useParams } from "wouter";
import { useText } from "../app/locale.tsx";
import { messageOf, problemTexts } from "../app/problem.ts";
import { useSession, type Viewer } from "../app/session.tsx";
import { Button } from "../components/button.tsx";
import { Empty, Loading, Skeleton } from "../components/card.tsx";
import { Problem } from "../components/field.tsx";
import { Icon, type IconName } from "../components/icons.tsx";
import { WindowTitle } from "../components/view-title.tsx";
import { ApiKeysSection } from "../features/account/api-keys.tsx";
import { DeletionSection, ExportSection } from "../features/account/data.tsx";
import { EmailSection } from "../features/account/email.tsx";
import { NotificationsSection } from "../features/account/notifications.tsx";
import { IdentitiesSection } from "../features/account/identities.tsx";
import { PasswordSection } from "../features/account/password.tsx";
import { KeepSection, LanguageSection, ProfileSection } from "../features/account/profile.tsx";
import { SecondFactorSection } from "../features/account/second-factor.tsx";
import { SessionsSection } from "../features/account/sessions.tsx";
import { WebhooksSection } from "../features/account/webhooks.tsx";
import style from "../features/account/account.module.css";
import { useSignIn } from "../features/auth/sign-in.tsx";
import { AccountSecurityDocument } from "../gql/graphql.ts";
import { account } from "../locales/account.ts";
import { common } from "../locales/common.ts";
import NotFoundPage from "./not-found.tsx";

type View = "" | "security" | "developers" | "data";
const ICONS: Record<View, IconName> = { "": "person", security: "shield", developers: "code", data: "download" };

export default function AccountPage() {
  const t = useText(account);
  const c = useText(common);
  const { viewer } = useSession();
  const { open } = useSignIn();
  const { section = "" } = useParams<{ section?: string }>();
  if (!(section in ICONS)) return <NotFoundPage />;
  if (viewer === undefined) {
    return (
      <Loading>
        <Skeleton className={style["skeleton"] ?? ""} />
      </Loading>
    );
  }
  if (viewer === null) {
    return (
      <Empty icon="person" title={t.signIn} text={t.signInText}>
        <Button look="primary" onPress={() => open("signIn")}>
          {c.signIn}
        </Button>
      </Empty>
    );
  }
  return <Account key={viewer.id} view={section as View} viewer={viewer} />;
}

function Account({ view, viewer }: { readonly view: View; readonly viewer: Viewer }) {
  const t = useText(account);
  const names: Record<View, string> = {
    "": t.profileView,
    security: t.security,
    developers: t.developers,
    data: t.dataView,
  };
  const nav = useRef<HTMLElement>(null);
  useEffect(() => {
    // On a phone the names of the views are wider than the window.
    nav.current?.querySelector("[aria-current=page]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }, [view]);
  // A guest has only its session: no address, no password, no keys.
  const views: readonly View[] = viewer.isGuest ? ["", "data"] : ["", "security", "developers", "data"];
  return (
    <div className={style["page"]}>
      <WindowTitle>{names[view]}</WindowTitle>
      <h1>{t.title}</h1>
      <nav ref={nav} className={style["nav"]} aria-label={t.title}>
        {views.map((one) => (
          <Link key={one} href={one ? `/account/${one}` : "/account"} aria-current={one === view ? "page" : undefined}>
            <Icon name={ICONS[one]} />
            {names[one]}
          </Link>
        ))}
      </nav>
      <div className={style["sections"]}>
        {viewer.isGuest && <KeepSection />}
        {view === "" && <ProfileSection viewer={viewer} />}
        {view === "" && !viewer.isGuest && <EmailSection viewer={viewer} />}
        {view === "" && viewer.emailVerified && <NotificationsSection viewer={viewer} />}
        {view === "" && <LanguageSection />}
        {view === "security" && !viewer.isGuest && <Security viewer={viewer} />}
        {view === "developers" && !viewer.isGuest && (
          <>
            <ApiKeysSection />
            <WebhooksSection />
          </>
        )}
        {view === "data" && !viewer.isGuest && <ExportSection />}
        {view === "data" && <DeletionSection viewer={viewer} />}
      </div>
    </div>
  );
}

function Security({ viewer }: { readonly viewer: Viewer }) {
  const problems = useText(problemTexts);
  const [{ data, error }, read] = useQuery({ query: AccountSecurityDocument, requestPolicy: "cache-and-network" });
  const reread = () => read({ requestPolicy: "network-only" });
  const found = data?.viewer;
  if (!found) return error ? <Problem>{messageOf(error, problems)}</Problem> : <Skeleton className={style["skeleton"] ?? ""} />;
  const isAdmin = viewer.role !== "USER" || found.secondFactor !== null;
  return (
    <>
      {isAdmin && <SecondFactorSection factor={found.secondFactor} onChange={reread} />}
      <PasswordSection viewer={viewer} onChange={reread} />
      <SessionsSection sessions={found.sessions ?? []} onChange={reread} />
      <IdentitiesSection identities={found.identities ?? []} onChange={reread} />
    </>
  );
}
