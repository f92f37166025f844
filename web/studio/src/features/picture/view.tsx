// One picture with everything that belongs to it, in whatever state it is.
import { Suspense, useRef, useState, type FormEvent } from "react";
import { Link, useLocation } from "wouter";
import { lazily } from "../../app/lazily.ts";
import { useText } from "../../app/locale.tsx";
import { messageOf, problemTexts } from "../../app/problem.ts";
import { useSession } from "../../app/session.tsx";
import { useKeptText } from "../../app/tab-owner.ts";
import { Button, buttonClass, ButtonLink, IconButton } from "../../components/button.tsx";
import { Problem, TextField } from "../../components/field.tsx";
import { Icon } from "../../components/icons.tsx";
import { ViewTitle } from "../../components/view-title.tsx";
import { albums } from "../../locales/albums.ts";
import { common } from "../../locales/common.ts";
import { compose } from "../../locales/compose.ts";
import { picture as texts } from "../../locales/picture.ts";
import { useSignIn } from "../auth/sign-in.tsx";
import { AddToAlbum } from "../gallery/album-menu.tsx";
import { Price } from "../compose/price.tsx";
import { useWay } from "../compose/way.ts";
import { addressOf } from "../styles/address.ts";
import { useActions, type Actions } from "./actions.ts";
import { Compare } from "./compare.tsx";
import { useDeletion } from "./deletion.ts";
import { Details } from "./details.tsx";
import { Developing, Ended } from "./developing.tsx";
import { useOrderQuote, type OrderQuote } from "./quote.ts";
import { Steps } from "./steps.tsx";
import { isEnded, nameOf, useProgress, type Shown } from "./state.ts";
import style from "./view.module.css";

const ShareDialog = lazily(() => import("./share-dialog.tsx"));
const VaryDialog = lazily(() => import("./vary-dialog.tsx"));
const TagDialog = lazily(() => import("../gallery/tag-dialog.tsx"));

export function PictureView({ picture }: { readonly picture: Shown }) {
  const t = useText(texts);
  const c = useText(common);
  const o = useText(compose);
  const problems = useText(problemTexts);
  const { viewer } = useSession();
  const { open } = useSignIn();
  const actions = useActions(picture);
  useProgress(picture);
  const isDone = picture.status === "COMPLETED";
  const canRefine = isDone && picture.media === "IMAGE";
  const again = useOrderQuote(picture, 1, picture.original !== null);
  const refined = useOrderQuote(picture, 1, true, true);
  const refusals = [...again.refusals, ...(canRefine ? refined.refusals : [])];
  const way = useWay(refusals);
  const wasSeenDeveloping = useRef(!isEnded(picture));
  return (
    <div className={style["page"]}>
      <div className={style["stage"]}>
        <p role="status" className="visually-hidden">
          {picture.message} {picture.errorMessage}
        </p>
        {isDone ? <Result picture={picture} isFresh={wasSeenDeveloping.current} /> : isEnded(picture) ? <Ended picture={picture} /> : <Developing picture={picture} />}
        {!isEnded(picture) && <p className={style["quiet"]} style={{ textAlign: "center" }}>{t.leave}</p>}
      </div>
      <div className={style["side"]}>
        <header className={style["head"]}>
          <Link href="/gallery" className={style["back"]}>
            <Icon name="back" />
            {t.back}
          </Link>
          <ViewTitle className={style["title"]}>{nameOf(picture, t.free)}</ViewTitle>
        </header>
        <Acts picture={picture} actions={actions} again={again} />
        {[...new Set(refusals.map(({ message }) => message))].map((reason) => (
          <p key={reason} className={style["quiet"]}>{reason}</p>
        ))}
        {way && (
          <ButtonLink full icon="coin" to={way.to}>
            {way.label}
          </ButtonLink>
        )}
        {actions.isWaiting && <p className={style["quiet"]} role="status">{o.waiting}</p>}
        {actions.problem !== null && <Problem>{messageOf(actions.problem, problems)}</Problem>}
        {isDone && viewer?.isGuest && (
          <Button look="outline" full icon="heart" onPress={() => open("signUp")}>
            {c.keep}
          </Button>
        )}
        {canRefine && <Refine id={picture.id} actions={actions} order={refined} />}
        <Steps picture={picture} />
        <Details picture={picture} />
      </div>
    </div>
  );
}

function Result({ picture, isFresh }: { readonly picture: Shown; readonly isFresh: boolean }) {
  const t = useText(texts);
  const { result, original } = picture;
  const alt = `${nameOf(picture, t.picture)}${picture.prompt ? `: ${picture.prompt}` : ""}`;
  if (!result) return null;
  if (picture.media === "VIDEO") {
    return (
      <div className={style["plain"]}>
        <Video src={result.url} poster={result.posterUrl ?? ""} label={alt} />
      </div>
    );
  }
  const { width, height } = result;
  if (original && width && height) return <Compare before={original.url} after={result.url} width={width} height={height} alt={alt} isFresh={isFresh} />;
  return (
    <div className={`${style["plain"]} ${isFresh ? style["fresh"] : ""}`}>
      <img src={result.url} alt={alt} width={width ?? undefined} height={height ?? undefined} />
    </div>
  );
}

/** Another link begins a video anew: it keeps its first one until that fails. */
function Video({ src, poster, label }: { readonly src: string; readonly poster: string; readonly label: string }) {
  const [kept, setKept] = useState<string | null>(src);
  return <video src={kept ?? src} poster={poster} controls loop playsInline aria-label={label} onError={() => setKept(null)} />;
}

type ActsProps = { readonly picture: Shown; readonly actions: Actions; readonly again: OrderQuote };

function Acts({ picture, actions, again }: ActsProps) {
  const t = useText(texts);
  const remove = useDeletion();
  const [, navigate] = useLocation();
  const [isSharing, setSharing] = useState(false);
  const [isTagging, setTagging] = useState(false);
  const [isVarying, setVarying] = useState(false);
  const a = useText(albums);
  const { id, status, isFavorite, result, style: made } = picture;
  const isDone = status === "COMPLETED";
  const isFree = made?.slug === "free" && Boolean(made.collection);
  const deleteIt = () => {
    remove([id]);
    navigate("/gallery");
  };
  if (!isEnded(picture)) {
    return (
      <div className={style["acts"]}>
        <Button icon="stop" busy={actions.isBusy("cancel")} onPress={actions.cancel}>
          {t.cancel}
        </Button>
      </div>
    );
  }
  return (
    <div className={style["acts"]} role="group" aria-label={t.picture}>
      {isDone && result && (
        <a className={buttonClass({ look: "primary" })} href={result.downloadUrl} download>
          <Icon name="download" />
          {t.download}
        </a>
      )}
      {isDone && (
        <Button icon="share" onPress={() => setSharing(true)}>
          {picture.shareUrl ? t.shared : t.share}
        </Button>
      )}
      {isDone && picture.media === "IMAGE" && (
        <Button icon="variants" onPress={() => setVarying(true)}>
          {t.vary}
        </Button>
      )}
      <Button
        look={isDone ? "outline" : "primary"} icon="repeat" busy={actions.isBusy("repeat")} isDisabled={again.isRefused}
        onPress={() => actions.repeat(false)}
      >
        <span>{isDone ? t.repeat : t.again}</span>
        <Price quote={again.quote} />
      </Button>
      <div className={style["icons"]}>
        {isDone && (
          <IconButton
            icon="heart" filled={isFavorite} label={isFavorite ? t.unfavorite : t.favorite}
            onPress={() => actions.setFavorite(!isFavorite)}
          />
        )}
        <AddToAlbum pictures={[picture]} trigger={<IconButton icon="album" label={a.addTitle} />} />
        <IconButton icon="tag" label={a.tags} onPress={() => setTagging(true)} />
        <IconButton icon="trash" look="danger" label={t.remove} onPress={deleteIt} />
      </div>
      {made && !isFree && (
        <ButtonLink icon="wand" to={addressOf(made, made.collection, picture.variables)}>
          {t.useStyle}
        </ButtonLink>
      )}
      <Suspense>{isVarying && <VaryDialog picture={picture} actions={actions} onClose={() => setVarying(false)} />}</Suspense>
      <Suspense>{isTagging && <TagDialog pictures={[picture]} onClose={() => setTagging(false)} />}</Suspense>
      <Suspense>{isSharing && <ShareDialog picture={picture} onClose={() => setSharing(false)} />}</Suspense>
    </div>
  );
}

function Refine({ id, actions, order }: { readonly id: string; readonly actions: Actions; readonly order: OrderQuote }) {
  const t = useText(texts);
  const [words, setWords] = useKeptText(`refine.${id}`); // until the visitor is back with credits
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (words.trim() && !order.isRefused) void actions.refine(words.trim()).then((done) => done && setWords(""));
  };
  return (
    <form className={style["refine"]} onSubmit={submit}>
      <TextField label={t.refine} placeholder={t.refineHint} rows={2} value={words} onChange={setWords} />
      <Button type="submit" icon="wand" full isDisabled={!words.trim() || order.isRefused} busy={actions.isBusy("refine")}>
        <span>{t.refineDo}</span>
        <Price quote={order.quote} />
      </Button>
    </form>
  );
}

