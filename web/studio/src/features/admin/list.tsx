// A list of the admin desk around its rows: while it is read, where it is empty, where it fails, and the next page.
import type { ReactNode } from "react";
import { useText } from "../../app/locale.tsx";
import { messageOf, problemTexts } from "../../app/problem.ts";
import { Button } from "../../components/button.tsx";
import { Empty, Skeleton } from "../../components/card.tsx";
import type { IconName } from "../../components/icons.tsx";
import { admin } from "../../locales/admin.ts";
import { common } from "../../locales/common.ts";
import { codeOf } from "./desk.tsx";
import type { List } from "./read.ts";
import style from "./admin.module.css";

type Props<N> = {
  readonly list: List<N>;
  readonly empty: string;
  readonly emptyText?: string;
  readonly icon?: IconName;
  readonly children: (items: readonly N[]) => ReactNode;
};

export function ListOf<N>({ list, empty, emptyText, icon = "search", children }: Props<N>) {
  const t = useText(admin);
  if (list.error && !list.items.length) return <Failed error={list.error} onRetry={list.reread} />;
  if (list.isFirstLoad) return <Rows />;
  if (!list.items.length) return <Empty isPart icon={icon} title={empty} text={emptyText} />;
  return (
    <div className={style["stack"]} aria-busy={list.isLoading}>
      {children(list.items)}
      {list.hasMore && (
        <div className={style["more"]}>
          <Button busy={list.isLoading} onPress={list.more}>
            {t.more}
          </Button>
        </div>
      )}
    </div>
  );
}

export function Rows({ count = 5 }: { readonly count?: number }) {
  return (
    <div className={style["rows"]} aria-busy="true">
      {Array.from({ length: count }, (_, index) => (
        <Skeleton key={index} className={style["row"] ?? ""} />
      ))}
    </div>
  );
}

/** Why something cannot be shown; what the role may not see is no failure. */
export function Failed({ error, onRetry }: { readonly error: unknown; readonly onRetry: () => void }) {
  const t = useText(admin);
  const c = useText(common);
  const problems = useText(problemTexts);
  const code = codeOf(error);
  if (code === "FORBIDDEN") return <Empty isPart icon="lock" title={t.forbidden} text={t.forbiddenText} />;
  const isFactor = code === "SECOND_FACTOR_REQUIRED";
  return (
    <Empty isPart icon={isFactor ? "shield" : "warning"} title={isFactor ? t.factor.needed : c.failed} text={messageOf(error, problems)}>
      <Button onPress={onRetry}>{isFactor ? t.factor.enter : c.retry}</Button>
    </Empty>
  );
}
