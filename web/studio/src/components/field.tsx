// Fields of forms with their label, hint and problem.
import { useEffect, useRef, useState, type ReactNode } from "react";
import { FieldError } from "react-aria-components/FieldError";
import { Input } from "react-aria-components/Input";
import { Label } from "react-aria-components/Label";
import { SearchField as AriaSearchField } from "react-aria-components/SearchField";
import { Text } from "react-aria-components/Text";
import { TextArea } from "react-aria-components/TextArea";
import { TextField as AriaTextField, type TextFieldProps } from "react-aria-components/TextField";
import { Icon } from "./icons.tsx";
import style from "./field.module.css";

type Props = Omit<TextFieldProps, "children" | "className" | "style"> & {
  readonly label: string;
  readonly hint?: ReactNode;
  readonly error?: string | null;
  readonly placeholder?: string;
  readonly rows?: number;
};

/** One line, or several where `rows` is given. */
export function TextField({ label, hint, error, placeholder, rows, ...rest }: Props) {
  // The browser's own validation would refuse to send the form again while the field shows what the server refused.
  const validation = error ? "aria" : "native";
  return (
    <AriaTextField validationBehavior={validation} {...rest} isInvalid={Boolean(error)} className={style["field"] ?? ""}>
      <Label className={style["label"] ?? ""}>{label}</Label>
      {rows ? (
        <TextArea className={style["input"] ?? ""} rows={rows} placeholder={placeholder ?? ""} />
      ) : (
        <Input className={style["input"] ?? ""} placeholder={placeholder ?? ""} />
      )}
      {hint && (
        <Text slot="description" className={style["hint"] ?? ""}>
          {hint}
        </Text>
      )}
      <FieldError className={style["error"] ?? ""}>{error}</FieldError>
    </AriaTextField>
  );
}

type SearchProps = { readonly label: string; readonly value: string; readonly onChange: (value: string) => void };

export function SearchField({ label, value, onChange }: SearchProps) {
  return (
    <AriaSearchField aria-label={label} value={value} onChange={onChange} className={style["search"] ?? ""}>
      <Icon name="search" />
      <Input className={style["input"] ?? ""} placeholder={label} />
    </AriaSearchField>
  );
}

const PAUSE = 250; // milliseconds after the last letter

/** The words of a search field, which reach the address by `onSearch`; where the address changes otherwise, they follow. */
export function useSearchWords(search: string, onSearch: (words: string) => void): [string, (words: string) => void] {
  const [words, setWords] = useState(search);
  const put = useRef(search); // in the address, by this field
  const latest = useRef(onSearch);
  useEffect(() => void (latest.current = onSearch));
  useEffect(() => {
    if (search === put.current) return;
    put.current = search;
    setWords(search);
  }, [search]);
  useEffect(() => {
    if (words === put.current) return;
    const timer = setTimeout(() => {
      put.current = words;
      latest.current(words);
    }, PAUSE);
    return () => clearTimeout(timer);
  }, [words]);
  return [words, setWords];
}

export function Problem({ children }: { readonly children: ReactNode }) {
  return (
    <p role="alert" className={style["problem"]}>
      <Icon name="warning" />
      <span>{children}</span>
    </p>
  );
}

export function Notice({ children }: { readonly children: ReactNode }) {
  return (
    <p role="status" className={style["notice"]}>
      <Icon name="check" />
      <span>{children}</span>
    </p>
  );
}

export { style as fieldStyle };
