// The bar at the top: where one is, what one has, and the ways in and out.
import { Suspense, useState } from "react";
import { useQuery } from "urql";
import { Link, useLocation, useRoute } from "wouter";
import icon from "../assets/icon.svg";
import { Button, IconButton } from "../components/button.tsx";
import { Icon } from "../components/icons.tsx";
import { Choices, Divider, Item, Menu } from "../components/menu.tsx";
import { site } from "../components/view-title.tsx";
import { useSignIn } from "../features/auth/sign-in.tsx";
import { DeploymentDocument } from "../gql/graphql.ts";
import { common } from "../locales/common.ts";
import style from "./app.module.css";
import { useDeveloperPages } from "./developers.ts";
import { lazily } from "./lazily.ts";
import { LOCALES, useLocale, useText } from "./locale.tsx";
import { useChooseLocale } from "./choose-locale.ts";
import { isAdmin, useSession, type Viewer } from "./session.tsx";
import { setTheme, useTheme } from "./theme.ts";

const GuestSignOutDialog = lazily(() => import("../features/auth/guest-sign-out.tsx"));

export function Header() {
  const t = useText(common);
  const { viewer } = useSession();
  const { open } = useSignIn();
  return (
    <header className={style["bar"]}>
      <a className={style["skip"]} href="#main">
        {t.skip}
      </a>
      <div className={style["inner"]}>
        <Link href="/" className={style["brand"]} aria-label={site}>
          <img src={icon} alt="" width="32" height="32" />
          <span>{site}</span>
        </Link>
        <nav className={style["nav"]} aria-label={t.main}>
          <NavLink to="/" also="/create/*?" icon="wand" label={t.create} />
          {viewer && <NavLink to="/gallery" also="/pictures/*" icon="album" label={t.gallery} />}
          {isAdmin(viewer) && (
            <span className={style["wide"]}>
              <NavLink to="/admin" also="/admin/*?" icon="shield" label={t.admin} />
            </span>
          )}
        </nav>
        <div className={style["tools"]}>
          {viewer && <Credits viewer={viewer} />}
          {viewer?.isGuest && (
            <span className={style["wide"]}>
              <Button look="primary" size="small" onPress={() => open("signUp")}>
                {t.keep}
              </Button>
            </span>
          )}
          {viewer === null && (
            <Button look="outline" size="small" onPress={() => open("signIn")}>
              {t.signIn}
            </Button>
          )}
          <Preferences />
        </div>
      </div>
    </header>
  );
}

type NavProps = { readonly to: string; readonly also: string; readonly icon: "wand" | "album" | "shield"; readonly label: string };

function NavLink({ to, also, icon: name, label }: NavProps) {
  const [isHere] = useRoute(to);
  const [isBelow] = useRoute(also);
  return (
    <Link href={to} aria-current={isHere || isBelow ? "page" : undefined}>
      <Icon name={name} />
      {label}
    </Link>
  );
}

/** What there is to pay with, live; where the product sells no credits, the pass alone. */
function Credits({ viewer }: { readonly viewer: Viewer }) {
  const t = useText(common);
  const [{ data }] = useQuery({ query: DeploymentDocument });
  const [isHere] = useRoute("/credits/*?");
  const images = viewer.pass?.images;
  const sellsCredits = data?.deployment.sellsCredits ?? true;
  const said = [...(sellsCredits ? [t.credits(viewer.credits)] : []), ...(images ? [t.pass(images.remaining)] : sellsCredits ? [] : [t.noPass])];
  return (
    <Link href="/credits" className={style["credits"]} aria-current={isHere ? "page" : undefined}>
      <output aria-label={said.join(", ")} data-credits={viewer.credits}>
        {sellsCredits && (
          <span>
            <Icon name="coin" />
            {viewer.credits}
          </span>
        )}
        {images && (
          <span className={sellsCredits ? style["wide"] : ""}>
            <Icon name="image" />
            {images.remaining}
          </span>
        )}
        {!sellsCredits && !images && t.noPass}
      </output>
    </Link>
  );
}

/** The account's menu; signed out, language and theme alone. */
function Preferences() {
  const t = useText(common);
  const theme = useTheme();
  const pages = useDeveloperPages();
  const { locale } = useLocale();
  const choose = useChooseLocale();
  const { viewer, signOut } = useSession();
  const { open } = useSignIn();
  const [, navigate] = useLocation();
  const [isAsking, setAsking] = useState(false);
  const leave = () => signOut().then((isDone) => void (isDone && navigate("/")));
  return (
    <>
      <Menu label={t.account} trigger={<IconButton icon={viewer ? "person" : "menu"} label={viewer?.name ?? viewer?.email ?? t.account} />}>
        {viewer?.isGuest && (
          <Item icon="heart" onAction={() => open("signUp")}>
            {t.keep}
          </Item>
        )}
        {viewer ? (
          <Item icon="person" href="/account">
            {t.account}
          </Item>
        ) : null}
        {isAdmin(viewer) && (
          <Item icon="shield" href="/admin">
            {t.admin}
          </Item>
        )}
        <Item icon={theme === "dark" ? "sun" : "moon"} onAction={() => setTheme(theme === "dark" ? "light" : "dark")}>
          {theme === "dark" ? t.light : t.dark}
        </Item>
        <Choices label={t.language} icon="language" choices={LOCALES} value={locale} onChange={choose} />
        {pages.map(({ href, icon: name, label }) => (
          <Item key={href} icon={name} href={href} target="_blank">
            {label}
          </Item>
        ))}
        {viewer ? <Divider /> : null}
        {viewer ? (
          <Item icon="arrowRight" onAction={() => (viewer.isGuest ? setAsking(true) : void leave())}>
            {t.signOut}
          </Item>
        ) : null}
      </Menu>
      <Suspense>
        {isAsking && viewer?.isGuest && (
          <GuestSignOutDialog credits={viewer.credits} onSignOut={leave} onClose={() => setAsking(false)} />
        )}
      </Suspense>
    </>
  );
}
