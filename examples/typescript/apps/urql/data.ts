// The studio's data by urql's hooks; what mutations and subscriptions change in the cache is in the package's cacheOptions.
import {
  accepted, CancelGenerationDocument, CollectionsDocument, CreateGenerationDocument, CreditsChangedDocument, DeleteGenerationsDocument, DeploymentDocument,
  GalleryChangedDocument, GalleryDocument, GenerationProgressDocument, newKey, QuoteDocument, RefineGenerationDocument,
  SetFavoriteDocument, ShareGenerationDocument, UnshareGenerationDocument,
  ViewerDocument, type GalleryQuery, type QuoteInput,
} from "@darkroom/client";
import {
  useAction, type Collections, type Deployment, type Gallery, type LiveGeneration, type Order, type Quote,
} from "@darkroom/client/react";
export { useSession } from "@darkroom/client/react"; // main.tsx makes another client for each session
import { useEffect, useRef, useState } from "react";
import { useClient, useMutation, useQuery, useSubscription, type OperationResult } from "urql";

/** urql returns errors in its result. */
function dataOf<Data>({ data, error }: Pick<OperationResult<Data>, "data" | "error">): Data {
  if (error || !data) throw error ?? new Error("There was no answer.");
  return data;
}

export function useCredits(): { readonly credits: number | null } {
  const [{ data }] = useQuery({ query: ViewerDocument });
  useSubscription({ query: CreditsChangedDocument }); // its `user` is the viewer of the cache
  return { credits: data?.viewer?.credits ?? null };
}

export function useDeployment(): Deployment {
  const [{ data, fetching, error }] = useQuery({ query: DeploymentDocument });
  return { value: data?.deployment ?? null, loading: fetching, error: error ?? null };
}

export function useCollections(): Collections {
  const [{ data, fetching, error }] = useQuery({ query: CollectionsDocument });
  return { value: data?.collections ?? null, loading: fetching, error: error ?? null };
}

export function useQuote(input: QuoteInput | null): Quote {
  const [{ data, fetching, error }] = useQuery({
    query: QuoteDocument,
    variables: { input: input ?? {} },
    pause: input === null,
    requestPolicy: "network-only", // it names the balance
  });
  return { value: (input && data?.quote) ?? null, loading: fetching, error: error ?? null };
}

export function useOrder(): Order {
  const { busy, error, run } = useAction();
  const [, create] = useMutation(CreateGenerationDocument);
  const [, refine] = useMutation(RefineGenerationDocument);
  const [, cancel] = useMutation(CancelGenerationDocument);
  return {
    busy,
    error,
    create: (input) =>
      run(async () => {
        const { createGeneration } = dataOf(await create({ input: { idempotencyKey: newKey(), ...input } }));
        return accepted(createGeneration).generations.map(({ id }) => id);
      }),
    refine: (input) =>
      run(async () => {
        const { refineGeneration } = dataOf(await refine({ input: { idempotencyKey: newKey(), ...input } }));
        return accepted(refineGeneration).generations.map(({ id }) => id);
      }),
    cancel: async (id) => {
      await run(async () => accepted(dataOf(await cancel({ id })).cancelGeneration));
    },
  };
}

/** The subscription writes into the cache, where the gallery reads the same generation. */
export function useGeneration(id: string | null): LiveGeneration {
  const [{ data, error }] = useSubscription({ query: GenerationProgressDocument, variables: { id: id ?? "" }, pause: id === null });
  return { generation: (id && data?.generationProgress) || null, error: error ?? null };
}

export function useGallery({ pageSize }: { pageSize: number }): Gallery {
  const [after, setAfter] = useState<string | null>(null);
  const [{ data, fetching, error }, read] = useQuery({ query: GalleryDocument, variables: { first: pageSize, after } });
  const { error: refusal, run } = useAction();
  const [, setFavorite] = useMutation(SetFavoriteDocument);
  const [, remove] = useMutation(DeleteGenerationsDocument);
  const [, share] = useMutation(ShareGenerationDocument);
  const [, unshare] = useMutation(UnshareGenerationDocument);
  const shown = useRef<GalleryQuery | undefined>(undefined); // while the next page is read
  useEffect(() => {
    shown.current = data ?? shown.current;
  }, [data]);
  const list = (data ?? shown.current)?.viewer?.generations;
  useSubscription({ query: GalleryChangedDocument, pause: !list }, (_, { galleryChanged }) => {
    if (galleryChanged.kind === "SNAPSHOT") read({ requestPolicy: "network-only" });
    return { galleryChanged };
  });
  return {
    generations: list?.edges.map(({ node }) => node) ?? [],
    totalCount: list?.totalCount ?? 0,
    hasMore: list?.pageInfo.hasNextPage ?? false,
    loading: fetching,
    error: error ?? refusal,
    loadMore: () => setAfter(list?.pageInfo.endCursor ?? null), // graphcache puts the pages together
    setFavorite: async (id, isFavorite) => {
      await run(async () => accepted(dataOf(await setFavorite({ id, isFavorite })).setFavorite));
    },
    remove: async (id) => {
      await run(async () => accepted(dataOf(await remove({ ids: [id] })).deleteGenerations));
    },
    share: async (id) => {
      await run(async () => accepted(dataOf(await share({ id })).shareGeneration));
    },
    unshare: async (id) => {
      await run(async () => accepted(dataOf(await unshare({ id })).unshareGeneration));
    },
  };
}
