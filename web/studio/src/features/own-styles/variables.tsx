// The variables of a style: what is chosen or written anew for each picture.
import { useText } from "../../app/locale.tsx";
import { Button, IconButton } from "../../components/button.tsx";
import { Chips } from "../../components/card.tsx";
import { Problem, TextField } from "../../components/field.tsx";
import { Select } from "../../components/select.tsx";
import { Switch } from "../../components/switch.tsx";
import { ownStyles } from "../../locales/own-styles.ts";
import type { VariableForm } from "./form.ts";
import style from "./variables.module.css";

type Props = {
  readonly variables: readonly VariableForm[];
  /** The problem of a field of the input; null: none. */
  readonly at: (field: string) => string | null;
  readonly onChange: (variables: VariableForm[]) => void;
  readonly onAdd: () => void;
};

export function Variables({ variables, at, onChange, onAdd }: Props) {
  const t = useText(ownStyles);
  const problem = at("variables");
  const set = (key: number, part: Partial<VariableForm>) =>
    onChange(variables.map((one) => (one.key === key ? { ...one, ...part } : one)));
  return (
    <fieldset className={style["variables"]}>
      <legend>{t.variables}</legend>
      <p className={style["text"]}>{t.variablesText}</p>
      {problem && <Problem>{problem}</Problem>}
      {variables.map((one, index) => (
        <VariableFields
          key={one.key} variable={one} title={one.label.trim() || one.name.trim() || t.variable(index + 1)}
          at={(field) => at(`variables.${index}.${field}`)} onChange={(part) => set(one.key, part)}
          onRemove={() => onChange(variables.filter(({ key }) => key !== one.key))} problem={at(`variables.${index}`)}
        />
      ))}
      <div>
        <Button size="small" icon="plus" onPress={onAdd}>
          {t.add}
        </Button>
      </div>
    </fieldset>
  );
}

type FieldsProps = {
  readonly variable: VariableForm;
  readonly title: string;
  readonly problem: string | null;
  readonly at: (field: string) => string | null;
  readonly onChange: (part: Partial<VariableForm>) => void;
  readonly onRemove: () => void;
};

function VariableFields({ variable, title, problem, at, onChange, onRemove }: FieldsProps) {
  const t = useText(ownStyles);
  const options = variable.options.split("\n").map((one) => one.trim()).filter(Boolean);
  return (
    <div className={style["variable"]} role="group" aria-label={title}>
      <div className={style["remove"]}>
        <IconButton icon="trash" size="small" look="danger" label={t.remove(title)} onPress={onRemove} />
      </div>
      {problem && <Problem>{problem}</Problem>}
      <div className={style["pair"]}>
        <TextField
          label={t.label} value={variable.label} placeholder={t.labelHint} error={at("label")} maxLength={100} validationBehavior="aria"
          onChange={(label) => onChange({ label, ...(isDerived(variable) && { name: nameOf(label) }) })}
        />
        <TextField
          label={t.name} value={variable.name} placeholder={t.nameHint} error={at("name")} isRequired maxLength={31}
          onChange={(name) => onChange({ name })} validationBehavior="aria"
        />
      </div>
      <div className={style["group"]}>
        <span className={style["label"]} aria-hidden="true">
          {t.kind}
        </span>
        <Chips
          label={t.kind} value={variable.kind} onChange={(kind) => onChange({ kind, usual: "" })}
          choices={(["text", "options"] as const).map((id) => ({ id, label: t.kinds[id] }))}
        />
      </div>
      {variable.kind === "options" && (
        <TextField
          label={t.options} hint={t.optionsHint} rows={3} value={variable.options} error={at("options")}
          onChange={(text) => onChange({ options: text })} validationBehavior="aria"
        />
      )}
      {variable.kind === "text" ? (
        <TextField
          label={t.usual} hint={t.optional} value={variable.usual} error={at("default")} maxLength={variable.maxLength}
          onChange={(usual) => onChange({ usual })} validationBehavior="aria"
        />
      ) : (
        options.length > 0 && (
          <Select
            label={t.usual} value={options.includes(variable.usual) ? variable.usual : ""} onChange={(usual) => onChange({ usual })}
            choices={[{ id: "", label: "–" }, ...[...new Set(options)].map((id) => ({ id, label: id }))]}
          />
        )
      )}
      <Switch isOn={variable.isRequired} onChange={(isRequired) => onChange({ isRequired })}>
        {t.required}
      </Switch>
    </div>
  );
}

/** Whether the name still follows the label. */
function isDerived({ name, label }: VariableForm): boolean {
  return name === "" || name === nameOf(label);
}

/** A name that the template may have in braces; empty where the label has no Latin letters. */
function nameOf(label: string): string {
  return label.toLowerCase().replaceAll(/[^a-z0-9]+/g, "_").replaceAll(/^[_0-9]+|_+$/g, "").slice(0, 31);
}
