// Several of some values, as boxes that are checked.
import { Checkbox, CheckboxGroup, FieldError, Label, Text } from "react-aria-components/CheckboxGroup";
import { Icon } from "./icons.tsx";
import style from "./checkboxes.module.css";
import field from "./field.module.css";

// The browser's own validation would refuse to send the form again while the boxes show what the server refused.
const SHOWN = { validationBehavior: "aria" } as const;

type Props<Id extends string> = {
  readonly label: string;
  readonly hint: string;
  readonly error: string | null;
  readonly choices: readonly { readonly id: Id; readonly label: string }[];
  readonly value: readonly Id[];
  readonly onChange: (value: Id[]) => void;
};

export function Checkboxes<Id extends string>({ label, hint, error, choices, value, onChange }: Props<Id>) {
  return (
    <CheckboxGroup
      className={field["field"] ?? ""}
      {...SHOWN}
      isInvalid={Boolean(error)}
      value={[...value]}
      onChange={(ids) => onChange(ids as Id[])}
    >
      <Label className={field["label"] ?? ""}>{label}</Label>
      {choices.map(({ id, label: name }) => (
        <Checkbox key={id} value={id} {...SHOWN} className={style["choice"] ?? ""}>
          <span className={style["box"]}>
            <Icon name="check" />
          </span>
          {name}
        </Checkbox>
      ))}
      <Text slot="description" className={field["hint"] ?? ""}>
        {hint}
      </Text>
      <FieldError className={field["error"] ?? ""}>{error}</FieldError>
    </CheckboxGroup>
  );
}
