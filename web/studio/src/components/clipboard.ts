// Copying a text.

/** Copy by the clipboard, or where the page is not served by https, by selecting the field that shows the text. */
export async function copy(text: string, field: HTMLInputElement | HTMLTextAreaElement | null): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    field?.select();
    document.execCommand("copy");
  }
}
