// Files among the variables, sent by the GraphQL multipart request specification.

/** Take the files out of the variables: each becomes null, and its path is kept. */
export function takeFiles(variables: unknown): { variables: unknown; files: Map<Blob, string[]> } {
  const files = new Map<Blob, string[]>();
  const without = (value: unknown, path: string): unknown => {
    if (value instanceof Blob) {
      files.set(value, [...(files.get(value) ?? []), path]);
      return null;
    }
    if (Array.isArray(value)) return value.map((item, index) => without(item, `${path}.${index}`));
    if (value && typeof value === "object" && Object.getPrototypeOf(value) === Object.prototype) {
      return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, without(item, `${path}.${name}`)]));
    }
    return value;
  };
  return { variables: without(variables, "variables"), files };
}

/** The form of a request with files: `operations`, then `map`, then the files. */
export function multipartForm(request: object, files: ReadonlyMap<Blob, readonly string[]>): FormData {
  const form = new FormData();
  form.append("operations", JSON.stringify(request));
  form.append("map", JSON.stringify(Object.fromEntries([...files.values()].map((paths, index) => [index, paths]))));
  [...files.keys()].forEach((file, index) => form.append(String(index), file, fileName(file)));
  return form;
}

function fileName(file: Blob): string {
  return "name" in file && typeof file.name === "string" ? file.name : "photo";
}
