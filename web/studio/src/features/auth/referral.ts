// The code of who invited this visitor: it comes with the link, and is kept until an account is created.
export const PARAMETER = "ref"; // of the link's address

const KEY = "studio.referral";
const LONGEST = 16; // characters of a code

/** Keep the code of the address, if there is one; called once, when the page opens. */
export function keepReferral(): void {
  const code = new URLSearchParams(location.search).get(PARAMETER);
  if (code && code.length <= LONGEST) localStorage.setItem(KEY, code);
}

export function referralCode(): string | null {
  return localStorage.getItem(KEY);
}

export function forgetReferral(): void {
  localStorage.removeItem(KEY);
}
