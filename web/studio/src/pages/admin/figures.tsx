// The figures of a period, as charts.
import { useState } from "react";
import { useSearchParams } from "wouter";
import { useText } from "../../app/locale.tsx";
import { Chips } from "../../components/card.tsx";
import style from "../../features/admin/admin.module.css";
import { Bars, Columns } from "../../features/admin/chart.tsx";
import { startOf, Tiles, useOutcomes } from "../../features/admin/figures.tsx";
import { useFormat } from "../../features/admin/format.ts";
import { Failed, Rows } from "../../features/admin/list.tsx";
import { Head, PersonLink } from "../../features/admin/parts.tsx";
import { useRead } from "../../features/admin/read.ts";
import { Table } from "../../features/admin/table.tsx";
import { FiguresDocument, type FiguresQuery, type MetricInterval } from "../../gql/admin.ts";
import { admin } from "../../locales/admin.ts";

const PERIODS = {
  day: { days: 1, interval: "HOUR" },
  week: { days: 7, interval: "DAY" },
  month: { days: 30, interval: "DAY" },
  quarter: { days: 90, interval: "DAY" },
} as const satisfies Record<string, { days: number; interval: MetricInterval }>;
type Period = keyof typeof PERIODS;
const NAMES = Object.keys(PERIODS) as Period[];

const MOST = 10; // bars

type Metrics = NonNullable<FiguresQuery["admin"]>["metrics"];

export default function FiguresPage() {
  const { figures: t } = useText(admin);
  const [params, setParams] = useSearchParams();
  const period = NAMES.find((one) => one === params.get("period")) ?? "week";
  const [now] = useState(() => Date.now());
  const { days, interval } = PERIODS[period];
  const from = startOf(now, days, interval);
  const { data, error, reread } = useRead(FiguresDocument, { from, interval });
  const metrics = data?.admin?.metrics;
  return (
    <>
      <Head title={t.title} />
      <div className={style["tools"]}>
        <div className={style["chips"]}>
          <Chips
            label={t.period} value={period} onChange={(next) => setParams({ period: next }, { replace: true })} scrolls
            choices={NAMES.map((id) => ({ id, label: t.periods[id] }))}
          />
        </div>
      </div>
      {metrics ? <Content metrics={metrics} interval={interval} /> : error ? <Failed error={error} onRetry={reread} /> : <Rows />}
    </>
  );
}

function Content({ metrics, interval }: { readonly metrics: Metrics; readonly interval: MetricInterval }) {
  const t = useText(admin);
  const { figures } = t;
  const format = useFormat();
  const outcomesOf = useOutcomes();
  const labelOf = (at: string) => (interval === "HOUR" ? format.clock(at).slice(0, 5) : format.day(at));
  const points = (values: (point: Metrics["series"][number]) => number[]) =>
    metrics.series.map((point) => ({ at: point.start, label: labelOf(point.start), values: values(point) }));
  const pointTitle = interval === "HOUR" ? t.hour : t.day;
  const failedNote = (failed: number) => (failed ? { note: figures.someFailed(failed) } : {});
  return (
    <div className={style["stack"]}>
      <Tiles
        label={figures.ofPictures} isTitled
        tiles={[
          { name: figures.generations, value: format.number(metrics.generations), note: outcomesOf(metrics) },
          { name: figures.successRate, value: format.percent(metrics.successRate), note: figures.ofEnded(metrics.completed + metrics.failed) },
          { name: figures.median, value: format.seconds(metrics.p50Seconds), note: figures.ofReady },
          { name: figures.p95, value: format.seconds(metrics.p95Seconds), note: figures.ofReady },
          { name: figures.people, value: format.number(metrics.activeUsers), note: figures.whoOrdered },
          { name: figures.returning, value: format.number(metrics.returningUsers), note: figures.dayLater },
          { name: figures.cost, value: format.dollars(metrics.providerCost), note: figures.forThese },
          { name: figures.queue, value: format.number(metrics.queueDepth), note: figures.whenever },
        ]}
      />
      <Tiles
        label={figures.ofLedger} isTitled
        tiles={[
          { name: figures.spent, value: format.number(metrics.creditsSpent), note: figures.gross },
          { name: figures.refunded, value: format.number(metrics.creditsRefunded) },
          { name: figures.purchased, value: format.number(metrics.creditsPurchased) },
        ]}
      />
      <Columns
        title={figures.pictures} pointTitle={pointTitle} format={format.number}
        series={[{ id: "good", title: figures.completed }, { id: "bad", title: figures.failed }, { id: "muted", title: figures.canceled }]}
        points={points(({ completed, failed, canceled }) => [completed, failed, canceled])}
      />
      <div className={style["charts"]}>
        <Columns
          title={figures.active} pointTitle={pointTitle} format={format.number} series={[{ id: "plain", title: figures.active }]} hasNoTotal
          points={points(({ activeUsers }) => [activeUsers])}
        />
        <Columns
          title={figures.credits} note={figures.withoutRefunds} pointTitle={pointTitle} format={format.number} series={[{ id: "plain", title: figures.credits }]}
          points={points(({ credits }) => [credits])}
        />
        <Columns
          title={figures.providerCost} pointTitle={pointTitle} format={format.dollars} series={[{ id: "plain", title: figures.providerCost }]}
          points={points(({ providerCost }) => [providerCost])}
        />
        <Columns
          title={figures.byHour} pointTitle={t.hour} format={format.number} series={[{ id: "plain", title: figures.count }]}
          points={hours(metrics.byHour)}
        />
        <Bars
          title={figures.byStyle} format={format.number}
          bars={metrics.byStyle.slice(0, MOST).map(({ key, count, failed }) => ({
            id: key, name: key === "own" ? figures.own : key, value: count, ...failedNote(failed),
          }))}
        />
        <Bars
          title={figures.byProvider} format={format.number}
          bars={metrics.byProvider.map(({ key, count, failed }) => ({ id: key, name: key, value: count, ...failedNote(failed) }))}
        />
        <Bars title={figures.byError} format={format.number} bars={metrics.byError.map(({ key, count }) => ({ id: key, name: figures.reasons[key] ?? key, value: count }))} />
      </div>
      <Accounts metrics={metrics} />
      <Passes metrics={metrics} />
    </div>
  );
}

/** Every hour of the day, those without pictures too. */
function hours(found: Metrics["byHour"]) {
  const counts = new Map(found.map(({ key, count }) => [key, count]));
  return Array.from({ length: 24 }, (_, hour) => {
    const key = String(hour).padStart(2, "0");
    return { at: key, label: key, values: [counts.get(key) ?? 0] };
  });
}

function Accounts({ metrics }: { readonly metrics: Metrics }) {
  const { figures: t } = useText(admin);
  const format = useFormat();
  const rows = metrics.byAccount.slice(0, MOST);
  if (!rows.length) return null;
  return (
    <section className={style["section"]}>
      <h2>{t.byAccount}</h2>
      <Table
        label={t.byAccount} rows={rows} keyOf={({ user }) => user.id}
        columns={[
          { id: "account", title: t.account, isHead: true, cell: ({ user }) => <PersonLink person={user} /> },
          { id: "count", title: t.count, isNumber: true, cell: ({ count }) => format.number(count) },
          { id: "failed", title: t.failed, isNumber: true, cell: ({ failed }) => format.number(failed) },
          { id: "credits", title: t.credits, isNumber: true, cell: ({ credits }) => format.number(credits) },
          { id: "cost", title: t.providerCost, isNumber: true, cell: ({ providerCost }) => format.dollars(providerCost) },
        ]}
      />
    </section>
  );
}

function Passes({ metrics }: { readonly metrics: Metrics }) {
  const { figures: t } = useText(admin);
  const format = useFormat();
  if (!metrics.byPlan.length) return null;
  const average = (value: number | null | undefined) => (value == null ? "–" : format.number(Math.round(value * 10) / 10));
  return (
    <section className={style["section"]}>
      <h2>{t.byPlan}</h2>
      <Table
        label={t.byPlan} rows={metrics.byPlan} keyOf={({ plan }) => plan}
        columns={[
          { id: "plan", title: t.plan, isHead: true, cell: ({ plan }) => plan },
          { id: "sold", title: t.sold, isNumber: true, cell: ({ passesSold }) => format.number(passesSold) },
          { id: "expired", title: t.expired, isNumber: true, cell: ({ passesExpired }) => format.number(passesExpired) },
          { id: "images", title: t.images, isNumber: true, cell: ({ averageImages }) => average(averageImages) },
          { id: "videos", title: t.videos, isNumber: true, cell: ({ averageVideos }) => average(averageVideos) },
        ]}
      />
    </section>
  );
}
