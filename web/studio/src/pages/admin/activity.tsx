// Everything that happens in the deployment, live.
import { useState } from "react";
import { Link } from "wouter";
import { useText } from "../../app/locale.tsx";
import { Button } from "../../components/button.tsx";
import { Badge, Chips, Empty } from "../../components/card.tsx";
import { useActivity, type Activity } from "../../features/admin/activity.ts";
import style from "../../features/admin/admin.module.css";
import { useFormat } from "../../features/admin/format.ts";
import { Failed } from "../../features/admin/list.tsx";
import { Head } from "../../features/admin/parts.tsx";
import { nameOf } from "../../features/admin/person-acts.tsx";
import type { AdminActivityKind } from "../../gql/admin.ts";
import { admin } from "../../locales/admin.ts";

const KINDS: readonly AdminActivityKind[] = [
  "SIGN_UP", "GENERATION_CREATED", "GENERATION_FINISHED", "TRANSACTION", "PAYMENT", "ADMIN_ACT", "ALERT",
];

export default function ActivityPage() {
  const { activity: t } = useText(admin);
  const feed = useActivity();
  const [kind, setKind] = useState<AdminActivityKind | "">("");
  const shown = feed.items.filter((one) => !kind || one.kind === kind);
  return (
    <>
      <Head title={t.title} lead={t.lead}>
        <span className={style["live"]} data-on={(feed.isConnected && !feed.isPaused) || undefined} role="status">
          {feed.isPaused ? t.paused : feed.isConnected ? t.on : t.off}
        </span>
        <Button size="small" icon={feed.isPaused ? "arrowRight" : "stop"} onPress={() => feed.setPaused(!feed.isPaused)}>
          {feed.isPaused ? t.resume(feed.waiting) : t.pause}
        </Button>
      </Head>
      <div className={style["tools"]}>
        <div className={style["chips"]}>
          <Chips
            label={t.show} value={kind} onChange={setKind} scrolls
            choices={[{ id: "" as const, label: t.all }, ...KINDS.map((id) => ({ id, label: t.kinds[id] }))]}
          />
        </div>
      </div>
      {feed.error ? (
        <Failed error={feed.error} onRetry={feed.again} />
      ) : shown.length ? (
        <ol className={style["feed"]} aria-label={t.title}>
          {shown.map((one) => (
            <Row key={one.id} activity={one} />
          ))}
        </ol>
      ) : (
        <Empty isPart icon="pulse" title={t.waiting} text={t.waitingText} />
      )}
    </>
  );
}

function Row({ activity: { at, kind, message, user, generation } }: { readonly activity: Activity }) {
  const { activity: t } = useText(admin);
  const format = useFormat();
  return (
    <li data-kind={kind}>
      <time dateTime={at}>{format.clock(at)}</time>
      <Badge>{t.kinds[kind]}</Badge>
      <div>
        {message}
        <span className={style["links"]}>
          {user && <Link href={`/admin/people/${user.id}`}>{nameOf(user)}</Link>}
          {generation && <Link href={`/admin/pictures/${generation.id}`}>{t.picture}</Link>}
        </span>
      </div>
    </li>
  );
}
