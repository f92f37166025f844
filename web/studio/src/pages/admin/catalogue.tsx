// The catalogue: what is offered with its pictures, its export, and its import after a dry run.
import { useState } from "react";
import { useText } from "../../app/locale.tsx";
import { messageOf, problemTexts } from "../../app/problem.ts";
import { Button } from "../../components/button.tsx";
import { Badge, Picture } from "../../components/card.tsx";
import { toast } from "../../components/toast.tsx";
import style from "../../features/admin/admin.module.css";
import { useDesk } from "../../features/admin/desk.tsx";
import { ImportDialog } from "../../features/admin/import-dialog.tsx";
import { Failed, Rows } from "../../features/admin/list.tsx";
import { Head } from "../../features/admin/parts.tsx";
import { useRead } from "../../features/admin/read.ts";
import { StylePictureDialog } from "../../features/admin/style-picture.tsx";
import { DeskCatalogueDocument, ExportCatalogueDocument, type DeskCatalogueQuery } from "../../gql/admin.ts";
import { admin } from "../../locales/admin.ts";

type Collection = DeskCatalogueQuery["collections"][number];
export type CatalogueStyle = Collection["styles"][number];

export default function DeskCataloguePage() {
  const { catalogue: t } = useText(admin);
  const problems = useText(problemTexts);
  const { run } = useDesk();
  const { data, error, reread } = useRead(DeskCatalogueDocument, {});
  const [isImporting, setImporting] = useState(false);
  const [changing, setChanging] = useState<CatalogueStyle | null>(null);
  const [isBusy, setBusy] = useState(false);
  const count = data?.collections.reduce((sum, { styles }) => sum + styles.length, 0);
  const save = async () => {
    setBusy(true);
    try {
      download("catalogue.json", JSON.stringify((await run(ExportCatalogueDocument, {})).admin?.catalogue, null, 2));
    } catch (problem) {
      toast(messageOf(problem, problems));
    } finally {
      setBusy(false);
    }
  };
  return (
    <>
      <Head title={t.title} note={count !== undefined && t.count(count)} lead={t.lead}>
        <Button size="small" icon="download" busy={isBusy} onPress={() => void save()}>
          {t.export}
        </Button>
        <Button size="small" icon="upload" onPress={() => setImporting(true)}>
          {t.import}
        </Button>
      </Head>
      {data ? (
        data.collections.map((collection) => <Shown key={collection.id} collection={collection} onChange={setChanging} />)
      ) : error ? (
        <Failed error={error} onRetry={reread} />
      ) : (
        <Rows />
      )}
      {isImporting && <ImportDialog onClose={() => setImporting(false)} />}
      {changing && <StylePictureDialog style={changing} onClose={() => setChanging(null)} />}
    </>
  );
}

type Props = { readonly collection: Collection; readonly onChange: (one: CatalogueStyle) => void };

function Shown({ collection, onChange }: Props) {
  const { catalogue: t } = useText(admin);
  return (
    <section className={style["section"]}>
      <div className={style["sectionHead"]}>
        <h2>{collection.title}</h2>
        <p className={style["quiet"]}>
          <span className={style["id"]}>{collection.slug}</span> · {t.price(collection.baseCost)} · {t.refunds[collection.refundPolicy]}
        </p>
      </div>
      <ul className={style["styles"]}>
        {collection.styles.map((one) => (
          <li key={one.id} className={style["style"]}>
            <div className={style["frame"]}>
              <Picture src={one.previewUrl} alt={one.previewUrl ? t.picture(one.title) : ""} />
            </div>
            <p>{one.title}</p>
            <div className={style["badges"]}>
              <Badge icon="coin">{one.cost}</Badge>
              {one.membersOnly && <Badge icon="sparkle">{t.members}</Badge>}
              {!one.previewUrl && <Badge>{t.noPicture}</Badge>}
            </div>
            <div>
              <Button size="small" look="quiet" aria-label={`${t.change}: ${one.title}`} onPress={() => onChange(one)}>
                {t.change}
              </Button>
            </div>
          </li>
        ))}
      </ul>
    </section>
  );
}

function download(name: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000); // the browser reads it later
}
