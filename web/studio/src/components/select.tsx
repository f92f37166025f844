// One of several values, in a list that opens.
import { Button } from "react-aria-components/Button";
import { Label } from "react-aria-components/Label";
import { ListBox, ListBoxItem } from "react-aria-components/ListBox";
import { Popover } from "react-aria-components/Popover";
import { Select as AriaSelect, SelectValue } from "react-aria-components/Select";
import { Icon } from "./icons.tsx";
import field from "./field.module.css";
import overlay from "./overlay.module.css";
import style from "./select.module.css";

/** `note`: beside the label, quietly. */
type Choice<Id extends string> = { readonly id: Id; readonly label: string; readonly note?: string | undefined; readonly isDisabled?: boolean };

type Props<Id extends string> = {
  readonly label: string;
  readonly choices: readonly Choice<Id>[];
  readonly value: Id;
  readonly onChange: (id: Id) => void;
  /** Say the label to screen readers alone. */
  readonly isCompact?: boolean;
};

export function Select<Id extends string>({ label, choices, value, onChange, isCompact = false }: Props<Id>) {
  return (
    <AriaSelect
      className={field["field"] ?? ""}
      {...(isCompact && { "aria-label": label })}
      value={choices.some(({ id }) => id === value) ? value : null}
      onChange={(key) => key !== null && onChange(key as Id)}
    >
      {!isCompact && <Label className={field["label"] ?? ""}>{label}</Label>}
      <Button className={`${field["input"]} ${style["button"]} ${isCompact ? style["compact"] : ""}`}>
        <SelectValue className={style["value"] ?? ""} />
        <Icon name="chevron" />
      </Button>
      <Popover className={overlay["popover"] ?? ""}>
        <ListBox className={overlay["menu"] ?? ""} items={choices}>
          {({ id, label: name, note }) => (
            <ListBoxItem id={id} textValue={name} className={overlay["item"] ?? ""}>
              {({ isSelected }) => (
                <>
                  <span>
                    {name}
                    {note && <span className={style["note"]}>{note}</span>}
                  </span>
                  {isSelected && <Icon name="check" className={overlay["mark"] ?? ""} />}
                </>
              )}
            </ListBoxItem>
          )}
        </ListBox>
      </Popover>
    </AriaSelect>
  );
}
