// The studio's data by Apollo's hooks: queries fill the cache, mutations and subscriptions change it.
import { useApolloClient, useMutation, useQuery, useSubscription } from "@apollo/client/react";
import {
  accepted, CancelGenerationDocument, CollectionsDocument, CreateGenerationDocument, CreditsChangedDocument, DeleteGenerationsDocument, DeploymentDocument,
  GalleryChangedDocument, GalleryDocument, GenerationProgressDocument, newKey, QuoteDocument, RefineGenerationDocument,
  SetFavoriteDocument, ShareGenerationDocument, UnshareGenerationDocument,
  ViewerDocument, type QuoteInput,
} from "@darkroom/client";
import { addGeneration, applyGalleryChange, removeGenerations } from "@darkroom/client/apollo";
import {
  useAction, useSession as useClientSession, type Collections, type Deployment, type Gallery, type LiveGeneration, type Order, type Quote, type Session,
} from "@darkroom/client/react";

/** The package's own, and a cache that another account does not see. */
export function useSession(): Session {
  const session = useClientSession();
  const client = useApolloClient();
  return {
    ...session,
    signOut: async () => {
      await session.signOut();
      await client.clearStore();
    },
  };
}

export function useCredits(): { readonly credits: number | null } {
  const { data } = useQuery(ViewerDocument);
  useSubscription(CreditsChangedDocument); // its `user` is the viewer of the cache
  return { credits: data?.viewer?.credits ?? null };
}

export function useDeployment(): Deployment {
  const { data, loading, error } = useQuery(DeploymentDocument);
  return { value: data?.deployment ?? null, loading, error: error ?? null };
}

export function useCollections(): Collections {
  const { data, loading, error } = useQuery(CollectionsDocument);
  return { value: data?.collections ?? null, loading, error: error ?? null };
}

export function useQuote(input: QuoteInput | null): Quote {
  const { data, loading, error } = useQuery(QuoteDocument, {
    variables: { input: input ?? {} },
    skip: input === null,
    fetchPolicy: "network-only", // it names the balance
  });
  return { value: data?.quote ?? null, loading, error: error ?? null };
}

export function useOrder(): Order {
  const { busy, error, run } = useAction();
  const [create] = useMutation(CreateGenerationDocument);
  const [refine] = useMutation(RefineGenerationDocument);
  const [cancel] = useMutation(CancelGenerationDocument);
  return {
    busy,
    error,
    create: (input) =>
      run(async () => {
        const { data } = await create({
          variables: { input: { idempotencyKey: newKey(), ...input } },
          update: (cache, { data }) => {
            const { viewer, generations = [] } = data?.createGeneration ?? {};
            for (const one of generations) if (viewer) addGeneration(cache, viewer.id, one);
          },
        });
        return data ? accepted(data.createGeneration).generations.map(({ id }) => id) : [];
      }),
    refine: (input) =>
      run(async () => {
        const { data } = await refine({
          variables: { input: { idempotencyKey: newKey(), ...input } },
          update: (cache, { data }) => {
            const { viewer, generations = [] } = data?.refineGeneration ?? {};
            for (const one of generations) if (viewer) addGeneration(cache, viewer.id, one);
          },
        });
        return data ? accepted(data.refineGeneration).generations.map(({ id }) => id) : [];
      }),
    cancel: async (id) => {
      await run(async () => accepted((await cancel({ variables: { id } })).data!.cancelGeneration));
    },
  };
}

/** The subscription writes into the cache, where the gallery reads the same generation. */
export function useGeneration(id: string | null): LiveGeneration {
  const { data, error } = useSubscription(GenerationProgressDocument, { variables: { id: id ?? "" }, skip: id === null });
  return { generation: data?.generationProgress ?? null, error: error ?? null };
}

export function useGallery({ pageSize }: { pageSize: number }): Gallery {
  const { data, loading, error, fetchMore, refetch } = useQuery(GalleryDocument, { variables: { first: pageSize } });
  const { error: refusal, run } = useAction();
  const [setFavorite] = useMutation(SetFavoriteDocument);
  const [remove] = useMutation(DeleteGenerationsDocument);
  const [share] = useMutation(ShareGenerationDocument);
  const [unshare] = useMutation(UnshareGenerationDocument);
  const userId = data?.viewer?.id ?? "";
  const list = data?.viewer?.generations;
  useSubscription(GalleryChangedDocument, {
    skip: !userId,
    onData: ({ client, data: { data } }) => {
      if (data?.galleryChanged.kind === "SNAPSHOT") void refetch(); // the first one finds what was ordered since the query
      else if (data) applyGalleryChange(client.cache, userId, data.galleryChanged);
    },
  });
  return {
    generations: list?.edges.map(({ node }) => node) ?? [],
    totalCount: list?.totalCount ?? 0,
    hasMore: list?.pageInfo.hasNextPage ?? false,
    loading,
    error: error ?? refusal,
    loadMore: () => void fetchMore({ variables: { after: list?.pageInfo.endCursor ?? null } }),
    setFavorite: async (id, isFavorite) => {
      await run(async () => {
        const { data } = await setFavorite({
          variables: { id, isFavorite },
          optimisticResponse: {
            setFavorite: {
              __typename: "GenerationPayload",
              generation: { __typename: "Generation", id, isFavorite },
              errors: [],
            } as never,
          },
        });
        return data && accepted(data.setFavorite);
      });
    },
    remove: async (id) => {
      await run(async () => {
        const { data } = await remove({
          variables: { ids: [id] },
          optimisticResponse: { deleteGenerations: { __typename: "DeletedPayload", deletedIds: [id], viewer: null, errors: [] } as never },
          update: (cache, { data }) => removeGenerations(cache, userId, data?.deleteGenerations.deletedIds ?? []),
        });
        return data && accepted(data.deleteGenerations);
      });
    },
    share: async (id) => {
      await run(async () => accepted((await share({ variables: { id } })).data!.shareGeneration));
    },
    unshare: async (id) => {
      await run(async () => accepted((await unshare({ variables: { id } })).data!.unshareGeneration));
    },
  };
}
