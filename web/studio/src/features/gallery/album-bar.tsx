// The albums of the account as a row to choose from, and what can be done with the chosen one.
import { useState } from "react";
import { useText } from "../../app/locale.tsx";
import { Button, IconButton } from "../../components/button.tsx";
import { Chips, Picture, type Choice } from "../../components/card.tsx";
import { Dialog } from "../../components/dialog.tsx";
import { Divider, Item, Menu } from "../../components/menu.tsx";
import { toast } from "../../components/toast.tsx";
import { albums as texts } from "../../locales/albums.ts";
import { common } from "../../locales/common.ts";
import { useAttempt, useListActions, type Album } from "./lists.ts";
import { NameDialog } from "./name-dialog.tsx";
import style from "./albums.module.css";

const ALL = "all";

type BarProps = { readonly albums: readonly Album[]; readonly chosen: string; readonly onChoose: (id: string) => void };

export function AlbumBar({ albums, chosen, onChoose }: BarProps) {
  const t = useText(texts);
  const { create } = useListActions();
  const [isNaming, setNaming] = useState(false);
  const choices: Choice<string>[] = [
    { id: ALL, label: t.everything },
    ...albums.map((one) => ({ id: one.id, label: <Label album={one} /> })),
  ];
  return (
    <div className={style["bar"]}>
      {albums.length > 0 && (
        <div className={style["albums"]}>
          <Chips scrolls label={t.albums} choices={choices} value={chosen || ALL} onChange={(id) => onChoose(id === ALL ? "" : id)} />
        </div>
      )}
      <Button size="small" look="quiet" icon="plus" onPress={() => setNaming(true)}>
        <span className={style["word"]}>{t.new}</span>
      </Button>
      {isNaming && (
        <NameDialog
          title={t.new} action={t.create} onClose={() => setNaming(false)}
          onSubmit={async (name) => onChoose((await create(name)).id)}
        />
      )}
    </div>
  );
}

function Label({ album }: { readonly album: Album }) {
  const { result } = album.cover ?? {};
  return (
    <>
      {result && <Picture src={result.thumbnailUrl} placeholder={result.placeholder} alt="" className={style["cover"] ?? ""} />}
      <span className={style["name"]}>{album.name}</span>
      <span className={style["count"]}>{album.count}</span>
    </>
  );
}

type MenuProps = { readonly album: Album; readonly isFirst: boolean; readonly onDeleted: () => void };

export function AlbumMenu({ album, isFirst, onDeleted }: MenuProps) {
  const t = useText(texts);
  const c = useText(common);
  const { rename, moveToFront, remove, download } = useListActions();
  const attempt = useAttempt();
  const [open, setOpen] = useState<"name" | "deletion" | null>(null);
  const close = () => setOpen(null);
  const deleteIt = () => {
    close();
    attempt(async () => {
      await remove(album);
      onDeleted();
      toast(t.deleted);
    });
  };
  return (
    <>
      <Menu label={t.menu} trigger={<IconButton icon="more" size="small" label={t.menu} />}>
        <Item icon="edit" onAction={() => setOpen("name")}>
          {t.rename}
        </Item>
        {!isFirst && (
          <Item icon="back" onAction={() => attempt(() => moveToFront(album))}>
            {t.earlier}
          </Item>
        )}
        {album.count > 0 && (
          <Item icon="download" onAction={() => attempt(() => download({ albumId: album.id }))}>
            {t.downloadAll}
          </Item>
        )}
        <Divider />
        <Item icon="trash" isDanger onAction={() => setOpen("deletion")}>
          {t.delete}
        </Item>
      </Menu>
      {open === "name" && (
        <NameDialog title={t.renameTitle} action={t.save} initial={album.name} onSubmit={(name) => rename(album, name)} onClose={close} />
      )}
      {open === "deletion" && (
        <Dialog isOpen role="alertdialog" title={t.deleteTitle(album.name)} onClose={close}>
          <p>{t.deleteText}</p>
          <div className={style["acts"]}>
            <Button autoFocus onPress={close}>
              {c.cancel}
            </Button>
            <Button look="danger" icon="trash" onPress={deleteIt}>
              {t.delete}
            </Button>
          </div>
        </Dialog>
      )}
    </>
  );
}
