// Numbers, money, times and sizes in the language of the page.
import { useMemo } from "react";
import { useLocale } from "../../app/locale.tsx";

export type Format = {
  readonly number: (value: number) => string;
  readonly signed: (value: number) => string;
  readonly percent: (value: number | null | undefined) => string;
  /** Minor units of a currency. */
  readonly money: (minor: number, currency: string) => string;
  readonly dollars: (value: number) => string;
  readonly seconds: (value: number | null | undefined) => string;
  readonly date: (at: string) => string;
  readonly time: (at: string) => string;
  readonly clock: (at: string) => string;
  /** A day of the statistics, which begin and end by UTC wherever the admin is. */
  readonly day: (at: string) => string;
  readonly bytes: (value: number) => string;
};

const NONE = "–";

export function useFormat(): Format {
  const { locale } = useLocale();
  return useMemo(() => {
    const number = new Intl.NumberFormat(locale);
    const signed = new Intl.NumberFormat(locale, { signDisplay: "exceptZero" });
    const percent = new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 1 });
    const dollars = new Intl.NumberFormat(locale, { style: "currency", currency: "USD", currencyDisplay: "narrowSymbol" });
    const seconds = new Intl.NumberFormat(locale, { style: "unit", unit: "second", maximumFractionDigits: 1 });
    const megabytes = new Intl.NumberFormat(locale, { style: "unit", unit: "megabyte", maximumFractionDigits: 1 });
    const date = new Intl.DateTimeFormat(locale, { dateStyle: "medium" });
    const moment = { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" } as const;
    const thisYear = new Intl.DateTimeFormat(locale, moment);
    const anyYear = new Intl.DateTimeFormat(locale, { ...moment, year: "numeric" });
    const year = new Date().getFullYear();
    const clock = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
    const day = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", timeZone: "UTC" });
    return {
      number: (value) => number.format(value),
      signed: (value) => signed.format(value),
      percent: (value) => (value == null ? NONE : percent.format(value)),
      money: (minor, currency) => {
        const format = new Intl.NumberFormat(locale, { style: "currency", currency: currency.toUpperCase() });
        return format.format(minor / 10 ** (format.resolvedOptions().maximumFractionDigits ?? 2));
      },
      dollars: (value) => dollars.format(value),
      seconds: (value) => (value == null ? NONE : seconds.format(value)),
      date: (at) => date.format(new Date(at)),
      time: (at) => (new Date(at).getFullYear() === year ? thisYear : anyYear).format(new Date(at)),
      clock: (at) => clock.format(new Date(at)),
      day: (at) => day.format(new Date(at)),
      bytes: (value) => megabytes.format(value / 1_000_000),
    };
  }, [locale]);
}
