// The entry for browsers and Node alike: it needs fetch and FormData, and nothing of either platform alone.
export { Darkroom, requestOf, type CreditsChange, type DarkroomOptions, type GalleryChange, type SendOptions } from "./client.ts";
export { accepted, InputRefusedError, RefusedError, type InputProblem, type ServerError } from "./errors.ts";
export { newKey } from "./key.ts";
export type { Sink } from "./live.ts";
export type { Progress } from "./transfer.ts";
export * from "./gql/graphql.ts";
