// One picture of any account, with what its provider did, and what admins can do with it.
import { Link, useParams } from "wouter";
import { useText } from "../../app/locale.tsx";
import { Empty, Picture } from "../../components/card.tsx";
import style from "../../features/admin/admin.module.css";
import { useFormat } from "../../features/admin/format.ts";
import { Failed, Rows } from "../../features/admin/list.tsx";
import { BackLink, Facts, Head, PersonLink, PictureBadges, pictureName } from "../../features/admin/parts.tsx";
import { PictureActs } from "../../features/admin/picture-acts.tsx";
import { useRead } from "../../features/admin/read.ts";
import { Table } from "../../features/admin/table.tsx";
import { DeskPictureDocument, type DeskPictureQuery } from "../../gql/admin.ts";
import { admin } from "../../locales/admin.ts";

type Generation = Extract<NonNullable<DeskPictureQuery["node"]>, { status: unknown }>;

export default function DeskPicturePage() {
  const t = useText(admin);
  const { id } = useParams<{ id: string }>();
  const { data, error, isLoading, reread } = useRead(DeskPictureDocument, { id });
  const node = data?.node;
  const found = node && "status" in node ? (node as Generation) : null;
  if (found) return <Shown picture={found} />;
  return (
    <>
      <BackLink to="/admin/pictures">{t.pictures.title}</BackLink>
      {error ? <Failed error={error} onRetry={reread} /> : isLoading ? <Rows /> : <Empty icon="image" title={t.pictures.missing} />}
    </>
  );
}

function Shown({ picture }: { readonly picture: Generation }) {
  const t = useText(admin);
  const name = pictureName(picture, t.pictures.free);
  const { result } = picture;
  return (
    <>
      <BackLink to="/admin/pictures">{t.pictures.title}</BackLink>
      <Head title={name} />
      <div className={style["stack"]}>
        <div className={style["badges"]}>
          <PictureBadges picture={picture} />
        </div>
        <PictureActs picture={picture} name={name} after="/admin/pictures" />
        <div className={style["split"]}>
          <div className={style["shown"]}>
            {result && picture.media === "VIDEO" ? (
              <video controls poster={result.posterUrl ?? undefined} src={result.url} aria-label={name} />
            ) : result ? (
              <img src={result.url} alt={name} width={result.width ?? undefined} height={result.height ?? undefined} />
            ) : (
              <Empty isPart icon="image" title={picture.message} text={picture.errorMessage} />
            )}
          </div>
          <PictureFacts picture={picture} />
        </div>
        {picture.providerPath && picture.providerPath.length > 0 && <Tries path={picture.providerPath} />}
      </div>
    </>
  );
}

function PictureFacts({ picture }: { readonly picture: Generation }) {
  const { pictures: t } = useText(admin);
  const format = useFormat();
  const { original, parent } = picture;
  return (
    <Facts
      facts={[
        [t.owner, <PersonLink person={picture.owner} />],
        picture.prompt != null && [t.prompt, picture.prompt],
        picture.styleTitle != null && [t.style, picture.styleTitle],
        picture.enhancedPrompt != null && [t.enhanced, picture.enhancedPrompt],
        picture.errorMessage != null && [t.error, `${picture.errorMessage} (${picture.errorCode})`],
        [t.cost, `${format.number(picture.cost)} (${t.paid[picture.paidBy]})`],
        [t.quality, picture.deliveredQuality && picture.deliveredQuality !== picture.quality ? `${picture.quality} → ${picture.deliveredQuality}` : picture.quality],
        picture.model != null && [t.model, `${picture.model} (${picture.provider})`],
        picture.providerCost != null && [t.providerCost, format.dollars(picture.providerCost)],
        picture.providerRequestId != null && [t.requestId, <span className={style["id"]}>{picture.providerRequestId}</span>],
        [t.created, format.time(picture.createdAt)],
        picture.completedAt != null && [t.ended, format.time(picture.completedAt)],
        [t.attempts, format.number(picture.attempts)],
        picture.shareUrl != null && [t.page, <a href={picture.shareUrl} target="_blank" rel="noreferrer">{new URL(picture.shareUrl).pathname}</a>],
        original && [t.photo, <Picture src={original.thumbnailUrl} alt={t.photo} className={style["thumb"] ?? ""} />],
        parent && [t.parent, <Link href={`/admin/pictures/${parent.id}`} className={style["id"]}>{parent.id}</Link>],
        ["ID", <span className={style["id"]}>{picture.id}</span>],
      ]}
    />
  );
}

function Tries({ path }: { readonly path: NonNullable<Generation["providerPath"]> }) {
  const { pictures: t } = useText(admin);
  const format = useFormat();
  return (
    <section className={style["section"]}>
      <h2>{t.tries}</h2>
      <Table
        label={t.tries} rows={path.map((one, index) => ({ ...one, index }))} keyOf={({ index }) => String(index)}
        columns={[
          { id: "provider", title: t.provider, isHead: true, cell: ({ provider, model }) => `${provider} ${model ?? ""}` },
          { id: "result", title: t.result, cell: ({ errorCode }) => errorCode ?? t.ok },
          { id: "sent", title: t.sent, cell: ({ sent }) => (sent ? t.yes : t.no) },
          { id: "seconds", title: t.seconds, isNumber: true, cell: ({ seconds }) => format.seconds(seconds) },
        ]}
      />
    </section>
  );
}
