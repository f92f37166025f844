// The selection of exactly one of several, as React Aria's components take it.

/** `value`: null while nothing is chosen yet. */
export function singleSelection<Id extends string>(value: Id | null, onChange: (id: Id) => void) {
  return {
    selectionMode: "single" as const,
    disallowEmptySelection: true,
    selectedKeys: value === null ? [] : [value],
    onSelectionChange: (keys: Iterable<unknown>) => {
      const [key] = keys;
      if (key !== undefined) onChange(key as Id);
    },
  };
}
