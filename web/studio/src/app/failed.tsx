// What a view shows where it could not be read.
import { Button } from "../components/button.tsx";
import { Empty } from "../components/card.tsx";
import { common } from "../locales/common.ts";
import { useText } from "./locale.tsx";

type Reread = (options: { readonly requestPolicy: "network-only" }) => void;

type Props = { readonly reread: readonly Reread[]; readonly isPart?: boolean };

/** `reread`: of the queries that failed; `isPart`: of a view that has a heading of its own. */
export function Failed({ reread, isPart = false }: Props) {
  const t = useText(common);
  return (
    <Empty isPart={isPart} icon="warning" title={t.failed}>
      <Button onPress={() => reread.forEach((again) => again({ requestPolicy: "network-only" }))}>{t.retry}</Button>
    </Empty>
  );
}
