// The addresses of the view that orders pictures in a style.
type Named = { readonly id: string; readonly slug: string };
type InCollection = { readonly slug: string } | null | undefined;

const PREFIX = "variable."; // of the names of variables in an address

/** `variables`: values that the order begins with. */
export function addressOf({ id, slug }: Named, collection: InCollection, variables: Readonly<Record<string, unknown>> = {}): string {
  const given = new URLSearchParams(
    Object.entries(variables).flatMap(([name, value]) => (value === null || value === "" ? [] : [[PREFIX + name, String(value)]])),
  );
  const path = collection ? `/create/${collection.slug}/${slug}` : `/create/own/${id}`;
  return given.size ? `${path}?${given}` : path;
}

type Variable = { readonly name: string; readonly options: readonly string[]; readonly values: readonly string[] };

/** A variable's value as it is shown: the option in the viewer's language, or free text. Undefined: it is no option any more. */
export function shownValue({ options, values }: Variable, value: string): string | undefined {
  return options.length ? options[values.indexOf(value)] : value;
}

/** The values of a style's variables in an address. One that is no option any more is left out. */
export function variablesIn(params: URLSearchParams, known: readonly Variable[]): Record<string, string> {
  return Object.fromEntries(
    known.flatMap((variable) => {
      const value = params.get(PREFIX + variable.name);
      return value === null || shownValue(variable, value) === undefined ? [] : [[variable.name, value]];
    }),
  );
}
