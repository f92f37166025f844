// What is shown at an address without a view.
import { useText } from "../app/locale.tsx";
import { ButtonLink } from "../components/button.tsx";
import { Empty } from "../components/card.tsx";
import { common } from "../locales/common.ts";

export default function NotFoundPage() {
  const t = useText(common);
  return (
    <Empty icon="image" title={t.notFound} text={t.notFoundText}>
      <ButtonLink look="primary" to="/">
        {t.home}
      </ButtonLink>
    </Empty>
  );
}
