// Money, dates and times as people of the page's language write them.
import { useEffect, useState } from "react";
import { useLocale } from "../../app/locale.tsx";

/** `price`: in the currency's minor units. */
export function priceOf(price: number, currency: string, locale: string): string {
  const format = new Intl.NumberFormat(locale, { style: "currency", currency: currency.toUpperCase() });
  return format.format(price / 10 ** (format.resolvedOptions().maximumFractionDigits ?? 2));
}

/** The price of one of `count`, with as many digits as it takes to see a difference. */
export function unitPriceOf(price: number, count: number, currency: string, locale: string): string {
  const style = { style: "currency", currency: currency.toUpperCase() } as const;
  const digits = new Intl.NumberFormat(locale, style).resolvedOptions().maximumFractionDigits ?? 2;
  return new Intl.NumberFormat(locale, { ...style, maximumFractionDigits: digits + 1 }).format(price / count / 10 ** digits);
}

export function useDates() {
  const { locale } = useLocale();
  const format = (options: Intl.DateTimeFormatOptions) => (when: string) =>
    new Intl.DateTimeFormat(locale, options).format(new Date(when));
  return { day: format({ dateStyle: "long" }), moment: format({ dateStyle: "medium", timeStyle: "short" }), time: format({ timeStyle: "short" }) };
}

/** The seconds until a moment, every second anew; never below 0. */
export function useSecondsUntil(moment: string): number {
  const left = () => Math.max(0, Math.ceil((Date.parse(moment) - Date.now()) / 1000));
  const [seconds, setSeconds] = useState(left);
  useEffect(() => {
    setSeconds(left());
    const timer = setInterval(() => setSeconds(left()), 1000);
    return () => clearInterval(timer);
  }, [moment]); // eslint-disable-line -- `left` is of this moment
  return seconds;
}

/** 75 is 1:15, and 3675 is 1:01:15. */
export function clockOf(seconds: number): string {
  const two = (count: number) => String(count).padStart(2, "0");
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  return hours ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}
