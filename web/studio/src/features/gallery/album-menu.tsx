// A menu that puts pictures into an album, or takes them out of the one that is shown.
import { useState, type ReactElement } from "react";
import { useText } from "../../app/locale.tsx";
import { Divider, Item, Menu } from "../../components/menu.tsx";
import { albums as texts } from "../../locales/albums.ts";
import type { Shown } from "../picture/state.ts";
import { useAttempt, useListActions, useLists, type Album } from "./lists.ts";
import { NameDialog } from "./name-dialog.tsx";

type Props = {
  readonly trigger: ReactElement;
  readonly pictures: readonly Shown[];
  readonly shown?: Album | null;
  readonly onDone?: () => void;
};

export function AddToAlbum({ trigger, pictures, shown = null, onDone }: Props) {
  const t = useText(texts);
  const { albums } = useLists();
  const { add, takeOut, create } = useListActions();
  const attempt = useAttempt();
  const [isNaming, setNaming] = useState(false);
  const isIn = ({ id }: Album) => pictures.length > 0 && pictures.every((one) => one.albums.some((album) => album.id === id));
  const act = (work: () => Promise<void>) => {
    attempt(work);
    onDone?.();
  };
  return (
    <>
      <Menu label={t.addTitle} trigger={trigger}>
        {shown && (
          <Item icon="close" onAction={() => act(() => takeOut(shown, pictures))}>
            {t.takeOut(shown.name)}
          </Item>
        )}
        <Item icon="plus" onAction={() => setNaming(true)}>
          {t.new}
        </Item>
        {albums.length > 0 && <Divider />}
        {albums
          .filter(({ id }) => id !== shown?.id)
          .map((one) => (
            <Item
              key={one.id} icon={isIn(one) ? "check" : "album"}
              onAction={() => act(() => (isIn(one) ? takeOut(one, pictures) : add(one, pictures)))}
            >
              {isIn(one) ? t.takeOut(one.name) : one.name}
            </Item>
          ))}
      </Menu>
      {isNaming && (
        <NameDialog
          title={t.new} action={t.create} onClose={() => setNaming(false)}
          onSubmit={async (name) => {
            const album = await create(name);
            act(() => add(album, pictures));
          }}
        />
      )}
    </>
  );
}
