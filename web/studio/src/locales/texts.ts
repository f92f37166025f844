/** The texts of one part of the page. Each language has the same keys: the compiler sees what is missing. */
export type Texts<T> = { readonly en: T; readonly zh: T };

export function texts<T>(both: { en: T; zh: NoInfer<T> }): Texts<T> {
  return both;
}
