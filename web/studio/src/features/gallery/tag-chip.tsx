// A tag, or another condition, with a button that removes it.
import { Button } from "react-aria-components/Button";
import { Icon, type IconName } from "../../components/icons.tsx";
import style from "./albums.module.css";

type Props = { readonly icon?: IconName; readonly name: string; readonly note?: string | null; readonly label: string; readonly onRemove: () => void };

export function TagChip({ icon = "tag", name, note, label, onRemove }: Props) {
  return (
    <span className={style["tag"]}>
      <Icon name={icon} />
      <span className={style["name"]}>{name}</span>
      {note && <span className={style["count"]}>{note}</span>}
      <Button aria-label={label} onPress={onRemove} className={style["remove"] ?? ""}>
        <Icon name="close" />
      </Button>
    </span>
  );
}
