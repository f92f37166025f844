// The pictures of one order, side by side.
import { useQuery } from "urql";
import { Link, useParams } from "wouter";
import { Failed } from "../app/failed.tsx";
import { useText } from "../app/locale.tsx";
import { useSession } from "../app/session.tsx";
import { Button, ButtonLink, IconButton } from "../components/button.tsx";
import { Empty, Loading, Picture, Skeleton } from "../components/card.tsx";
import { ViewTitle } from "../components/view-title.tsx";
import { useSignIn } from "../features/auth/sign-in.tsx";
import { useActions } from "../features/picture/actions.ts";
import { useDeletion, useHidden } from "../features/picture/deletion.ts";
import { Developing, Ended, ratioOf } from "../features/picture/developing.tsx";
import { isEnded, nameOf, useProgress, type Shown } from "../features/picture/state.ts";
import { BatchOfDocument } from "../gql/graphql.ts";
import { common } from "../locales/common.ts";
import { picture as texts } from "../locales/picture.ts";
import style from "./batch.module.css";

export default function BatchPage() {
  const t = useText(texts);
  const c = useText(common);
  const { open } = useSignIn();
  const { id } = useParams<{ id: string }>();
  const { viewer } = useSession();
  const hidden = useHidden();
  const [{ data, fetching, error }, reread] = useQuery({ query: BatchOfDocument, variables: { id }, pause: !viewer });
  const batch = data?.node && "generations" in data.node ? data.node : null;
  const shown = (batch?.generations ?? []).filter((one) => !hidden.has(one.id));
  const [first] = shown;
  if (viewer === null) {
    return (
      <Empty icon="lock" title={t.signIn}>
        <Button look="primary" onPress={() => open("signIn")}>
          {c.signIn}
        </Button>
      </Empty>
    );
  }
  if (!first) {
    if (error && !data && !fetching) return <Failed reread={[reread]} />;
    if (fetching || viewer === undefined || !data) return <Loading><Skeleton css={{ minHeight: "20rem" }} /></Loading>;
    return (
      <Empty icon="image" title={t.missing} text={t.missingText}>
        <ButtonLink look="primary" to="/gallery">
          {t.back}
        </ButtonLink>
      </Empty>
    );
  }
  const count = (wanted: Shown["status"]) => shown.filter(({ status }) => status === wanted).length;
  return (
    <>
      <header className={style["head"]}>
        <ViewTitle>{nameOf(first, t.batch)}</ViewTitle>
        <p role="status">{t.progress(count("COMPLETED"), shown.length, count("FAILED"), count("CANCELED"))}</p>
      </header>
      <ul className={style["grid"]}>
        {shown.map((one) => (
          <Cell key={one.id} picture={one} />
        ))}
      </ul>
    </>
  );
}

function Cell({ picture }: { readonly picture: Shown }) {
  const t = useText(texts);
  const actions = useActions(picture);
  const remove = useDeletion();
  useProgress(picture);
  const { id, status, result, isFavorite } = picture;
  const isDone = status === "COMPLETED";
  return (
    <li className={style["cell"]}>
      {isDone ? (
        <Link href={`/pictures/${id}`} className={style["link"]} aria-label={t.openPicture}>
          <Picture
            src={picture.media === "VIDEO" ? result?.posterUrl : result?.url} placeholder={result?.placeholder ?? null} alt=""
            css={{ aspectRatio: result?.width && result.height ? result.width / result.height : ratioOf(picture) }} eager
          />
        </Link>
      ) : isEnded(picture) ? (
        <Ended picture={picture} />
      ) : (
        <Developing picture={picture} />
      )}
      <div className={style["foot"]}>
        {isEnded(picture) ? (
          <ButtonLink size="small" to={`/pictures/${id}`}>
            {t.openPicture}
          </ButtonLink>
        ) : (
          <Button size="small" icon="stop" busy={actions.isBusy("cancel")} onPress={actions.cancel}>
            {t.cancel}
          </Button>
        )}
        {isDone && (
          <IconButton
            icon="heart" filled={isFavorite} label={isFavorite ? t.unfavorite : t.favorite}
            onPress={() => actions.setFavorite(!isFavorite)}
          />
        )}
        {isEnded(picture) && <IconButton icon="trash" look="danger" label={t.remove} onPress={() => remove([id])} />}
      </div>
    </li>
  );
}
