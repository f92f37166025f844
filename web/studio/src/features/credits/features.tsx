// What a plan or a pass includes, as a list.
import type { ReactNode } from "react";
import { useQuery } from "urql";
import { useText } from "../../app/locale.tsx";
import { Icon } from "../../components/icons.tsx";
import { CatalogueDocument, DeploymentDocument, type OfferedPlanFragment } from "../../gql/graphql.ts";
import { compose } from "../../locales/compose.ts";
import { credits } from "../../locales/credits.ts";
import style from "./offers.module.css";

export function Features({ children }: { readonly children: ReactNode }) {
  return <ul className={style["features"]}>{children}</ul>;
}

function Feature({ children }: { readonly children: ReactNode }) {
  return (
    <li>
      <Icon name="check" />
      <span>{children}</span>
    </li>
  );
}

export function PlanFeatures({ plan }: { readonly plan: OfferedPlanFragment }) {
  const t = useText(credits);
  const [{ data: catalogue }] = useQuery({ query: CatalogueDocument });
  const [{ data }] = useQuery({ query: DeploymentDocument });
  const hasMembersStyles = catalogue?.collections.some(({ styles }) => styles.some(({ membersOnly }) => membersOnly));
  return (
    <>
      {plan.creditsPerMonth !== null && <Feature>{t.creditsPerMonth(plan.creditsPerMonth)}</Feature>}
      {plan.creditsExpireDays !== null && <Feature>{t.expireAfter(plan.creditsExpireDays)}</Feature>}
      {plan.rollover !== null && <Feature>{t.keeps(plan.rollover)}</Feature>}
      {plan.unlimited && <Feature>{t.allPictures}</Feature>}
      {hasMembersStyles && <Feature>{t.membersStyles}</Feature>}
      {plan.priority && <Feature>{t.priority}</Feature>}
      {plan.maxBatch > (data?.deployment.maxBatch ?? plan.maxBatch) && <Feature>{t.atOnce(plan.maxBatch)}</Feature>}
      {plan.apiAccess && <Feature>{t.apiAccess}</Feature>}
    </>
  );
}

export function PassFeatures({ plan }: { readonly plan: OfferedPlanFragment }) {
  const t = useText(credits);
  const c = useText(compose);
  const [{ data: catalogue }] = useQuery({ query: CatalogueDocument });
  const [{ data }] = useQuery({ query: DeploymentDocument });
  const makesVideos = data?.deployment.media.includes("VIDEO") ?? false;
  const all = catalogue?.collections ?? [];
  const covered = all.filter(({ slug }) => plan.collections === null || plan.collections.includes(slug));
  return (
    <>
      <Feature>{t.hours(plan.durationHours ?? 0)}</Feature>
      <Feature>{t.imagesPerHour(plan.imagesPerHour ?? 0)}</Feature>
      {makesVideos && (plan.videosPerHour ?? 0) > 0 && <Feature>{t.videosPerHour(plan.videosPerHour ?? 0)}</Feature>}
      {plan.quality && <Feature>{t.upTo(c.qualities[plan.quality])}</Feature>}
      {covered.length < all.length && <Feature>{t.only(covered.map(({ title }) => title).join(", "))}</Feature>}
    </>
  );
}
