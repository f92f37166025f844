// All tags of the account, to be renamed.
import { useState } from "react";
import { useText } from "../../app/locale.tsx";
import { IconButton } from "../../components/button.tsx";
import { Dialog } from "../../components/dialog.tsx";
import { fieldStyle } from "../../components/field.tsx";
import { Icon } from "../../components/icons.tsx";
import { toast } from "../../components/toast.tsx";
import { albums as texts } from "../../locales/albums.ts";
import { useListActions, type Tag } from "./lists.ts";
import { NameDialog } from "./name-dialog.tsx";
import style from "./albums.module.css";

type Props = {
  readonly tags: readonly Tag[];
  /** `kept`: the tag that it is now. */
  readonly onRenamed: (tag: Tag, kept: Tag) => void;
  readonly onClose: () => void;
};

export default function TagsDialog({ tags, onRenamed, onClose }: Props) {
  const t = useText(texts);
  const { renameTag } = useListActions();
  const [renamed, setRenamed] = useState<Tag | null>(null);
  if (renamed) {
    return (
      <NameDialog
        title={t.renameTagTitle} hint={t.renameTagHint} action={t.save} initial={renamed.name} maxLength={40} onClose={() => setRenamed(null)}
        onSubmit={async (name) => {
          const kept = await renameTag(renamed, name);
          if (kept.id !== renamed.id) toast(t.merged(renamed.name, kept.name));
          onRenamed(renamed, kept);
        }}
      />
    );
  }
  return (
    <Dialog isOpen title={t.manageTags} onClose={onClose}>
      <p className={fieldStyle["hint"]}>{t.manageTagsText}</p>
      <ul className={style["rows"]}>
        {tags.map((tag) => (
          <li key={tag.id}>
            <Icon name="tag" />
            <span className={style["name"]}>{tag.name}</span>
            <span className={style["count"]}>{tag.count}</span>
            <IconButton icon="edit" size="small" label={t.renameTag(tag.name)} onPress={() => setRenamed(tag)} />
          </li>
        ))}
      </ul>
    </Dialog>
  );
}
