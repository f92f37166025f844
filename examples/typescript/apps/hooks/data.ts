// The package's hooks are what the studio asks for.
export {
  useCollections, useCredits, useDeployment, useGallery, useGeneration, useOrder, useQuote, useSession,
} from "@darkroom/client/react";
