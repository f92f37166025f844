// What the product sells: packages of credits, monthly plans, passes.
import { useEffect, type ReactNode } from "react";
import { useLocale, useText } from "../../app/locale.tsx";
import { messageOf, problemTexts } from "../../app/problem.ts";
import { useSession } from "../../app/session.tsx";
import { Button } from "../../components/button.tsx";
import { Badge } from "../../components/card.tsx";
import { Problem } from "../../components/field.tsx";
import { Icon } from "../../components/icons.tsx";
import type { OfferedPlanFragment, OffersQuery } from "../../gql/graphql.ts";
import { credits } from "../../locales/credits.ts";
import { grouped } from "../../locales/number.ts";
import { useSignIn } from "../auth/sign-in.tsx";
import { useCheckout, type Offer, type Start } from "./checkout.ts";
import { Features, PassFeatures, PlanFeatures } from "./features.tsx";
import { priceOf, unitPriceOf } from "./format.ts";
import style from "./offers.module.css";

type Props = { readonly offers: OffersQuery; readonly order: string | null };

export function Offers({ offers, order }: Props) {
  const t = useText(credits);
  const problems = useText(problemTexts);
  const { deployment, creditPackages, plans } = offers;
  const { payments, sellsCredits } = deployment;
  const checkout = useCheckout(payments, order);
  useEffect(() => {
    // After the view has been scrolled to its top, as every new one is.
    const frame = requestAnimationFrame(() => {
      if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
    });
    return () => cancelAnimationFrame(frame);
  }, []);
  if (!payments) return <p className={style["text"]}>{t.nothingForSale}</p>;
  const monthly = plans.filter(({ kind }) => kind === "SUBSCRIPTION");
  const passes = plans.filter(({ kind }) => kind === "PASS");
  return (
    <>
      {payments.isTest && (
        <p className={style["test"]}>
          <Badge icon="warning">{t.test}</Badge>
        </p>
      )}
      {checkout.problem !== null && <Problem>{messageOf(checkout.problem, problems)}</Problem>}
      {sellsCredits && creditPackages.length > 0 && (
        <Shelf id="packages" title={t.packages}>
          {creditPackages.map((one) => (
            <PackageCard key={one.id} one={one} checkout={checkout} />
          ))}
        </Shelf>
      )}
      {passes.length > 0 && (
        <Shelf id="passes" title={t.passes} text={t.passesText}>
          {passes.map((plan) => (
            <PlanCard key={plan.id} plan={plan} checkout={checkout} features={<PassFeatures plan={plan} />} />
          ))}
        </Shelf>
      )}
      {monthly.length > 0 && (
        <Shelf id="plans" title={t.plans} text={t.plansText}>
          {monthly.map((plan) => (
            <PlanCard key={plan.id} plan={plan} checkout={checkout} features={<PlanFeatures plan={plan} />} />
          ))}
        </Shelf>
      )}
    </>
  );
}

type ShelfProps = { readonly id: string; readonly title: string; readonly text?: string; readonly children: ReactNode };

function Shelf({ id, title, text, children }: ShelfProps) {
  return (
    <section id={id} aria-labelledby={`${id}-title`} className={style["shelf"]}>
      <h2 id={`${id}-title`}>{title}</h2>
      {text && <p className={style["text"]}>{text}</p>}
      <ul className={style["cards"]}>{children}</ul>
    </section>
  );
}

type PackageProps = { readonly one: OffersQuery["creditPackages"][number]; readonly checkout: Start };

function PackageCard({ one, checkout }: PackageProps) {
  const t = useText(credits);
  const { locale } = useLocale();
  return (
    <li className={style["card"]}>
      <h3 className={style["name"]}>
        <Icon name="coin" />
        <span>
          <strong>{grouped(one.credits)}</strong> {t.unit(one.credits)}
        </span>
      </h3>
      <p className={style["text"]}>{t.each(unitPriceOf(one.price, one.credits, one.currency, locale))}</p>
      {one.creditsExpireDays !== null && <p className={style["text"]}>{t.expireAfter(one.creditsExpireDays)}</p>}
      <p className={style["price"]}>{priceOf(one.price, one.currency, locale)}</p>
      <Buy offer={{ kind: "package", slug: one.slug, credits: one.credits }} label={t.buy} checkout={checkout} about={`${one.credits} ${t.unit(one.credits)}`} />
    </li>
  );
}

type PlanProps = { readonly plan: OfferedPlanFragment; readonly checkout: Start; readonly features: ReactNode };

function PlanCard({ plan, checkout, features }: PlanProps) {
  const t = useText(credits);
  const { locale } = useLocale();
  const { viewer } = useSession();
  const isPass = plan.kind === "PASS";
  const own = viewer?.membership?.plan?.slug;
  const isOwn = own === plan.slug;
  return (
    <li className={style["card"]} data-own={isOwn || undefined}>
      <div className={style["top"]}>
        <h3 className={style["title"]}>{plan.title}</h3>
        {isOwn && <Badge icon="check">{t.yours}</Badge>}
      </div>
      <Features>{features}</Features>
      <p className={style["price"]}>
        {plan.price === null || plan.currency === null ? (
          t.onRequest
        ) : (
          <>
            {priceOf(plan.price, plan.currency, locale)} {!isPass && <small>{t.perMonth}</small>}
          </>
        )}
      </p>
      {isPass && viewer?.pass && <p className={style["text"]}>{t.follows}</p>}
      {/* A second plan beside a running one would be paid for twice: it is changed where it is managed. */}
      {plan.price !== null && (isPass || !own) && (
        <Buy
          offer={{ kind: isPass ? "pass" : "plan", slug: plan.slug, title: plan.title }} label={isPass ? t.buy : t.subscribe}
          checkout={checkout} about={plan.title}
        />
      )}
    </li>
  );
}

type BuyProps = { readonly offer: Offer; readonly label: string; readonly about: string; readonly checkout: Start };

function Buy({ offer, label, about, checkout }: BuyProps) {
  const t = useText(credits);
  const { viewer } = useSession();
  const { open } = useSignIn();
  const isBusy = checkout.busy === offer.slug;
  const canBuy = viewer && !viewer.isGuest; // what is paid for must not depend on one session
  return (
    <Button
      look={canBuy ? "primary" : "outline"} full busy={isBusy} isDisabled={checkout.busy !== null && !isBusy}
      aria-label={isBusy ? t.opening : `${canBuy ? label : t.needsAccount}: ${about}`}
      onPress={() => (canBuy ? checkout.start(offer) : open("signUp"))}
    >
      {isBusy ? t.opening : canBuy ? label : t.needsAccount}
    </Button>
  );
}
