// The view of one picture.
import { useQuery } from "urql";
import { useParams } from "wouter";
import { useText } from "../app/locale.tsx";
import { useSession } from "../app/session.tsx";
import { Button, ButtonLink } from "../components/button.tsx";
import { Empty, Loading, Skeleton } from "../components/card.tsx";
import { useSignIn } from "../features/auth/sign-in.tsx";
import { useHidden } from "../features/picture/deletion.ts";
import { PictureView } from "../features/picture/view.tsx";
import { PictureDocument } from "../gql/graphql.ts";
import { common } from "../locales/common.ts";
import { picture as texts } from "../locales/picture.ts";

export default function PicturePage() {
  const t = useText(texts);
  const c = useText(common);
  const { id } = useParams<{ id: string }>();
  const { viewer } = useSession();
  const { open } = useSignIn();
  const hidden = useHidden();
  const [{ data, fetching, error }, reread] = useQuery({ query: PictureDocument, variables: { id }, pause: !viewer });
  const found = data?.viewer?.generation;
  if (viewer === null) {
    return (
      <Empty icon="lock" title={t.missing} text={t.missingText}>
        <Button look="primary" onPress={() => open("signIn")}>
          {c.signIn}
        </Button>
      </Empty>
    );
  }
  if (found && !hidden.has(id)) {
    return <PictureView key={id} picture={found} />;
  }
  if (fetching || viewer === undefined || (!data && !error)) {
    return (
      <Loading>
        <Skeleton css={{ aspectRatio: "4 / 3", maxWidth: "44rem" }} />
      </Loading>
    );
  }
  return (
    <Empty icon="image" title={error ? c.failed : t.missing} text={error ? null : t.missingText}>
      {error ? (
        <Button onPress={() => reread({ requestPolicy: "network-only" })}>{c.retry}</Button>
      ) : (
        <ButtonLink look="primary" to="/gallery">
          {t.back}
        </ButtonLink>
      )}
    </Empty>
  );
}
