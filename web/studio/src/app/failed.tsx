// What a view shows where it could not be read.
import { Button } from "../components/button.tsx";
import { Empty } from "../components/card.tsx";
import { common } from "../locales/common.ts";
import { useText } from "./locale.tsx";

type Reread = (options: { readonly requestPolicy: "network-only" }) => void;

/** `reread`: of the queries that failed. */
export function Failed({ reread }: { readonly reread: readonly Reread[] }) {
  const t = useText(common);
  return (
    <Empty icon="warning" title={t.failed}>
      <Button onPress={() => reread.forEach((again) => again({ requestPolicy: "network-only" }))}>{t.retry}</Button>
    </Empty>
  );
}
