// What went wrong, in a sentence for people.
import { CombinedError } from "@urql/core";
import { InputRefusedError, RefusedError } from "@darkroom/client/errors.ts";
import { texts } from "../locales/texts.ts";
import { isUnanswered } from "./reachability.ts";

export const problemTexts = texts({
  en: {
    unreachable: "The server cannot be reached. Please check your connection.",
    unavailable: "The server does not answer at the moment. Please try again.",
    upload: "The photo could not be sent. Please try again.",
    unknown: "Something went wrong. Please try again.",
  },
  zh: {
    unreachable: "无法连接服务器，请检查网络。",
    unavailable: "服务器暂时没有响应，请重试。",
    upload: "照片未能发送，请重试。",
    unknown: "出错了，请重试。",
  },
});

type Texts = typeof problemTexts.en;

/** The message of an error; `text`: in the visitor's language. */
export function messageOf(problem: unknown, text: Texts): string {
  if (problem instanceof RefusedError && !problem.errors.some(({ extensions }) => extensions?.code)) {
    return problem.code === "UPLOAD_FAILED" ? text.upload : text.unavailable; // the client's own words are for developers
  }
  if (problem instanceof InputRefusedError || problem instanceof RefusedError) return problem.message;
  if (problem instanceof CombinedError) {
    const said = problem.graphQLErrors.map(({ message }) => message).join(" ");
    return said || (isUnanswered(problem) ? text.unreachable : text.unknown);
  }
  return problem instanceof TypeError ? text.unreachable : text.unknown;
}

/** Whether the server could not do it now, as during maintenance. */
export function isUnavailable(problem: unknown): boolean {
  if (problem instanceof InputRefusedError || problem instanceof RefusedError) return problem.code === "UNAVAILABLE";
  return problem instanceof CombinedError && problem.graphQLErrors.some(({ extensions }) => extensions["code"] === "UNAVAILABLE");
}

/** Whether the request may not have reached the server, so that sending it again can help. */
export function isOffline(problem: unknown): boolean {
  return problem instanceof TypeError || isUnanswered(problem);
}
