// Charts: columns over time, and bars by name. Each is a picture with a summary in words, and a table of its numbers.
import { useId, useLayoutEffect, useRef, useState, type ReactNode, type RefObject } from "react";
import { useText } from "../../app/locale.tsx";
import { admin } from "../../locales/admin.ts";
import { Table } from "./table.tsx";
import style from "./chart.module.css";

export type Series = { readonly id: "good" | "bad" | "plain" | "muted"; readonly title: string };
/** `values`: one for each series, in their order. */
export type Point = { readonly at: string; readonly label: string; readonly values: readonly number[] };

type ColumnsProps = {
  readonly title: string;
  readonly series: readonly Series[];
  readonly points: readonly Point[];
  readonly format: (value: number) => string;
  /** What its column of points is called. */
  readonly pointTitle: string;
  /** What the numbers count. */
  readonly note?: string;
  /** The points cannot be added up: the same people may be in several. */
  readonly hasNoTotal?: boolean;
};

const HEIGHT = 208;
const LABEL = 44; // the width of a label below
const EDGE = { top: 12, right: 4, bottom: 26, left: 48 };

/** Columns over time; the values of a point are stacked. */
export function Columns({ title, series, points, format, pointTitle, note, hasNoTotal = false }: ColumnsProps) {
  const t = useText(admin);
  const frame = useRef<HTMLDivElement>(null);
  const width = useWidth(frame);
  const [here, setHere] = useState<number | null>(null);
  const sums = points.map(({ values }) => values.reduce((sum, value) => sum + value, 0));
  const total = sums.reduce((sum, value) => sum + value, 0);
  const highest = Math.max(...sums, 0);
  const ticks = ticksTo(highest);
  const top = ticks.at(-1) ?? 1;
  const inner = { width: Math.max(width - EDGE.left - EDGE.right, 1), height: HEIGHT - EDGE.top - EDGE.bottom };
  const step = inner.width / Math.max(points.length, 1);
  const gap = step > 8 ? 2 : step > 3 ? 1 : 0;
  const y = (value: number) => EDGE.top + inner.height * (1 - value / top);
  const every = Math.max(1, Math.ceil(points.length / Math.max(1, Math.floor(inner.width / 72))));
  const peak = points[sums.indexOf(highest)];
  const most = hasNoTotal ? t.chart.most(format(highest), peak?.label ?? "") : t.chart.summary(format(total), format(highest), peak?.label ?? "");
  const summary = total ? [most, note].filter(Boolean).join("; ") : t.chart.nothing;
  const shown = here === null ? null : points[here];
  return (
    <Figure title={title} series={series} summary={summary} readout={shown ? `${shown.label}: ${shown.values.map((value, index) => `${series[index]?.title} ${format(value)}`).join(", ")}` : null}
      table={
        <Table
          label={title} rows={points} keyOf={({ at }) => at}
          columns={[
            { id: "at", title: pointTitle, cell: ({ label }) => label, isHead: true },
            ...series.map(({ id, title: name }, index) => ({
              id, title: name, isNumber: true, cell: ({ values }: Point) => format(values[index] ?? 0),
            })),
          ]}
        />
      }
    >
      {(label) => (
        <div ref={frame} className={style["frame"]}>
          <svg
            role="img" aria-label={label} width={width} height={HEIGHT} className={style["chart"]}
            onPointerLeave={() => setHere(null)}
            onPointerMove={(event) => {
              const x = event.clientX - event.currentTarget.getBoundingClientRect().left - EDGE.left;
              setHere(x < 0 || x >= inner.width ? null : Math.min(points.length - 1, Math.floor(x / step)));
            }}
          >
            {ticks.map((tick) => (
              <g key={tick}>
                <line className={style["grid"]} x1={EDGE.left} x2={width - EDGE.right} y1={y(tick)} y2={y(tick)} />
                <text className={style["tick"]} x={EDGE.left - 8} y={y(tick) + 4} textAnchor="end">
                  {format(tick)}
                </text>
              </g>
            ))}
            {points.map(({ at, values }, index) => {
              let below = 0;
              return (
                <g key={at} data-here={index === here || undefined}>
                  {values.map((value, place) => {
                    const from = below;
                    below += value;
                    return (
                      <rect
                        key={place} className={style[series[place]?.id ?? "plain"]} x={EDGE.left + index * step + gap / 2}
                        width={Math.max(step - gap, 0.5)} y={y(below)} height={Math.max(y(from) - y(below), 0)}
                      />
                    );
                  })}
                </g>
              );
            })}
            {points.map(({ at, label: name }, index) => {
              if (index % every) return null;
              const x = EDGE.left + index * step;
              const isLast = x + LABEL > width; // it would be cut
              return (
                <text key={at} className={style["tick"]} x={isLast ? width : x} y={HEIGHT - 6} textAnchor={isLast ? "end" : "start"}>
                  {name}
                </text>
              );
            })}
          </svg>
        </div>
      )}
    </Figure>
  );
}

export type Bar = { readonly id: string; readonly name: ReactNode; readonly value: number; readonly note?: string };

type BarsProps = { readonly title: string; readonly bars: readonly Bar[]; readonly format: (value: number) => string };

/** Bars by name, the longest first; they are a list, whose numbers are there as text. */
export function Bars({ title, bars, format }: BarsProps) {
  const t = useText(admin);
  const id = useId();
  const longest = Math.max(...bars.map(({ value }) => value), 1);
  return (
    <section className={style["figure"]} aria-labelledby={id}>
      <h2 id={id} className={style["title"]}>
        {title}
      </h2>
      {bars.length ? (
        <ul className={style["bars"]}>
          {bars.map(({ id: key, name, value, note }) => (
            <li key={key}>
              <span className={style["name"]}>{name}</span>
              <span className={style["value"]}>
                {format(value)}
                {note && <small> {note}</small>}
              </span>
              <svg className={style["bar"]} width="100%" height="8" aria-hidden="true">
                <rect className={style["track"]} width="100%" height="8" rx="4" />
                <rect className={style["plain"]} width={`${(100 * value) / longest}%`} height="8" rx="4" />
              </svg>
            </li>
          ))}
        </ul>
      ) : (
        <p className={style["none"]}>{t.chart.nothing}</p>
      )}
    </section>
  );
}

type FigureProps = {
  readonly title: string;
  readonly series: readonly Series[];
  readonly summary: string;
  readonly readout: string | null;
  readonly table: ReactNode;
  readonly children: (label: string) => ReactNode;
};

function Figure({ title, series, summary, readout, table, children }: FigureProps) {
  const t = useText(admin);
  const id = useId();
  return (
    <section className={style["figure"]} aria-labelledby={id}>
      <div className={style["head"]}>
        <h2 id={id} className={style["title"]}>
          {title}
        </h2>
        {series.length > 1 && (
          <ul className={style["key"]}>
            {series.map(({ id: kind, title: name }) => (
              <li key={kind}>
                <svg width="10" height="10" aria-hidden="true">
                  <rect className={style[kind]} width="10" height="10" rx="2" />
                </svg>
                {name}
              </li>
            ))}
          </ul>
        )}
      </div>
      <p className={style["readout"]}>{readout ?? summary}</p>
      {children(`${title}. ${summary}`)}
      <details className={style["details"]}>
        <summary>{t.chart.table}</summary>
        {table}
      </details>
    </section>
  );
}

function useWidth(frame: RefObject<HTMLElement | null>): number {
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    const found = frame.current;
    if (!found) return;
    const measure = () => setWidth(found.clientWidth);
    const observer = new ResizeObserver(measure);
    observer.observe(found);
    measure();
    return () => observer.disconnect();
  }, [frame]);
  return width;
}

/** Round numbers from zero to at least the highest value: about four. */
function ticksTo(highest: number): number[] {
  if (highest <= 0) return [0, 1];
  const rough = highest / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((one) => one * power).find((one) => one >= rough) ?? rough;
  const count = Math.ceil(highest / step - 1e-9);
  return Array.from({ length: count + 1 }, (_, index) => Number((index * step).toPrecision(6)));
}
