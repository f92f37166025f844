// React hooks over the client: no other library is needed for state. Those who use Apollo or urql take ../apollo.ts or ../urql.ts.
export { useCollections, useDeployment, useQuote, type Collections, type Deployment, type Quote } from "./catalogue.ts";
export { DarkroomProvider, useDarkroom, useSession, useSessionNumber, useToken, type Session } from "./context.ts";
export { useCredits, type Credits } from "./credits.ts";
export { useGallery, type Gallery } from "./gallery.ts";
export { useGeneration, useOrder, type LiveGeneration, type Order } from "./generation.ts";
export { useUpload, type Upload } from "./upload.ts";
export { useAction, useLoaded, type Action, type Loaded } from "./state.ts";
