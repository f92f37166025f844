// What the form of a style holds, and the input that it becomes.
import type { OwnStylePartsFragment, ReferenceImage, StyleInput, StyleVariableInput } from "../../gql/graphql.ts";

export type VariableForm = {
  /** Of this form alone: names change while one writes them. */
  readonly key: number;
  readonly name: string;
  readonly label: string;
  readonly kind: "text" | "options";
  readonly options: string;
  readonly usual: string;
  readonly isRequired: boolean;
  readonly maxLength: number;
};

export type StyleForm = {
  readonly title: string;
  readonly prompt: string;
  readonly description: string;
  readonly category: string;
  readonly photo: ReferenceImage;
  readonly variables: readonly VariableForm[];
};

const LONGEST = 60; // characters of a value that is written freely, by default
let made = 0;

export function newVariable(): VariableForm {
  made += 1;
  return { key: made, name: "", label: "", kind: "text", options: "", usual: "", isRequired: false, maxLength: LONGEST };
}

export function emptyForm(photo: ReferenceImage): StyleForm {
  return { title: "", prompt: "", description: "", category: "", photo, variables: [] };
}

export function formOf(style: OwnStylePartsFragment): StyleForm {
  return {
    title: style.title,
    prompt: style.prompt ?? "",
    description: style.description ?? "",
    category: style.category ?? "",
    photo: style.referenceImage,
    variables: style.variables.map(({ name, label, options, default: usual, required, maxLength }) => ({
      ...newVariable(),
      name,
      label,
      kind: options.length ? "options" : "text",
      options: options.join("\n"),
      usual: usual ?? "",
      isRequired: required,
      maxLength,
    })),
  };
}

export function inputOf(form: StyleForm): StyleInput {
  return {
    title: form.title.trim(),
    prompt: form.prompt.trim(),
    description: form.description.trim() || null,
    category: form.category.trim() || null,
    referenceImage: form.photo,
    variables: form.variables.map(variableInput),
  };
}

function variableInput({ name, label, kind, options, usual, isRequired, maxLength }: VariableForm): StyleVariableInput {
  return {
    name: name.trim(),
    label: label.trim() || name.trim(),
    options: kind === "options" ? options.split("\n").map((one) => one.trim()).filter(Boolean) : [],
    default: usual.trim() || null,
    required: isRequired,
    maxLength,
  };
}
