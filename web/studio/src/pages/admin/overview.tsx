// The first view of the admin desk: the last day, what waits for a decision, and what admins did.
import { useState } from "react";
import { Link } from "wouter";
import { useText } from "../../app/locale.tsx";
import { Icon } from "../../components/icons.tsx";
import style from "../../features/admin/admin.module.css";
import { Columns } from "../../features/admin/chart.tsx";
import { EntryTable } from "../../features/admin/entries.tsx";
import { startOf, Tiles, useOutcomes } from "../../features/admin/figures.tsx";
import { useFormat } from "../../features/admin/format.ts";
import { Failed, Rows } from "../../features/admin/list.tsx";
import { Head } from "../../features/admin/parts.tsx";
import { useRead } from "../../features/admin/read.ts";
import { OverviewDocument, type OverviewQuery } from "../../gql/admin.ts";
import { admin } from "../../locales/admin.ts";
import { adminAudit } from "../../locales/admin-audit.ts";

type Data = NonNullable<OverviewQuery["admin"]>;

export default function OverviewPage() {
  const t = useText(admin);
  const [from] = useState(() => startOf(Date.now(), 1, "HOUR"));
  const { data, error, reread } = useRead(OverviewDocument, { from });
  const found = data?.admin;
  return (
    <>
      <Head title={t.overview.title} />
      {found ? <Content data={found} /> : error ? <Failed error={error} onRetry={reread} /> : <Rows />}
    </>
  );
}

function Content({ data }: { readonly data: Data }) {
  const t = useText(admin);
  const { overview, figures } = t;
  const format = useFormat();
  const audit = useText(adminAudit);
  const outcomesOf = useOutcomes();
  const { metrics, auditLog } = data;
  const charged = metrics.series.reduce((sum, { credits }) => sum + credits, 0);
  return (
    <div className={style["stack"]}>
      <Notes data={data} />
      <Tiles
        label={overview.title}
        tiles={[
          { name: figures.generations, value: format.number(metrics.generations), note: outcomesOf(metrics) },
          { name: figures.successRate, value: format.percent(metrics.successRate), note: figures.ofEnded(metrics.completed + metrics.failed) },
          { name: figures.median, value: format.seconds(metrics.p50Seconds), note: figures.ofReady },
          { name: figures.people, value: format.number(metrics.activeUsers), note: figures.whoOrdered },
          { name: figures.credits, value: format.number(charged), note: figures.withoutRefunds },
          { name: figures.cost, value: format.dollars(metrics.providerCost), note: figures.forThese },
          { name: figures.queue, value: format.number(metrics.queueDepth), note: figures.whenever },
        ]}
      />
      <Columns
        title={overview.chart} pointTitle={t.hour} format={format.number}
        series={[{ id: "good", title: figures.completed }, { id: "bad", title: figures.failed }, { id: "muted", title: figures.canceled }]}
        points={metrics.series.map(({ start, completed, failed, canceled }) => ({
          at: start, label: format.clock(start).slice(0, 5), values: [completed, failed, canceled],
        }))}
      />
      <section className={style["section"]}>
        <div className={style["sectionHead"]}>
          <h2>{overview.recent}</h2>
          <Link href="/admin/audit">{overview.all}</Link>
        </div>
        {auditLog.nodes.length ? <EntryTable entries={auditLog.nodes} /> : <p className={style["quiet"]}>{audit.none}</p>}
      </section>
    </div>
  );
}

function Notes({ data: { maintenance, paymentReviews } }: { readonly data: Data }) {
  const { overview } = useText(admin);
  const { readOnly, providersOff, dailySpendCap, spentToday } = maintenance;
  const notes = [
    paymentReviews.totalCount > 0 && { text: overview.payments(paymentReviews.totalCount), to: "/admin/payments" },
    readOnly && { text: overview.readOnly, to: "/admin/maintenance" },
    providersOff.length > 0 && { text: overview.providersOff(providersOff.join(", ")), to: "/admin/maintenance" },
    dailySpendCap != null && spentToday >= dailySpendCap && { text: overview.spent, to: "/admin/maintenance" },
  ].filter((note) => note !== false);
  if (!notes.length) {
    return (
      <div className={`${style["note"]} ${style["well"]}`}>
        <Icon name="check" />
        <p>{overview.well}</p>
      </div>
    );
  }
  return (
    <ul className={style["notes"]}>
      {notes.map(({ text, to }) => (
        <li key={text} className={style["note"]}>
          <Icon name="warning" />
          <p>{text}</p>
          <Link href={to}>{overview.see}</Link>
        </li>
      ))}
    </ul>
  );
}
