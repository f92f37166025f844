// The view of one style, or of the visitor's own words, from which pictures are ordered.
import { useCallback, useEffect } from "react";
import { useQuery } from "urql";
import { Redirect, useParams } from "wouter";
import { Failed } from "../app/failed.tsx";
import { useText } from "../app/locale.tsx";
import { useSession } from "../app/session.tsx";
import { useTabOwner } from "../app/tab-owner.ts";
import { ButtonLink } from "../components/button.tsx";
import { Empty, Loading, Skeleton } from "../components/card.tsx";
import { WindowTitle } from "../components/view-title.tsx";
import { Composer, takesOrders } from "../features/compose/composer.tsx";
import { addressOf } from "../features/styles/address.ts";
import type { Collection } from "../features/styles/wall.tsx";
import { CatalogueDocument, DeploymentDocument, OwnStylesDocument } from "../gql/graphql.ts";
import { compose } from "../locales/compose.ts";

const PAUSE = 30_000; // milliseconds between two looks whether orders are taken again

export default function CreatePage() {
  const t = useText(compose);
  const { viewer } = useSession();
  const owner = useTabOwner();
  const params = useParams<{ collection?: string; style?: string }>();
  const isOwn = params.collection === "own";
  const [{ data: catalogue, error }, reread] = useQuery({ query: CatalogueDocument });
  const [{ data: own, error: noOwn }, rereadOwn] = useQuery({ query: OwnStylesDocument, pause: !viewer || !isOwn });
  const { deployed, noDeployment, rereadDeployment } = useDeployment();

  if ((error && !catalogue) || (noDeployment && !deployed) || (isOwn && viewer && noOwn && !own)) {
    return <Failed reread={[reread, rereadDeployment, ...(isOwn && viewer ? [rereadOwn] : [])]} />;
  }
  if (!catalogue || !deployed || viewer === undefined || (isOwn && viewer && !own)) return <Waiting />;
  const { deployment } = deployed;
  if (!params.style) return <Redirect to={beginning(catalogue.collections)} replace />;
  const collection = catalogue.collections.find(({ slug }) => slug === params.collection) ?? null;
  const picked = isOwn
    ? own?.styles.edges.find(({ node }) => node.id === params.style)?.node
    : collection?.styles.find(({ slug }) => slug === params.style);
  if (!picked) {
    return (
      <Empty icon="image" title={t.missing}>
        <ButtonLink look="primary" to="/">
          {t.back}
        </ButtonLink>
      </Empty>
    );
  }
  const prices = collection ?? collectionOfWords(catalogue.collections); // styles of users have its prices
  return (
    <>
      <WindowTitle>{picked.title}</WindowTitle>
      <Composer key={`${picked.id} ${owner}`} picked={picked} prices={prices} deployment={deployment} onUnavailable={rereadDeployment} />
    </>
  );
}

/** What may be ordered now: read with each view, and again and again while nothing may, so that it goes on by itself. */
function useDeployment() {
  const [{ data: deployed, error: noDeployment }, reread] = useQuery({ query: DeploymentDocument, requestPolicy: "cache-and-network" });
  const rereadDeployment = useCallback(() => reread({ requestPolicy: "network-only" }), [reread]);
  const isPaused = deployed != null && !takesOrders(deployed.deployment);
  useEffect(() => {
    if (!isPaused) return;
    const timer = setInterval(rereadDeployment, PAUSE);
    return () => clearInterval(timer);
  }, [isPaused, rereadDeployment]);
  return { deployed, noDeployment, rereadDeployment };
}

/** The collection of orders from words alone. */
function collectionOfWords(collections: readonly Collection[]): Collection | null {
  return collections.find(({ styles }) => styles.some(({ slug }) => slug === "free")) ?? null;
}

/** The address of the visitor's own words where the product has them, else of its first style. */
function beginning(collections: readonly Collection[]): string {
  const all = collections.flatMap((collection) => collection.styles.map((one) => ({ one, collection })));
  const first = all.find(({ one }) => one.slug === "free") ?? all.find(({ one }) => !one.locked);
  return first ? addressOf(first.one, first.collection) : "/";
}

function Waiting() {
  return (
    <Loading>
    <div style={{ display: "grid", gap: "2rem", gridTemplateColumns: "repeat(auto-fit, minmax(min(22rem, 100%), 1fr))" }}>
      <Skeleton css={{ minHeight: "50vh" }} />
      <div style={{ display: "grid", gap: "1rem", alignContent: "start" }}>
        <Skeleton css={{ height: "3rem", width: "60%" }} />
        <Skeleton css={{ height: "7rem" }} />
        <Skeleton css={{ height: "3rem" }} />
        <Skeleton css={{ height: "3rem" }} />
      </div>
    </div>
    </Loading>
  );
}
