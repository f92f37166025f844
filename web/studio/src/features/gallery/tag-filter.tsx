// The tags that the shown pictures have: chosen from a menu, each removed by its chip.
import { Suspense, useState } from "react";
import { lazily } from "../../app/lazily.ts";
import { useText } from "../../app/locale.tsx";
import { Button } from "../../components/button.tsx";
import { Divider, Item, Menu } from "../../components/menu.tsx";
import { albums as texts } from "../../locales/albums.ts";
import { MOST_TAGS } from "./query.ts";
import { TagChip } from "./tag-chip.tsx";
import type { Tag } from "./lists.ts";

const TagsDialog = lazily(() => import("./tags-dialog.tsx"));

type Props = { readonly tags: readonly Tag[]; readonly chosen: readonly string[]; readonly onChange: (ids: readonly string[]) => void };

export function TagFilter({ tags, chosen, onChange }: Props) {
  const t = useText(texts);
  const rest = tags.filter(({ id }) => !chosen.includes(id));
  const known = tags.filter(({ id }) => chosen.includes(id));
  const canAdd = rest.length > 0 && chosen.length < MOST_TAGS;
  const [isManaging, setManaging] = useState(false);
  if (!tags.length && !chosen.length) return null;
  return (
    <>
      {known.map(({ id, name }) => (
        <TagChip key={id} name={name} label={t.removeFilter(name)} onRemove={() => onChange(chosen.filter((one) => one !== id))} />
      ))}
      {tags.length > 0 && (
        <Menu label={t.tags} trigger={<Button size="small" icon="tag">{t.tags}</Button>}>
          <Item icon="edit" onAction={() => setManaging(true)}>
            {t.manageTags}
          </Item>
          {canAdd && <Divider />}
          {canAdd &&
            rest.map(({ id, name, count }) => (
              <Item key={id} onAction={() => onChange([...chosen, id])}>
                {`${name} (${count})`}
              </Item>
            ))}
        </Menu>
      )}
      <Suspense>
        {isManaging && (
          <TagsDialog
            tags={tags} onClose={() => setManaging(false)}
            onRenamed={(tag, kept) => chosen.includes(tag.id) && onChange([...new Set(chosen.map((id) => (id === tag.id ? kept.id : id)))])}
          />
        )}
      </Suspense>
    </>
  );
}
