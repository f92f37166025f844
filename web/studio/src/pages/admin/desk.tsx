// The admin desk: its sections, each loaded when it is first shown. What an admin may do is decided by the API alone.
import { Suspense, useEffect, useRef, type ReactNode } from "react";
import { Link, Route, Switch, useRoute } from "wouter";
import { lazily } from "../../app/lazily.ts";
import { useText } from "../../app/locale.tsx";
import { useSession } from "../../app/session.tsx";
import { Button } from "../../components/button.tsx";
import { Empty, Loading } from "../../components/card.tsx";
import { Icon, type IconName } from "../../components/icons.tsx";
import style from "../../features/admin/admin.module.css";
import { DeskProvider } from "../../features/admin/desk.tsx";
import { Rows } from "../../features/admin/list.tsx";
import { useSignIn } from "../../features/auth/sign-in.tsx";
import { admin } from "../../locales/admin.ts";
import { common } from "../../locales/common.ts";

const OverviewPage = lazily(() => import("./overview.tsx"));
const PeoplePage = lazily(() => import("./people.tsx"));
const PersonPage = lazily(() => import("./person.tsx"));
const PicturesPage = lazily(() => import("./pictures.tsx"));
const DeskPicturePage = lazily(() => import("./picture.tsx"));
const PaymentsPage = lazily(() => import("./payments.tsx"));
const ActivityPage = lazily(() => import("./activity.tsx"));
const FiguresPage = lazily(() => import("./figures.tsx"));
const DeskCataloguePage = lazily(() => import("./catalogue.tsx"));
const MaintenancePage = lazily(() => import("./maintenance.tsx"));
const AuditPage = lazily(() => import("./audit.tsx"));
const NotFoundPage = lazily(() => import("../not-found.tsx"));

const SECTIONS = [
  { id: "overview", to: "/admin", below: "/admin", icon: "home" },
  { id: "people", to: "/admin/people", below: "/admin/people/*?", icon: "person" },
  { id: "pictures", to: "/admin/pictures", below: "/admin/pictures/*?", icon: "image" },
  { id: "payments", to: "/admin/payments", below: "/admin/payments", icon: "coin" },
  { id: "activity", to: "/admin/activity", below: "/admin/activity", icon: "pulse" },
  { id: "figures", to: "/admin/figures", below: "/admin/figures", icon: "chart" },
  { id: "catalogue", to: "/admin/catalogue", below: "/admin/catalogue", icon: "variants" },
  { id: "maintenance", to: "/admin/maintenance", below: "/admin/maintenance", icon: "wrench" },
  { id: "audit", to: "/admin/audit", below: "/admin/audit", icon: "list" },
] as const satisfies readonly { id: string; to: string; below: string; icon: IconName }[];

export default function DeskPage() {
  const t = useText(admin);
  const c = useText(common);
  const { viewer } = useSession();
  const { open } = useSignIn();
  if (viewer === undefined) {
    return (
      <Loading>
        <Rows />
      </Loading>
    );
  }
  if (viewer === null || viewer.role === "USER") {
    return (
      <Empty icon="shield" title={t.forAdmins} text={t.forAdminsText}>
        {viewer === null && (
          <Button look="primary" onPress={() => open("signIn")}>
            {c.signIn}
          </Button>
        )}
      </Empty>
    );
  }
  return (
    <DeskProvider key={viewer.id}>
      <div className={style["desk"]}>
        <nav className={style["nav"]} aria-label={t.title}>
          <ul>
            {SECTIONS.map(({ id, ...section }) => (
              <li key={id}>
                <SectionLink {...section}>{t.sections[id]}</SectionLink>
              </li>
            ))}
          </ul>
        </nav>
        <div className={style["view"]}>
          <Suspense fallback={<Loading><Rows /></Loading>}>
            <Sections />
          </Suspense>
        </div>
      </div>
    </DeskProvider>
  );
}

function Sections() {
  return (
    <Switch>
      <Route path="/admin" component={OverviewPage} />
      <Route path="/admin/people" component={PeoplePage} />
      <Route path="/admin/people/:id" component={PersonPage} />
      <Route path="/admin/pictures" component={PicturesPage} />
      <Route path="/admin/pictures/:id" component={DeskPicturePage} />
      <Route path="/admin/payments" component={PaymentsPage} />
      <Route path="/admin/activity" component={ActivityPage} />
      <Route path="/admin/figures" component={FiguresPage} />
      <Route path="/admin/catalogue" component={DeskCataloguePage} />
      <Route path="/admin/maintenance" component={MaintenancePage} />
      <Route path="/admin/audit" component={AuditPage} />
      <Route component={NotFoundPage} />
    </Switch>
  );
}

type LinkProps = { readonly to: string; readonly below: string; readonly icon: IconName; readonly children: ReactNode };

function SectionLink({ to, below, icon, children }: LinkProps) {
  const [isHere] = useRoute(below);
  const link = useRef<HTMLAnchorElement>(null);
  // Where they are one line that scrolls sideways, the present one is in sight.
  useEffect(() => {
    const list = link.current?.closest("ul");
    if (isHere && list && link.current) list.scrollLeft = link.current.offsetLeft - (list.clientWidth - link.current.offsetWidth) / 2;
  }, [isHere]);
  return (
    <Link ref={link} href={to} aria-current={isHere ? "page" : undefined}>
      <Icon name={icon} />
      {children}
    </Link>
  );
}
