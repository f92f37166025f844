// Whole numbers in texts.
let format: Intl.NumberFormat | undefined;

/**
 * A whole number with its thousands grouped, the same in both languages. Below a thousand there is nothing to group: a
 * browser that formats its first number reads the data of every language before.
 */
export function grouped(count: number): string {
  return Math.abs(count) < 1000 ? String(count) : (format ??= new Intl.NumberFormat("en")).format(count);
}
