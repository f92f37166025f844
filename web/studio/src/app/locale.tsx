// The page's language: the account's, in which the server writes, else chosen by the visitor, else the browser's. Texts are in src/locales, both languages side by side.
import { createContext, useCallback, useContext, useEffect, useMemo, useState, type ReactNode } from "react";
import { I18nProvider } from "react-aria-components/I18nProvider";
import type { Texts } from "../locales/texts.ts";

export type Locale = "en" | "zh-CN";
export const LOCALES: readonly { id: Locale; name: string }[] = [
  { id: "en", name: "English" },
  { id: "zh-CN", name: "简体中文" },
];

const KEY = "studio.locale";
type Value = {
  readonly locale: Locale;
  readonly setLocale: (locale: Locale) => void;
  /** Take an account's language, if there are texts in it. */
  readonly adopt: (locale: string) => void;
};
const Context = createContext<Value | null>(null);

function initial(): Locale {
  const stored = localStorage.getItem(KEY);
  const wanted = stored ?? document.documentElement.lang;
  return wanted.startsWith("zh") ? "zh-CN" : "en";
}

export function LocaleProvider({ children }: { readonly children: ReactNode }) {
  const [locale, setState] = useState(initial);
  useEffect(() => {
    document.documentElement.lang = locale;
  }, [locale]);
  const setLocale = useCallback((next: Locale) => {
    localStorage.setItem(KEY, next);
    setState(next);
  }, []);
  const adopt = useCallback(
    (wanted: string) => {
      const known = LOCALES.find(({ id }) => id === wanted);
      if (known) setLocale(known.id);
    },
    [setLocale],
  );
  const value = useMemo(() => ({ locale, setLocale, adopt }), [locale, setLocale, adopt]);
  return (
    <Context value={value}>
      <I18nProvider locale={locale}>{children}</I18nProvider>
    </Context>
  );
}

export function useLocale(): Value {
  const value = useContext(Context);
  if (!value) throw new Error("useLocale needs a LocaleProvider above it.");
  return value;
}

export function useText<T>(both: Texts<T>): T {
  return useLocale().locale === "en" ? both.en : both.zh;
}
